# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The host takes the device away and brings it again.

. /guest/lib.sh

has_tag()
{
	grep -qx myfs /sys/fs/virtiofs/*/tag 2>/dev/null
}

no_tag()
{
	! has_tag
}

claim driver_loads load
claim share_mounts mount_share
claim file_is_written sh -c 'echo before >/mnt/file'
claim share_unmounts umount /mnt
claim host_unplugs_the_device host unplug myfs
claim unplugged_tag_disappears soon no_tag
claim_refused unplugged_tag_does_not_mount 'mount' mount_share
claim host_plugs_it_in_again host plug myfs
claim plugged_tag_appears soon has_tag
claim share_mounts_again mount_share
claim_equal file_is_found_again "$(cat /mnt/file)" before
claim host_unplugs_the_device_in_use host unplug myfs
claim unplugged_tag_disappears_in_use soon no_tag
claim_refused unplugged_share_refuses_a_lookup 'not connected' stat /mnt/other
claim dead_mount_unmounts umount /mnt
claim host_plugs_it_in_a_third_time host plug myfs
claim plugged_tag_appears_again soon has_tag
claim share_mounts_a_third_time mount_share
claim_equal file_survives_it_all "$(cat /mnt/file)" before
claim share_unmounts_at_last umount /mnt
plan
