# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What keeps a request from the device counts for the mount's timeout as well: a ring
# that is full of locks that wait for their holder, a queue for FORGETs that stands still.
# From the kernel's command line: ring, how many requests the device takes.

. /guest/lib.sh

state_is()
{
	[ "$(cat /sys/fs/virtiofs/*/state)" = "$1" ]
}

# locks NUMBER: as many tasks wait for a lock, each of another file.
locks()
{
	asked=$(host device myfs counter op.SETLKW)
	pids=
	for n in $(seq "$1"); do
		flock "/mnt/$n" true >>/run/said 2>&1 &
		pids="$pids $!"
	done
}

# busy: forgets what was looked up, and calls what the device answers at once, for longer
# than the timeout. The VFS spares what was used lately, once or twice.
busy()
{
	for n in $(seq 100); do
		echo 2 >/proc/sys/vm/drop_caches
		stat -f /mnt >/run/said 2>&1 || return 0
		sleep 0.2
	done
	return 1
}

claim driver_loads load
mkdir -p /mnt
claim share_mounts mount -t virtiofs -o timeout=4 myfs /mnt
claim device_keeps_locks host device myfs fault "op=SETLKW count=all hold"
locks "$ring"
claim ring_is_full_of_locks host device myfs wait op.SETLKW $((asked + ring))
sleep 8
claim locks_alone_have_no_timeout state_is running
claim_refused call_behind_them_ends_in_time 'connection abort' timeout 60 stat -f /mnt
claim log_names_the_call log_has 'virtiofs: myfs: opcode 17 is not answered for'
claim connection_is_aborted soon state_is aborted
# shellcheck disable=SC2086 # a list of numbers
wait $pids
claim locks_end_with_it grep -q 'connection abort' /run/said
claim dead_mount_unmounts umount /mnt
claim device_is_honest_again host device myfs honest

claim share_mounts_again mount -t virtiofs -o timeout=4 myfs /mnt
claim hiprio_queue_stalls host device myfs stall 0
# What the server lets the guest cache for no time is forgotten at once, or a while later
ls -l /mnt/dir >/run/said
claim forgets_that_are_not_taken_end_the_connection busy
claim log_says_what_it_was log_has 'virtiofs: myfs: opcode 2 is not answered for'
claim aborted_mount_unmounts umount /mnt
claim hiprio_queue_goes_on host device myfs resume 0
claim share_mounts_at_last mount_share
claim share_is_served stat -f /mnt
claim share_unmounts umount /mnt
plan
