# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Memory that a request for direct I/O is for belongs to the device until that has answered.
#
# scenario: device=timeout:0
# expect-log: virtiofs: myfs: (not responding|responding)

. /guest/lib.sh

# ask HOW NAME: the program waits for what it reads, and the device has the request.
ask()
{
	asked=$(host device myfs counter op.READ)
	host device myfs fault op=READ hold >&2
	rm -f /run/go
	mkfifo /run/go
	/device/owner "$1" /mnt/work/file </run/go >/run/said &
	program=$!
	exec 9>/run/go
	claim "$1: device_has_the_request" host device myfs wait op.READ $((asked + 1))
}

# told WORD: the number that the program has told with it
told()
{
	sed -n "s/^$1 //p" /run/said
}

has_told()
{
	[ -n "$(told "$1")" ]
}

# answer HOW: the device answers; the program has its memory, before or since.
answer()
{
	host device myfs release >&2
	claim "$1: memory_comes_back" soon has_told back
	sleep 1
	echo go >&9
	exec 9>&-
	claim "$1: program_ends" soon ended $program
	wait $program
	claim_equal "$1: nothing_is_overwritten_then" "$(told overwritten)" 0
	host device myfs honest >&2
}

claim driver_loads load
claim share_mounts mount_share
dd if=/dev/zero of=/mnt/work/file bs=4096 count=1 2>/dev/null

ask aio
sleep 5
claim_equal "aio: nothing_comes_before_the_answer" "$(told back)" ""
answer aio
claim_equal "aio: all_that_was_asked_for_comes" "$(told back)" 4096

for how in shared vm vfork; do
	ask $how
	kill -9 "$(told asked)"
	sleep 3
	answer $how
	claim_equal "$how: child_was_killed" "$(told back)" 9
done
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
