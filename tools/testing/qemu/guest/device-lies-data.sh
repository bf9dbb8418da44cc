# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Lies in what a reply brings: names, attributes, bytes that are claimed and were
# not written. The kernel's memory is not to be seen in their place.

. /guest/lib.sh
. /guest/lies.sh

TRIES=10

# listing: with a look at each name, as readdir without it may bring no attributes.
listing()
{
	ls -l /mnt/dir >/dev/null && ls /mnt/dir
}

# Pages that held this come back from the same CPU's list of free pages.
leave_a_secret()
{
	readlink /mnt/work/secret >/dev/null
	ls /mnt/secrets >/dev/null
	getfattr --only-values -n user.secret /mnt/work/file >/dev/null
}

# hollow RULE COMMAND...: what it shows when that claims bytes that nobody wrote.
hollow()
{
	hollow_rule=$1
	shift
	host device myfs reset >&2
	for n in $(seq $TRIES); do
		leave_a_secret
		host device myfs fault "$hollow_rule hollow" >&2
		"$@" | tr -d '\0\n'
	done
}

# hollow_shows_nothing NAME RULE COMMAND...
hollow_shows_nothing()
{
	hollow_name=$1
	shift
	claim_equal "hollow_${hollow_name}_shows_nothing" "$(hollow "$@")" ""
	claim_equal "hollow_${hollow_name}_was_told" \
		"$(host device myfs counter lie.hollow)" $TRIES
	claim "hollow_${hollow_name}_and_the_truth_again" truth
}

claim driver_loads load
claim share_mounts mount_share
known

# The names before the wrong one are good, and those from it on are asked for again.
for fault in dir_cut dir_slash dir_empty dir_overrun cut; do
	tolerated "READDIRPLUS_$fault" "op=READDIRPLUS $fault" "$ENTRIES" listing
done
# A name has no NUL, so it ends there, and no such file is found.
unsure READDIRPLUS_dir_nul "op=READDIRPLUS dir_nul" ls -l /mnt/dir
unsure READDIRPLUS_corrupt "op=READDIRPLUS corrupt=7" ls -l /mnt/dir
for op in STATFS LOOKUP; do
	unsure "${op}_corrupt" "op=$op corrupt=7" stat -f /mnt/1
done
# Of an open file, since an inode of a wrong kind is good for nothing any more.
exec 4</mnt/4
unsure GETATTR_corrupt "op=GETATTR corrupt=7" stat -L -c %s /proc/self/fd/4
exec 4</mnt/4
refused GETATTR_hollow "op=GETATTR hollow" stat -L -c %s /proc/self/fd/4
exec 4<&-
unsure LOOKUP_hollow "op=LOOKUP hollow" stat /mnt/3
# The server is to be believed about the content of files.
unsure READ_corrupt "op=READ corrupt=7" dd if=/mnt/1 of=/dev/null iflag=direct
tolerated READ_cut "op=READ cut" "$SUM" sh -c 'dd if=/mnt/1 iflag=direct | md5sum'

secret=$(seq -s secret 300)
mkdir /mnt/work/secrets
ln -s "$secret" /mnt/work/secret
ln -s public /mnt/work/public
echo file >/mnt/work/file
setfattr -n user.secret -v "$secret" /mnt/work/file
setfattr -n user.public -v public /mnt/work/file

hollow_shows_nothing link "op=READLINK" readlink /mnt/work/public
hollow_shows_nothing directory "op=READDIRPLUS" ls /mnt/work
# The first one asks for the size alone.
hollow_shows_nothing attribute "op=GETXATTR nth=2" \
	getfattr --only-values -n user.public /mnt/work/file

claim_equal ioctl_brings_a_page "$(/device/ioctl /mnt/work/file | tr -cd i | wc -c)" 4096
hollow_shows_nothing ioctl "op=IOCTL" /device/ioctl /mnt/work/file

# A root of a wrong kind is good for nothing any more, until it is mounted again.
lie "op=GETATTR hollow"
claim_refused GETATTR_hollow_root 'Input/output error|I/O error' stat /mnt
claim_equal GETATTR_hollow_root_was_told_once "$(host device myfs counter lies)" 1
claim share_unmounts umount /mnt
claim share_mounts_again mount_share
claim GETATTR_hollow_root_and_the_truth_again truth
claim share_unmounts_again umount /mnt
plan
