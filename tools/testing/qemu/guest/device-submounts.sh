# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The share has a file system mounted in its directory sub on the host. That ends in
# the guest while the device still reads a file of it ahead.

. /guest/lib.sh

# read_ahead: a file of the submount is closed before what was read ahead is there.
read_ahead()
{
	asked=$(host device myfs counter op.READ)
	host device myfs fault "op=READ count=all hold" >&2
	cat /mnt/sub/file >/dev/null &
	pid=$!
	claim "$1: device_has_the_request" host device myfs wait op.READ $((asked + 1))
	kill -9 $pid
	claim "$1: reader_is_killed" soon ended $pid
	wait $pid
	umount /mnt/sub &
	pid=$!
	claim "$1: submount_is_gone" soon is_gone /mnt/sub
	sleep 1
	claim "$1: its_end_waits_for_the_device" waits $pid
}

waits()
{
	! ended "$1"
}

# A look at the directory itself would keep it busy.
is_gone()
{
	! grep -q " $1 " /proc/mounts
}

# The mount of the share stays, and so do its requests.
go_on()
{
	claim "$1: share_goes_on" timeout 60 stat -f /mnt
	host device myfs release >&2
	host device myfs honest >&2
}

claim driver_loads load
claim share_mounts mount_share

# The directory's inode, not the submount's root: nothing has entered that yet.
claim attribute_of_the_mount_point_is_set setfattr -n user.note -v remember /mnt/sub
claim_equal mount_point_has_the_attribute \
	"$(getfattr --only-values -n user.note /mnt/sub)" remember
claim mount_point_is_not_entered_yet is_gone /mnt/sub

claim_equal submount_shows_its_files "$(md5sum </mnt/sub/file)" "$(host sh 'md5sum <sub/file')"
claim submount_unmounts umount /mnt/sub

read_ahead answer
go_on answer
claim "answer: submount_ends" soon ended $pid
wait $pid
claim_equal submount_is_found_again "$(md5sum </mnt/sub/file)" "$(host sh 'md5sum <sub/file')"
claim submount_unmounts_again umount /mnt/sub
claim guest_gives_back_all_it_had soon all_given_back

read_ahead abort
claim "abort: umount_-f" umount -f /mnt
claim "abort: submount_ends" soon ended $pid
host device myfs release >&2
host device myfs honest >&2
plan
