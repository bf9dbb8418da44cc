# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# device-broken LIE: after a lie about the ring itself nothing on it can be
# believed; all requests end, and a device that is started anew works.

. /guest/lib.sh

claim driver_loads load
claim share_mounts mount_share
claim lie_is_prepared host device myfs fault "op=STATFS $1"
for n in $(seq 20); do
	cat "/mnt/$n" >/dev/null 2>&1 &
done
timeout 60 stat -f /mnt >/dev/null 2>&1
claim_equal lie_was_told "$(host device myfs counter "lie.${1%%=*}")" 1
wait
claim_refused next_request_fails 'endpoint is not connected|connection abort|Input/output' \
	timeout 60 stat -f /mnt
claim share_unmounts umount /mnt
claim driver_unloads rmmod virtiofs
claim driver_loads_again modprobe virtiofs
claim share_mounts_again mount_share
claim_equal share_is_served_again "$(find /mnt/dir -type f | wc -l)" 50
claim share_unmounts_again umount /mnt
plan
