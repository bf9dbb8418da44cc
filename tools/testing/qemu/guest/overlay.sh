# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# overlayfs with a share below and another one above it.

. /guest/lib.sh

overlaid()
{
	mount -t overlay -o "lowerdir=/mnt/lower,upperdir=$1/upper,workdir=$1/work" overlay /mnt/merged
}

# changed NAME: all that makes something in the upper layer
changed()
{
	claim "$1: file_is_copied_up" sh -c 'echo more >>/mnt/merged/3'
	claim_equal "$1: copy_has_both" "$(md5sum </mnt/merged/3)" \
		"$({ cat /mnt/lower/3; echo more; } | md5sum)"
	claim "$1: file_is_created" sh -c 'echo new >/mnt/merged/new'
	claim "$1: file_is_renamed" mv /mnt/merged/new /mnt/merged/renamed
	claim "$1: lower_file_is_renamed" mv /mnt/merged/4 /mnt/merged/four
	claim "$1: lower_file_is_removed" rm /mnt/merged/5
	claim "$1: lower_directory_is_removed" rm -r /mnt/merged/dir
	claim "$1: directory_is_made_in_its_place" mkdir /mnt/merged/dir
	claim "$1: mode_is_changed" chmod 600 /mnt/merged/6
}

# seen NAME
seen()
{
	claim_equal "$1: created_file_is_there" "$(cat /mnt/merged/renamed)" new
	claim_equal "$1: renamed_file_is_there" "$(md5sum </mnt/merged/four)" "$(md5sum </mnt/lower/4)"
	claim "$1: old_name_is_gone" test ! -e /mnt/merged/4
	claim "$1: removed_file_is_gone" test ! -e /mnt/merged/5
	claim_equal "$1: new_directory_hides_the_old_one" "$(ls -A /mnt/merged/dir)" ""
	claim_equal "$1: mode_is_as_changed" "$(stat -c %a /mnt/merged/6)" 600
	claim_equal "$1: the_rest_is_that_below" "$(md5sum </mnt/merged/7)" "$(md5sum </mnt/lower/7)"
	claim "$1: nothing_is_changed_below" test -e /mnt/lower/4 -a -e /mnt/lower/5 -a -e /mnt/lower/dir/entry1
}

over()
{
	mkdir -p "$2/upper" "$2/work"
	claim "$1: overlay_mounts" overlaid "$2"
	changed "$1"
	seen "$1"
	claim "$1: overlay_unmounts" umount /mnt/merged
	echo 3 >/proc/sys/vm/drop_caches
	claim "$1: overlay_mounts_again" overlaid "$2"
	seen "$1, again"
	claim "$1: overlay_unmounts_again" umount /mnt/merged
}

claim driver_loads load
mkdir -p /mnt/merged
claim lower_share_mounts mount_share lower /mnt/lower
claim upper_share_mounts mount_share upper /mnt/upper
over "share below" /run
over "share below and above" /mnt/upper
claim upper_share_unmounts umount /mnt/upper
claim lower_share_unmounts umount /mnt/lower
plan
