# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The share has a file system mounted in its directory sub on the host, and
# another one in sub/deeper.

. /guest/lib.sh

dev()
{
	stat -c %d "$1"
}

differ()
{
	[ "$(dev "$1")" != "$(dev "$2")" ]
}

claim driver_loads load
claim share_mounts mount_share
DEV=$(echo /sys/fs/virtiofs/*)
claim_equal submount_shows_its_files "$(cat /mnt/sub/file)" sub
claim_equal submount_in_a_submount_shows_its_files "$(cat /mnt/sub/deeper/file)" deeper
claim submount_has_a_device_number_of_its_own differ /mnt /mnt/sub
claim deeper_submount_has_a_device_number_of_its_own differ /mnt/sub /mnt/sub/deeper
claim_equal plain_directory_has_the_device_number_of_the_share "$(dev /mnt/plain)" "$(dev /mnt)"
claim_equal submounts_are_mounts "$(findmnt -rn -t virtiofs -o TARGET | xargs)" \
	"/mnt /mnt/sub /mnt/sub/deeper"
claim_equal statfs_is_of_the_submount "$(stat -f -c '%b %S' /mnt/sub)" "1024 4096"
claim_refused hard_link_does_not_cross 'cross-device|Cross-device|Invalid cross' \
	ln /mnt/plain/file /mnt/sub/link
claim move_across_copies mv /mnt/plain/file /mnt/sub/moved
claim file_is_written_to_the_submount sh -c 'echo guest >/mnt/sub/written'
claim cache_is_pruned sh -c "echo 1 >$DEV/prune"
# Three roots, and the two directories below the submounts.
claim_equal only_roots_and_mountpoints_are_left "$(cat "$DEV/inodes")" 5
claim umount_takes_the_submounts_along umount /mnt
claim_equal no_mount_is_left "$(grep -c virtiofs /proc/mounts)" 0
claim share_mounts_again mount_share
claim_equal submount_is_found_again "$(cat /mnt/sub/written)" guest
claim submount_unmounts_alone sh -c 'umount /mnt/sub && umount /mnt'
plan
