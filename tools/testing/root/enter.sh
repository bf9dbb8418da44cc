#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The inner half of in_root: called in a mount namespace of its own, mounts
# what a command in the test root needs, and becomes that command.

set -eu

mkdir -p "$ROOT/cache" "$ROOT/src" "$ROOT/share"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --bind "$CACHE" "$ROOT/cache"
mount --bind "$TOP" "$ROOT/src"
if [ -n "$SHARE" ]; then
	mount --rbind "$SHARE" "$ROOT/share"
fi
exec chroot "$ROOT" /usr/bin/env -i HOME=/root TERM="${TERM:-dumb}" LC_ALL=C.UTF-8 \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	${KEEP_ENV:+$KEEP_ENV} "$@"
