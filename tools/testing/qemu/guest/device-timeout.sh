# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A device that is late, and one that never answers.
#
# scenario: ours device=timeout:0 queues=2
# expect-log: virtiofs: myfs: (not responding|responding|opcode 17)

. /guest/lib.sh

state_is()
{
	[ "$(cat /sys/fs/virtiofs/*/state)" = "$1" ]
}

claim driver_loads load
claim_refused timeout_takes_a_number 'mount' mount -t virtiofs -o timeout=soon myfs /mnt
uevent sh -c 'echo "$ACTION $TAG $STATE"' >/run/uevents &
listener=$!

claim share_mounts mount -t virtiofs -o timeout=8 myfs /mnt
claim mount_shows_its_timeout grep -q 'virtiofs .*timeout=8' /proc/mounts
claim device_is_late host device myfs fault op=STATFS hold
stat -f /mnt >/run/said 2>&1 &
pid=$!
claim device_is_not_responding soon state_is "not responding"
claim log_says_so log_has 'virtiofs: myfs: not responding \(opcode 17 '
host device myfs release >&2
claim late_answer_is_good wait $pid
claim device_is_responding_again soon state_is running
claim log_says_that_too log_has 'virtiofs: myfs: responding again'

# Somebody will still use it.
cd /mnt || exit 1
claim device_never_answers host device myfs fault op=STATFS hold
claim_refused call_ends_in_time 'connection abort' timeout 60 stat -f /mnt
claim log_names_opcode_and_age log_has 'virtiofs: myfs: opcode 17 is not answered for (8|9|1[0-9]) s'
claim connection_is_aborted soon state_is aborted
claim_refused next_call_is_refused 'not connected' stat -f /mnt
claim nothing_is_held host device myfs honest
claim dead_mount_is_left umount -l /mnt
mkdir -p /run/again
claim share_mounts_again mount -t virtiofs myfs /run/again
claim_equal state_is_running "$(cat /sys/fs/virtiofs/*/state)" running
claim new_mount_is_served stat -f /run/again
claim_refused left_mount_is_not 'not connected' stat -f .
cd / || exit 1

claim new_mount_unmounts umount /run/again

# A host that sleeps, and whose clock does not.
claim share_mounts_for_a_host_that_sleeps mount -t virtiofs -o timeout=10 myfs /run/again
asked=$(host device myfs counter op.STATFS)
claim device_is_about_to_answer host device myfs fault op=STATFS hold
stat -f /run/again >/run/said 2>&1 &
pid=$!
claim device_has_it host device myfs wait op.STATFS $((asked + 1))
begin=$(cut -d . -f 1 /proc/uptime)
claim machine_sleeps host pause-guest 20
host device myfs release >&2
claim time_has_passed test $(($(cut -d . -f 1 /proc/uptime) - begin)) -ge 20
claim answer_after_the_sleep_is_good wait $pid
host device myfs honest >&2
sleep 2
claim_equal state_is_running_after_the_sleep "$(cat /sys/fs/virtiofs/*/state)" running

claim lock_is_taken flock /run/again/1 true
claim waiting_for_a_lock_is_no_fault host device myfs fault op=SETLKW hold
claim share_unmounts umount /run/again

echo 2 >/sys/module/$module/parameters/timeout
claim share_mounts_with_default mount -t virtiofs myfs /mnt
claim mount_shows_the_default grep -q 'virtiofs .*timeout=2' /proc/mounts
flock /mnt/1 true &
pid=$!
sleep 6
claim blocking_lock_has_no_timeout state_is running
host device myfs release >&2
claim lock_is_taken_late wait $pid
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts_again umount /mnt

# Somebody has no patience, and ends it by the FUSE client's control file system.
claim control_file_system_mounts mount -t fusectl fusectl /sys/fs/fuse/connections
claim share_mounts_to_be_aborted mount_share
connection=/sys/fs/fuse/connections/$(stat -c %d /mnt)
claim connection_is_offered test -e "$connection/abort"
claim device_keeps_another_request host device myfs fault op=STATFS hold
stat -f /mnt >/run/said 2>&1 &
pid=$!
claim connection_waits_for_it soon grep -q 1 "$connection/waiting"
claim connection_is_aborted_by_hand sh -c "echo 1 >$connection/abort"
wait $pid
claim waiting_call_is_aborted grep -q 'connection abort' /run/said
claim state_says_so soon state_is aborted
claim aborted_mount_unmounts umount /mnt
host device myfs release >&2

# The shortest, with a device that nearly always has a request, none of them for long.
claim share_mounts_with_the_shortest_timeout mount -t virtiofs -o timeout=1 myfs /mnt
claim device_takes_its_time host device myfs fault op=STATFS count=all delay=200
before=$(dmesg | grep -c 'not responding')
for n in $(seq 20); do
	stat -f /mnt >/run/said || break
done
claim_equal device_has_answered_each_time "$n" 20
claim_equal busy_device_is_not_taken_for_late "$(dmesg | grep -c 'not responding')" "$before"
host device myfs honest >&2
claim busy_share_unmounts umount /mnt

# One that is for all of the FUSE client's file systems, where it knows such.
echo 0 >/sys/module/$module/parameters/timeout
limit=/proc/sys/fs/fuse/default_request_timeout
if [ -e $limit ]; then
	echo 15 >$limit
	claim share_mounts_with_the_client_s_timeout mount_share
	claim device_keeps_a_request host device myfs fault op=STATFS hold
	claim_refused call_ends_with_the_client_s_timeout 'connection abort' \
		timeout 60 stat -f /mnt
	host device myfs release >&2
	claim dead_mount_unmounts umount /mnt
	claim share_mounts_after_that mount_share
	claim share_is_served stat -f /mnt
	claim share_unmounts_at_last umount /mnt
	echo 0 >$limit
else
	skip client_s_timeout "this kernel's FUSE client has none"
fi
sleep 1
kill $listener
for state in "not responding" running aborted; do
	claim "uevent_says_$state" grep -qx "change myfs $state" /run/uevents
done
plan
