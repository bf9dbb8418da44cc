# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Somebody has the device's function reset, which ends the session.

. /guest/lib.sh
. /guest/faults.sh

reset()
{
	echo 1 >"$(pci myfs)/reset"
}

works()
{
	timeout 60 stat -f /mnt
}

claim driver_loads load
claim share_mounts mount_share
claim function_can_be_reset test -e "$(pci myfs)/reset"
claim idle_function_is_reset reset
# Not all kernels tell the driver of it, which then notices when nothing is answered.
claim_refused session_has_ended 'connection abort|not connected' works
claim log_says_why log_has 'was reset, and not by its driver|reset while tag <myfs> is mounted'
claim dead_mount_unmounts umount /mnt
claim share_mounts_again mount_share
claim share_is_served_again works

asked=$(host device myfs counter op.STATFS)
claim device_keeps_a_request host device myfs fault op=STATFS hold
stat -f /mnt >/run/said 2>&1 &
pid=$!
claim device_has_it host device myfs wait op.STATFS $((asked + 1))
claim busy_function_is_reset reset
claim waiting_task_ends soon ended $pid
claim it_says_why grep -q 'connection abort' /run/said
claim_refused next_call_is_refused 'not connected' works
claim device_is_honest_again host device myfs honest
claim dead_mount_unmounts_at_last umount /mnt
claim share_mounts_at_last mount_share
claim share_is_served works
claim_equal files_read_as_ever "$(md5sum </mnt/4)" "$(host sh 'md5sum <4')"
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
