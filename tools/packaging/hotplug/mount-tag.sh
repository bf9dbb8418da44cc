#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What udev runs when a virtiofs device has come or gone: $ACTION and $TAG say which.
# Mounts are left to systemd where it runs, since what udev itself mounts is not seen
# outside of its service.

set -eu

name=$(systemd-escape -- "$TAG")
where=/run/virtiofs/$name

case "$ACTION" in
add)
	if [ -d /run/systemd/system ]; then
		exec systemctl --no-block start "virtiofs-mount@$name.service"
	fi
	mkdir -p "$where"
	exec mount -t virtiofs -o nosuid,nodev -- "$TAG" "$where"
	;;
remove)
	if [ -d /run/systemd/system ]; then
		exec systemctl --no-block stop "virtiofs-mount@$name.service"
	fi
	exec umount -l -- "$where"
	;;
esac
