# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The host's daemon stops, and dies: tasks can be killed, the mount can be ended,
# other shares do not notice, and a new daemon serves the same tag.

. /guest/lib.sh

state()
{
	for device in /sys/fs/virtiofs/*; do
		[ "$(cat "$device/tag")" != "$1" ] || cat "$device/state"
	done
}

abort()
{
	for device in /sys/fs/virtiofs/*; do
		[ "$(cat "$device/tag")" != "$1" ] || echo 1 >"$device/abort"
	done
}

has_tag()
{
	grep -qx myfs /sys/fs/virtiofs/*/tag 2>/dev/null
}

no_tag()
{
	! has_tag
}

ended()
{
	for one; do
		[ ! -d "/proc/$one" ] || grep -q '^State:.*zombie' "/proc/$one/status" 2>/dev/null ||
			return 1
	done
}

# tasks: some that wait for the daemon; their output is in /run/said.*
tasks()
{
	pids=
	stat /mnt/missing >/run/said.stat 2>&1 &
	pids="$pids $!"
	ls /mnt/dir >/run/said.ls 2>&1 &
	pids="$pids $!"
	cat /mnt/file >/run/said.cat 2>&1 &
	pids="$pids $!"
	mkdir /mnt/new >/run/said.mkdir 2>&1 &
	pids="$pids $!"
	dd if=/dev/zero of=/mnt/written bs=64k count=4 >/run/said.dd 2>&1 &
	pids="$pids $!"
	sleep 1
}

other_goes_on()
{
	echo "$1" >/run/other/note && [ "$(timeout 60 cat /run/other/note)" = "$1" ] &&
		timeout 60 umount /run/other && timeout 60 mount -t virtiofs other /run/other
}

claim driver_loads load
claim share_mounts mount_share
claim other_share_mounts mount_share other /run/other
mkdir /mnt/dir
dd if=/dev/urandom of=/mnt/file bs=64k count=16 2>/dev/null
sum=$(md5sum </mnt/file)
echo 3 >/proc/sys/vm/drop_caches
claim_equal state_is_running "$(state myfs)" running

claim daemon_stops host stop-daemon myfs
tasks
claim other_share_goes_on other_goes_on stopped
# shellcheck disable=SC2086
kill -9 $pids
# shellcheck disable=SC2086
claim waiting_tasks_are_killed soon ended $pids
wait
claim daemon_goes_on host cont-daemon myfs
claim_equal share_goes_on "$(timeout 60 md5sum </mnt/file)" "$sum"
rmdir /mnt/new 2>/dev/null

claim daemon_dies host kill-daemon myfs
tasks
claim other_share_goes_on_again other_goes_on dead
claim connection_is_aborted abort myfs
# shellcheck disable=SC2086
claim waiting_tasks_end soon ended $pids
wait
for task in stat ls mkdir dd; do
	claim "$task says why" grep -Eq 'connection abort|not connected' /run/said.$task
done
claim_refused next_call_is_refused 'not connected' timeout 60 stat /mnt/missing
claim_equal state_is_aborted "$(state myfs)" aborted
claim_equal state_of_the_other_is_running "$(state other)" running
claim dead_mount_unmounts timeout 60 umount /mnt

claim dead_device_is_unplugged host unplug myfs
claim its_tag_disappears soon no_tag
claim device_is_plugged_in host plug myfs
claim its_tag_appears soon has_tag
claim share_mounts_again mount_share
claim_equal file_is_as_it_was "$(md5sum </mnt/file)" "$sum"

claim daemon_dies_again host kill-daemon myfs
tasks
# It may be busy as long as they are there.
timeout 60 umount -f /mnt
# shellcheck disable=SC2086
claim umount_f_ends_waiting_tasks soon ended $pids
wait
claim dead_mount_unmounts_again sh -c '! grep -q " /mnt " /proc/mounts || timeout 60 umount /mnt'
claim device_is_unplugged host unplug myfs
claim tag_disappears soon no_tag
claim device_is_plugged_in_again host plug myfs
claim tag_appears soon has_tag
claim share_mounts_a_third_time mount_share

claim daemon_dies_a_third_time host kill-daemon myfs
tasks
claim device_in_use_is_unplugged host unplug myfs
claim tag_disappears_in_use soon no_tag
# shellcheck disable=SC2086
claim waiting_tasks_end_with_the_device soon ended $pids
wait
claim mount_without_device_unmounts timeout 60 umount /mnt
claim other_share_has_seen_nothing_of_it other_goes_on unplugged
claim other_share_unmounts umount /run/other
claim driver_unloads rmmod $module
plan
