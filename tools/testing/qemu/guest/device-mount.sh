# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Mounts whose server does not answer, or says no.
#
# scenario: ours device=timeout:0
# expect-log: virtiofs: myfs: (opcode 26|not responding)

. /guest/lib.sh

mkdir -p /mnt /run/second

# mounting DIRECTORY: in the background, as process $pid.
mounting()
{
	mount -t virtiofs myfs "$1" >&2 &
	pid=$!
}

holds()
{
	[ "$(host device myfs parked | grep -o for=held | wc -l)" -ge "$1" ]
}

abort_once_asked()
{
	soon holds 1 && echo 1 >"$(echo /sys/fs/virtiofs/*/abort)"
}

claim driver_loads load

claim server_does_not_answer host device myfs fault op=INIT hold
mounting /mnt
first=$pid
claim server_is_asked soon holds 1
claim others_need_not_wait timeout 60 sync
claim_equal the_mount_waits "$(ls /proc/$first/exe)" "/proc/$first/exe"
mounting /run/second
second=$pid
sleep 1
kill -9 $first
claim mount_can_be_killed soon ended $first
claim_equal a_second_one_goes_on_waiting "$(ls /proc/$second/exe)" "/proc/$second/exe"
host device myfs release >&2
claim and_gets_its_answer wait $second
claim it_is_served stat -f /run/second
claim it_unmounts umount /run/second

claim server_does_not_answer_again host device myfs fault op=INIT hold
mounting /mnt
claim server_is_asked_again soon holds 1
kill -9 $pid
claim only_mount_can_be_killed soon ended $pid
host device myfs honest >&2
claim share_mounts_after_that mount_share
claim share_is_served stat -f /mnt
claim share_unmounts umount /mnt

claim server_is_silent host device myfs fault op=INIT hold
claim_refused mount_ends_in_time 'tag <myfs>: the connection has ended before the server' \
	mount -t virtiofs -o timeout=2 myfs /mnt
claim log_says_why log_has 'virtiofs: myfs: opcode 26 is not answered for'
host device myfs honest >&2

claim server_is_silent_once_more host device myfs fault op=INIT hold
abort_once_asked &
aborter=$!
claim_refused aborted_mount_fails 'the connection has ended' mount_share
claim mount_was_aborted wait $aborter
host device myfs honest >&2

host device myfs fault op=INIT error=-1 >&2
claim_refused error_of_the_server_is_that_of_the_mount \
	'tag <myfs>: there is no session with the server \(error -1\)' mount_share
host device myfs fault op=INIT init_major=8 >&2
claim_refused another_version_is_refused \
	'tag <myfs>: the server speaks version 8 of FUSE, and not 7' mount_share
host device myfs honest >&2

polled()
{
	cat /sys/fs/virtiofs/*/mqs/1/polled
}

claim share_mounts_without_polling mount -t virtiofs -o poll_us=0 myfs /mnt
claim file_is_written dd if=/dev/zero of=/mnt/file bs=1M count=1
claim it_mounts_a_second_time mount_share myfs /run/second
before=$(polled)
claim file_is_read dd if=/mnt/file of=/dev/null bs=4k iflag=direct
claim_equal second_mount_changes_no_polling "$(polled)" "$before"
claim both_unmount umount /mnt /run/second

claim share_mounts_at_last mount_share
claim share_is_served_at_last stat -f /mnt
claim share_unmounts_at_last umount /mnt
plan
