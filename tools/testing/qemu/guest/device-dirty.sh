# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A share with a writeback cache, whose server has no room for a while.
#
# scenario: device=timeout:0,writeback
# expect-log: lost file I/O error report|Buffer I/O error

. /guest/lib.sh

# write_file: returns what close() has returned
write_file()
{
	dd if=/dev/zero of=/mnt/work/file bs=4k count=1 conv=notrunc
}

claim driver_loads load
claim share_mounts mount_share
claim file_is_made touch /mnt/work/file
# Its inode stays
exec 9</mnt/work/file
claim server_is_full host device myfs fault op=WRITE count=all error=-28
claim_refused close_tells_of_it 'No space' write_file
host device myfs honest >&2
claim it_is_written_again write_file
claim_equal data_are_found_although_nobody_has_called_fsync \
	"$(/device/range data 0 /mnt/work/file)" 0
exec 9<&-
claim share_unmounts umount /mnt
plan
