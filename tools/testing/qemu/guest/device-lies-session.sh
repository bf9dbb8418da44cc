# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Lies in the replies that begin and end a session.

. /guest/lib.sh
. /guest/lies.sh

# What a server that is misled about the client's abilities would take over.
URING=/sys/module/fuse/parameters/enable_uring

# served: files, names and a copy that the host finds the same.
served()
{
	[ "$(timeout 60 md5sum </mnt/1)" = "$SUM" ] &&
		[ "$(timeout 60 ls /mnt/dir)" = "$ENTRIES" ] &&
		timeout 60 cp /mnt/3 /mnt/work/copy && host sh 'cmp 3 work/copy'
}

# with NAME FAULT: INIT is lied about.
with()
{
	session_name=$1
	host device myfs reset >&2
	host device myfs fault "op=INIT $2" >&2
}

# over: a new session is served.
over()
{
	claim_equal "${session_name}_was_told" "$(host device myfs counter lies)" 1
	claim "${session_name}_mounts_again" mount_share
	claim "${session_name}_and_the_truth_again" served
	umount /mnt
}

# refusing NAME FAULT PATTERN: the mount fails, and says so in such words.
refusing()
{
	with "$1" "$2"
	claim_refused "${session_name}_fails_the_mount" "$3" mount_share
	over
}

serving()
{
	with "$@"
	claim "${session_name}_mounts" mount_share
	claim "${session_name}_serves" served
	claim "${session_name}_unmounts" timeout 60 umount /mnt
	over
}

claim driver_loads load
claim share_mounts mount_share
known
claim share_unmounts umount /mnt
[ ! -e $URING ] || echo Y >$URING

refusing init_of_another unique 'no session with the server \(error -5\)'
refusing init_without_length len=0 'no session with the server \(error -5\)'
refusing init_silent silent 'no session with the server \(error -5\)'
refusing init_error error=-12 'no session with the server \(error -12\)'
refusing init_positive_error error=5 'no session with the server \(error -5\)'
refusing init_major_of_the_past init_major=6 'the server speaks version 6 of FUSE'
refusing init_major_of_the_future init_major=8 'the server speaks version 8 of FUSE'
serving init_minor_of_the_future init_minor=1000
serving init_short cut=24
serving init_without_flags init_flags=0
serving init_with_what_the_driver_refuses init_flags2=$((1 << 5 | 1 << 9 | 1 << 11))
serving init_max_write_of_nothing init_max_write=0
serving init_max_write_without_end init_max_write=4294967295
serving init_max_pages_of_nothing init_max_pages=0
serving init_max_pages_of_one init_max_pages=1
serving init_max_pages_without_end init_max_pages=65535

with init_max_write_of_64k init_max_write=65536
claim init_max_write_of_64k_mounts mount_share
claim_equal max_write_is_told "$(cat /sys/fs/virtiofs/*/max_write)" 65536
claim max_read_is_another test "$(cat /sys/fs/virtiofs/*/max_read)" -gt 65536
claim init_max_write_of_64k_unmounts timeout 60 umount /mnt
over

# DESTROY has no reply that anybody could believe or not.
for fault in unique len=0 len=+8 error=5 silent twice bogus; do
	session_name=destroy_$fault
	session_lies=1
	mount_share
	host device myfs reset >&2
	host device myfs fault "op=DESTROY $fault" >&2
	claim "${session_name}_unmounts" timeout 60 umount /mnt
	claim_equal "${session_name}_was_told" "$(host device myfs counter lies)" 1
	claim "${session_name}_mounts_again" mount_share
	claim "${session_name}_and_the_truth_again" served
	umount /mnt
done
plan
