# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A signal that is not fatal ends a call if the server wants it to.
#
# scenario: ours device=timeout:0

. /guest/lib.sh

# signalled OPCODE CALL FILE: the call gets a signal when the device has its
# request.
signalled()
{
	waiting=$(($(host device myfs counter "op.$1") + 1))
	mkfifo /run/go
	/device/signalled "$2" "$3" 1 </run/go >/run/result &
	exec 9>/run/go
	host device myfs wait "op.$1" $waiting >&2
	echo go >&9
	exec 9>&-
	rm /run/go
}

# interrupted NAME OPCODE CALL FILE: the call ends with EINTR.
interrupted()
{
	signalled "$2" "$3" "$4"
	claim "$1: call_ends" soon ended $!
	wait $!
	claim_equal "$1: call_says_so" "$(cat /run/result)" "1 Interrupted system call"
}

interrupts()
{
	host device myfs counter op.INTERRUPT
}

claim driver_loads load
claim share_mounts mount_share
ln -s target /mnt/work/soft

flock -o /mnt/8 sleep 1000 >/dev/null 2>&1 &
holder=$!
claim lock_is_taken host device myfs wait op.SETLKW 1
interrupted lock SETLKW flock /mnt/8
claim_equal lock_was_interrupted_once "$(interrupts)" 1

host device myfs fault "op=READDIRPLUS interrupt" >&2
interrupted readdir READDIRPLUS readdir /mnt/dir
host device myfs fault "op=READLINK interrupt" >&2
interrupted readlink READLINK readlink /mnt/work/soft
claim_equal each_was_interrupted_once "$(interrupts)" 3
claim_equal device_has_ended_all_three "$(host device myfs counter interrupts_matched)" 3

# EAGAIN
host device myfs fault "op=INTERRUPT count=3 error=-11" >&2
interrupted "asked again" SETLKW flock /mnt/8
claim_equal device_was_asked_again "$(interrupts)" 7

# ENOSYS
host device myfs fault "op=INTERRUPT error=-38" >&2
signalled SETLKW flock /mnt/8
first=$!
mv /run/result /run/first
claim device_says_that_it_does_not_know_that host device myfs wait op.INTERRUPT 8
signalled SETLKW flock /mnt/8
sleep 1
kill $holder
wait $first $!
claim_equal call_waits_for_its_lock "$(cat /run/first)" "1 Success"
claim_equal another_call_waits_as_well "$(cat /run/result)" "1 Success"
claim_equal device_is_not_told_again "$(interrupts)" 8
claim share_unmounts umount /mnt

claim share_mounts_again mount_share
host device myfs fault "op=STATFS interrupt" >&2
interrupted "next session" STATFS statfs /mnt
claim_equal next_session_asks_again "$(interrupts)" 9
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts_again umount /mnt
plan
