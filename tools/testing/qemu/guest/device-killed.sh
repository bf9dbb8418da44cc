# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A task that waits for the device can be killed at once, unless it would leave
# memory of others to the device; what the device answers later is given back to it.
#
# scenario: ours device=timeout:0 ring=16

. /guest/lib.sh
. /guest/held.sh

CROWD=40

all_ended()
{
	for one; do
		ended "$one" || return 1
	done
}

# killed OPCODE NAME COMMAND...: the device keeps what the command asks, until
# the command is gone.
killed()
{
	kill_while_held "$@"
	claim "$name: device_still_has_the_request" test "$(host device myfs counter in_flight)" -gt 0
	host device myfs release >&2
	host device myfs honest >&2
	claim "$name: share_goes_on" timeout 60 stat -f /mnt
}

# kept OPCODE NAME COMMAND...: a command that is killed stays until the device has
# answered.
kept()
{
	begin_held "$@"
	kill -9 $pid
	sleep 2
	claim_refused "$name: task_is_still_there" '' ended $pid
	host device myfs honest >&2
	host device myfs release >&2
	claim "$name: task_is_gone" soon ended $pid
}

nothing_in_flight()
{
	[ "$(host device myfs counter in_flight)" = 0 ]
}

holder()
{
	exec 3<"$1"
	exec sleep 1000
}

claim driver_loads load
claim share_mounts mount_share
echo link >/mnt/work/file
ln -s target /mnt/work/soft

killed LOOKUP lookup stat /mnt/1
killed GETATTR getattr stat /mnt/work
killed SETATTR chmod chmod 600 /mnt/2
killed OPEN open cat /mnt/3
killed OPENDIR opendir ls /mnt/dir
killed READDIRPLUS readdir ls -l /mnt/dir
killed READ read cat /mnt/4
killed READ direct_read dd if=/mnt/5 of=/dev/null iflag=direct bs=4096 count=1
killed CREATE create dd if=/dev/null of=/mnt/work/created
kept WRITE write dd if=/dev/zero of=/mnt/work/written bs=64k count=1
case $(uname -r) in
6.1.*)	# It is not said there whose memory is written.
	kept WRITE direct_write dd if=/dev/zero of=/mnt/work/direct oflag=direct bs=64k count=1 ;;
*)	killed WRITE direct_write dd if=/dev/zero of=/mnt/work/direct oflag=direct bs=64k count=1 ;;
esac
killed FSYNC fsync dd if=/dev/zero of=/mnt/work/file bs=1 count=1 conv=fsync
killed FLUSH close cat /mnt/6
killed RELEASE release cat /mnt/7
killed SETLKW lock flock /mnt/8 true
killed MKDIR mkdir mkdir /mnt/work/directory
killed MKNOD mknod mkfifo /mnt/work/fifo
killed SYMLINK symlink ln -s anywhere /mnt/work/another
killed LINK link ln /mnt/work/file /mnt/work/linked
killed READLINK readlink readlink /mnt/work/soft
killed UNLINK unlink rm -f /mnt/work/linked
killed RMDIR rmdir rmdir /mnt/work/directory
killed STATFS statfs stat -f /mnt

# The last close of a task that is killed cannot be killed again.
for op in FLUSH RELEASE; do
	(holder /mnt/9) &
	pid=$!
	sleep 1
	host device myfs fault "op=$op count=all hold" >&2
	kill -9 $pid
	claim "$op in exit: task_is_gone" soon ended $pid
	wait $pid
	host device myfs release >&2
	host device myfs honest >&2
done

# The kernel closes files for all file systems in one thread, one after another.
host device myfs fault "op=RELEASE count=all hold" >&2
asked=$(host device myfs counter op.RELEASE)
claim file_is_left_to_the_kernel /device/inflight /mnt/1
claim the_kernel_closes_it host device myfs wait op.RELEASE $((asked + 1))
claim another_is_left_to_the_kernel /device/inflight /mnt/2
claim it_waits_for_no_server host device myfs wait op.RELEASE $((asked + 2))
host device myfs release >&2
host device myfs honest >&2

# Those that have not reached the ring, too.
asked=$(host device myfs counter queue.1.requests)
claim queue_stalls host device myfs stall 1
pids=
for n in $(seq $CROWD); do
	stat "/mnt/missing.$n" >/dev/null 2>&1 &
	pids="$pids $!"
done
sleep 2
# shellcheck disable=SC2086
kill -9 $pids
# shellcheck disable=SC2086
claim crowd_is_killed soon all_ended $pids
wait
claim_equal device_has_seen_none_of_them \
	"$(host device myfs counter queue.1.requests)" "$asked"
claim queue_goes_on host device myfs resume 1
claim everything_is_answered soon nothing_in_flight
claim share_goes_on timeout 60 stat -f /mnt

# What they have open is closed, if late.
pids=
for n in $(seq $CROWD); do
	(holder /mnt/9) &
	pids="$pids $!"
done
sleep 3
claim queue_stalls_again host device myfs stall 1
# shellcheck disable=SC2086
kill -9 $pids
# shellcheck disable=SC2086
claim crowd_with_open_files_is_gone soon all_ended $pids
wait
claim queue_goes_on_again host device myfs resume 1
claim share_goes_on_again timeout 60 stat -f /mnt
claim_equal late_lock_is_given_back "$(flock -n /mnt/8 echo free)" free
claim_equal late_mkdir_was_done "$(ls -d /mnt/work/directory 2>&1)" \
	"ls: /mnt/work/directory: No such file or directory"
claim_equal files_read_as_ever "$(md5sum </mnt/4)" "$(host sh 'md5sum <4')"
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
