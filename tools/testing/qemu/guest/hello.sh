# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The least a guest can do with a share.

. /guest/lib.sh

claim driver_loads load
claim share_mounts mount_share
claim share_is_listed ls -la /mnt
claim share_unmounts umount /mnt
plan
