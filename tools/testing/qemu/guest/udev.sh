# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# udev with the rule of the package, devices that come and go, and then the
# same as if systemd was running, by a systemctl that only notes what it is told.

. /guest/lib.sh

# mounted NAME / unmounted NAME: below the directory of the rule
mounted()
{
	mountpoint -q "/run/virtiofs/$1"
}

unmounted()
{
	! mounted "$1"
}

told()
{
	grep -qxF -e "$1" /run/told 2>/dev/null
}

install -D /hotplug/mount-tag.sh /usr/lib/virtiofs/mount-tag.sh
cp /hotplug/*.rules /etc/udev/rules.d/
claim udev_takes_the_rule udevadm verify --no-style /etc/udev/rules.d/90-virtiofs-mount.rules
claim udev_starts /usr/lib/systemd/systemd-udevd --daemon
claim driver_loads load
claim tag_is_mounted soon mounted myfs
claim_equal right_tag_is_mounted "$(cat /run/virtiofs/myfs/file)" plain
odd=$(cat /sys/fs/virtiofs/*/tag | grep -vx myfs)
escaped=$(systemd-escape -- "$odd")
claim odd_tag_is_mounted soon mounted "$escaped"
claim_equal odd_tag_is_the_right_one "$(cat "/run/virtiofs/$escaped/file")" odd
claim host_unplugs_a_device host unplug myfs
claim unplugged_tag_is_unmounted soon unmounted myfs
claim other_tag_stays mounted "$escaped"
claim host_plugs_it_in_again host plug myfs
claim plugged_tag_is_mounted soon mounted myfs
claim_equal plugged_tag_is_the_right_one "$(cat /run/virtiofs/myfs/file)" plain

mkdir -p /run/systemd/system
printf '#!/bin/sh\necho "$*" >>/run/told\n' >/usr/bin/systemctl
chmod +x /usr/bin/systemctl
claim host_unplugs_the_odd_one host unplug "$odd"
claim systemd_stops_the_unit soon told "--no-block stop virtiofs-mount@$escaped.service"
claim host_plugs_the_odd_one_in_again host plug "$odd"
claim systemd_starts_the_unit soon told "--no-block start virtiofs-mount@$escaped.service"
umount /run/virtiofs/myfs "/run/virtiofs/$escaped"
udevadm control --exit
plan
