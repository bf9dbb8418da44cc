#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# with-packages.sh DIRECTORY COMMAND...: in the test root, a command that finds what was unpacked
# from packages where they have it, in /usr and /boot. Called in a mount namespace of its own.

set -eu

mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
[ ! -d "$1/boot" ] || mount --bind "$1/boot" /boot
shift
exec "$@"
