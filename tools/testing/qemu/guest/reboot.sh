# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The guest reboots with its share mounted and in use; the next boot finds the device as a
# first one does. The host counts the boots.

. /guest/lib.sh

# reboot HOW: the script is not over, but this part of it has said all.
reboot_by()
{
	plan
	echo "# exit 0 reboot"
	sleep 1
	case $1 in
	call)
		busybox reboot -n -f ;;
	reset)
		host qmp system_reset >&2 ;;
	esac
	sleep 1000
}

# busy: files are open, dirty, locked, and being written.
busy()
{
	exec 5>/mnt/open
	echo dirty >&5
	flock -n /mnt/lock true
	dd if=/dev/urandom of=/mnt/busy bs=64k count=100000 2>/dev/null &
	tail -f /mnt/open >/dev/null &
	sleep 1
}

# What the boot before was answered may still be there.
timeout 2 cat </dev/virtio-ports/org.virtiofs.control >/dev/null
host sh 'echo >>boots' >&2
boot=$(host sh 'wc -l <boots')
claim "boot $boot: driver_loads" load
claim "boot $boot: share_mounts" timeout 60 mount -t virtiofs myfs /mnt
echo "$boot" >"/mnt/of.$boot"
claim "boot $boot: file_is_synced" sync "/mnt/of.$boot"
for n in $(seq "$boot"); do
	claim_equal "boot $boot: file_of_boot_$n is there" "$(cat "/mnt/of.$n")" "$n"
done
case $boot in
1)
	busy
	reboot_by call ;;
2)
	busy
	reboot_by reset ;;
esac
claim share_unmounts umount /mnt
plan
