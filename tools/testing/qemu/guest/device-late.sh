# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What a killed task has left to the device: what comes after it does not overtake it, and
# what it does late is seen, though the guest caches.
#
# scenario: ours device=timeout:3600 queues=2

. /guest/lib.sh
. /guest/held.sh

count()
{
	host device myfs counter "op.$1"
}

in_flight()
{
	[ "$(cat "/sys/fs/virtiofs/"*"/mqs/$queue/in_flight")" -gt 0 ]
}

# unread NAME COMMAND...: the command is killed before the device has read its request, from
# the queue of the first CPU.
unread()
{
	name=$1
	shift
	host device myfs stall "$queue" >&2
	taskset 1 "$@" >/dev/null 2>&1 &
	pid=$!
	claim "$name: request_is_in_the_ring" soon in_flight
	kill -9 $pid
	claim "$name: task_is_killed" soon ended $pid
	wait $pid
}

# goes_on NAME: the device answers
goes_on()
{
	host device myfs honest >&2
	claim "$1: device_answers" host device myfs release
}

forget()
{
	for n in 1 2 3; do
		echo 2 >/proc/sys/vm/drop_caches
	done
}

mode()
{
	[ "$(stat -c %a /mnt/work/file)" = "$1" ]
}

# holder FILE HOW: a task that has a lock of it
holder()
{
	exec 9<&- 3<"$1"
	flock "$2" 3
	echo "$1" >/run/holding
	exec sleep 1000
}

# hold FILE HOW: $holder has it
hold()
{
	holder "$1" "$2" &
	holder=$!
	claim "$1: lock_is_held" soon grep -qx "$1" /run/holding
}

# successor FILE OPTION: what a task that is killed left to the device to do with the lock of an
# open file does not meet the next lock of that
successor()
{
	exec 9<"$1"
	claim "$1: file_is_locked" flock -x 9
	asked=$(count SETLKW)
	unread "$1" flock "$2" 9
	flock -x 9 &
	pid=$!
	# flock(2), as the CPU knows it
	claim "$1: next_lock_is_waited_for" soon grep -q '^73 ' /proc/$pid/syscall
	timeout 20 flock -w 1 -x 9
	claim_equal "$1: who_waits_can_give_up" $? 1
	host device myfs resume "$queue" >&2
	claim "$1: both_are_read" host device myfs wait op.SETLKW $((asked + 2))
	claim "$1: file_is_locked_anew" wait $pid
	claim_refused "$1: next_lock_stays" '' flock -n -s "$1" true
	exec 9<&-
}

# unlocking FILE: a signal does not end an unlock, which nothing would do then
unlocking()
{
	exec 9<"$1"
	claim "$1: file_is_locked" flock -x 9
	unread "$1" flock -u 9
	# A signal after a second
	flock -w 1 -u 9 &
	pid=$!
	claim "$1: next_unlock_waits" soon grep -q '^73 ' /proc/$pid/syscall
	sleep 3
	claim "$1: it_still_does_after_a_signal" soon grep -q '^73 ' /proc/$pid/syscall
	host device myfs resume "$queue" >&2
	claim "$1: file_is_unlocked" wait $pid
	exec 9<&-
}

# killed_waiter FD: a task is killed that waits for a lock of an open file of this one
killed_waiter()
{
	asked=$(count SETLKW)
	flock -x "$1" &
	pid=$!
	claim lock_is_waited_for host device myfs wait op.SETLKW $((asked + 1))
	kill -9 $pid
	claim waiter_is_killed soon ended $pid
	wait $pid
}

# late FILE HOW: a lock of the open file 9 comes when the task is dead that has asked for it; HOW
# another one has it until then
late()
{
	hold "$1" "$2"
	killed_waiter 9
	kill $holder
	wait $holder
	sleep 2
}

# upgrading FILE: an open file has a read lock, as has that of $holder, and a child of $upgrader
# waits for a write lock of it.
upgrading()
{
	/device/lock hold read "$1" >/run/holder &
	holder=$!
	claim "$1: lock_is_shared_by_open_files" soon grep -q . /run/holder
	asked=$(count SETLKW)
	/device/lock upgrade "$1" >/run/upgrader &
	upgrader=$!
	claim "$1: upgrade_is_waited_for" host device myfs wait op.SETLKW $((asked + 1))
}

# handles: what a task uses that is killed
handles()
{
	before=$(count RELEASE)
	kill_while_held READ read dd if=/mnt/1 of=/dev/null bs=4k count=1 iflag=direct
	sleep 1
	claim_equal handle_is_not_given_back_before_its_request_is_over "$(count RELEASE)" "$before"
	goes_on read
	claim handle_is_given_back_then host device myfs wait op.RELEASE $((before + 1))

	# ... both of them, if it copies
	before=$(count RELEASE)
	asked=$(count COPY_FILE_RANGE)
	claim file_is_copied /device/range copy 4096 /mnt/1 /mnt/work/file
	[ "$(count COPY_FILE_RANGE)" -gt "$asked" ] || op64=_64
	claim copier_gives_back_both host device myfs wait op.RELEASE $((before + 2))
	before=$(count RELEASE)
	kill_while_held "COPY_FILE_RANGE$op64" copy /device/range copy 4096 /mnt/1 /mnt/work/file
	sleep 1
	claim_equal neither_is_given_back_before_it_is_copied "$(count RELEASE)" "$before"
	goes_on copy
	claim both_are_given_back_then host device myfs wait op.RELEASE $((before + 2))

	# ... of a process that is gone when its lock comes, while its parent has the file
	exec 8<>/mnt/work/file
	host device myfs stall "$queue" >&2
	taskset 1 /device/lock take write 8 &
	pid=$!
	claim lock_is_asked_for soon in_flight
	# It closes the file by another queue
	taskset -p 2 $pid >/dev/null
	kill -9 $pid
	claim asker_is_killed soon ended $pid
	wait $pid
	host device myfs resume "$queue" >&2
	claim lock_of_a_dead_process_is_given_back soon /device/lock try write /mnt/work/file
	exec 8<&-

	# ... of an open file that others have as well; the server does not hear of signals
	host device myfs stall 0 >&2
	exec 9</mnt/8
	claim lock_is_shared flock -s 9
	late /mnt/8 -s
	claim_refused lock_is_still_held '' flock -n -s /mnt/8 true
	exec 9<&-
	claim lock_is_gone_with_the_open_file soon flock -n -x /mnt/8 true

	# ... and of one that had none before it
	exec 9</mnt/7
	late /mnt/7 -x
	claim_refused late_lock_comes '' flock -n -s /mnt/7 true
	exec 9<&-
	claim late_lock_is_gone_with_the_open_file soon flock -n -x /mnt/7 true

	# ... and that is closed while it is waited for
	exec 9</mnt/9
	hold /mnt/9 -x
	killed_waiter 9
	before=$(count RELEASE)
	exec 9<&-
	sleep 1
	claim_equal handle_is_kept_for_who_waits_with_it "$(count RELEASE)" "$before"
	kill $holder
	wait $holder
	claim both_handles_are_given_back host device myfs wait op.RELEASE $((before + 2))
	claim lock_is_given_back soon flock -n -x /mnt/9 true

	# ... of an open file in which another process has the lock that it was to replace
	upgrading /mnt/10
	pid=$(cat /run/upgrader)
	kill -9 "$pid"
	claim upgrader_is_killed soon ended "$pid"
	kill $holder
	wait $holder
	sleep 2
	claim_refused open_file_is_still_locked '' /device/lock try write /mnt/10
	kill $upgrader
	wait $upgrader
	claim its_lock_is_gone_with_it soon /device/lock try write /mnt/10

	# ... of an open file that goes, with its lock, before the one that it waits for comes
	upgrading /mnt/11
	kill -9 "$(cat /run/upgrader)" $upgrader
	claim both_are_killed soon ended $upgrader
	wait $upgrader
	kill $holder
	wait $holder
	claim late_lock_has_gone_with_the_handle soon /device/lock try write /mnt/11
	host device myfs resume 0 >&2

	successor /mnt/12 -u
	successor /mnt/13 -s
	unlocking /mnt/14
}

claim driver_loads load
claim share_mounts mount_share
# All else happens on the other CPU
taskset -p 2 $$ >/dev/null
queue=$(grep -lx 0 /sys/fs/virtiofs/*/mqs/*/cpu_list | sed -n 's|.*/\([0-9]*\)/cpu_list|\1|p')
echo old >/mnt/work/file
chmod 644 /mnt/work/file

handles

# An inode, and what is cached of it
claim mode_is_known mode 644
unread chmod chmod 600 /mnt/work/file
claim mode_is_still_the_old_one mode 644
forget
sleep 1
claim chmod_is_read host device myfs resume "$queue"
claim late_mode_is_seen soon mode 600

claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt

plan
