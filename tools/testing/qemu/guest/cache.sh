# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The host has a file open for each inode in the guest's cache, and no more of
# them than the mount allows.
# From the kernel's command line: files, how many there are, and limit, how
# many inodes the mount may keep.

. /guest/lib.sh

# More than the limit: the daemon's own, and what it is just being told to close.
SLACK=1500

open_on_host()
{
	host open-files myfs
}

few_are_open()
{
	[ "$(open_on_host)" -le "$1" ]
}

# walk: looks up all files; prints the most that were open on the host meanwhile.
walk()
{
	most=0
	find /mnt -type f -size -9 >/run/found &
	until ended $!; do
		now=$(open_on_host)
		[ "$now" -le "$most" ] || most=$now
		sleep 0.2
	done
	wait $!
	echo "$most"
}

# lookup_some: half as many files again as the limit; the host has them all open.
lookup_some()
{
	find /mnt -type f -size -9 2>/dev/null | head -n $((limit * 3 / 2)) >/dev/null
	[ "$(open_on_host)" -gt $((limit * 3 / 2)) ]
}

claim driver_loads load
mkdir -p /mnt
claim share_mounts mount -t virtiofs -o "max_inodes=$limit" myfs /mnt
DEV=$(echo /sys/fs/virtiofs/*)
claim_equal limit_is_shown "$(cat "$DEV/max_inodes")" "$limit"
claim limit_is_an_option_of_the_mount grep -q "max_inodes=$limit" /proc/mounts

most=$(walk)
echo "# $files files, limit $limit: $most open on the host at most," \
	"$(open_on_host) in the end, $(cat "$DEV/inodes") inodes"
claim_equal all_files_are_found "$(wc -l </run/found)" "$files"
claim host_has_few_files_open test "$most" -le $((limit + SLACK))
claim guest_has_few_inodes test "$(cat "$DEV/inodes")" -le "$limit"
claim cache_is_used test "$(cat "$DEV/inodes")" -gt $((limit / 2))

exec 7</mnt/d1/f1
echo 1 >"$DEV/prune"
claim cache_is_pruned test "$(cat "$DEV/inodes")" -le 3
claim host_closes_what_is_pruned soon few_are_open 100
claim_equal open_file_is_still_there "$(cat <&7)" "$(cat /mnt/d1/f1)"
exec 7<&-

claim limit_is_lifted sh -c "echo 0 >$DEV/max_inodes"
claim more_is_kept_then lookup_some
claim limit_is_set_again sh -c "echo $limit >$DEV/max_inodes"
claim limit_holds_at_once test "$(cat "$DEV/inodes")" -le "$limit"
claim host_closes_the_others soon few_are_open $((limit + SLACK))

claim share_unmounts umount /mnt
claim_refused nothing_is_mounted "No such device" cat "$DEV/inodes"
plan
