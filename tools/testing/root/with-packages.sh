#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# with-packages.sh DIRECTORY COMMAND...: in the test root, a command that finds what was unpacked
# from packages where they have it, in /usr. Called in a mount namespace of its own.

set -eu

mount -t overlay overlay -o "lowerdir=$1:/usr" /usr
shift
exec "$@"
