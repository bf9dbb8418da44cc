# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The module and its mounts come and go.

. /guest/lib.sh

CYCLES=10

cycle()
{
	modprobe $module &&
		mount_share &&
		echo "$1" >/mnt/cycle &&
		[ "$(cat /mnt/cycle)" = "$1" ] &&
		umount /mnt &&
		rmmod $module
}

cycles()
{
	n=0
	while [ $n -lt $CYCLES ]; do
		n=$((n + 1))
		cycle $n || return 1
	done
}

gone()
{
	! grep -qw virtiofs /proc/filesystems && [ ! -e /sys/fs/virtiofs ]
}

# Uevents carry the tag, so that rules can start a mount.
uevent sh -c 'echo "$ACTION $SUBSYSTEM $TAG"' >/run/uevents &
listener=$!
sleep 1
claim_equal modprobe_takes_the_updates_directory \
	"$(modinfo -n $module)" "/lib/modules/$(uname -r)/updates/$module.ko"
claim driver_loads modprobe $module
claim log_names_the_tag log_has 'virtiofs virtio[0-9]+: discovered new tag: myfs'
claim_equal sysfs_has_the_tag "$(cat /sys/fs/virtiofs/*/tag)" myfs
claim driver_unloads rmmod $module
claim unloading_leaves_nothing_behind gone
sleep 1
kill $listener
claim uevent_announces_the_tag grep -qx 'add virtiofs myfs' /run/uevents
claim uevent_takes_the_tag_back grep -qx 'remove virtiofs myfs' /run/uevents

claim "driver_and_mount_come_and_go_${CYCLES}_times" cycles

claim driver_loads_again modprobe $module
claim share_mounts mount_share
claim_refused rmmod_is_refused_while_mounted 'in use' rmmod $module
claim_equal share_works_after_refused_rmmod "$(cat /mnt/cycle)" $CYCLES
claim same_tag_mounts_twice mount_share myfs /run/again
claim_equal both_mounts_are_one_file_system \
	"$(stat -c %d /run/again)" "$(stat -c %d /mnt)"
claim_refused busy_mount_is_not_unmounted 'busy' sh -c 'cd /mnt && umount /mnt'
claim first_mount_unmounts umount /mnt
claim_refused rmmod_is_refused_by_the_second_mount 'in use' rmmod $module
claim_equal second_mount_goes_on "$(cat /run/again/cycle)" $CYCLES
claim second_mount_unmounts umount /run/again
claim driver_unloads_at_last rmmod $module
plan
