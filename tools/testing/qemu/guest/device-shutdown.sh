# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The guest is switched off while tasks wait for the device; the host looks on.

. /guest/lib.sh

claim driver_loads load
claim share_mounts mount_share
claim device_keeps_what_it_gets host device myfs fault "op=STATFS count=all hold"
claim device_keeps_data host device myfs fault "op=READ count=all hold"
stat -f /mnt >/dev/null 2>&1 &
cat /mnt/3 >/dev/null 2>&1 &
dd if=/mnt/4 of=/dev/null iflag=direct bs=64k >/dev/null 2>&1 &
claim device_has_statfs host device myfs wait op.STATFS 1
claim device_has_reads host device myfs wait op.READ 2
claim device_has_answered_none test "$(host device myfs counter in_flight)" -ge 3
plan
