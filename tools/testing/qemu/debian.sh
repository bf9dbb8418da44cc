#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the Debian tree that a guest boots from as its root: a minimal system
# as debootstrap leaves it, from the mirror that the test root came from.

. "$(dirname "$0")/../root/lib.sh"

SUITE=trixie
DEBIAN=$CACHE/debian

need_root "$0"
one_at_a_time
MIRROR=$(sed -n 's/^deb \([^ ]*\) .*/\1/p;T;q' "$ROOT/etc/apt/sources.list")
want=$(recipe <(echo "$SUITE $MIRROR"))
is_done debian "$want" && exit
rm -rf --one-file-system "$DEBIAN" "$DEBIAN.new"
step debian "making a Debian $SUITE tree to boot from" \
	debootstrap --variant=minbase "$SUITE" "$DEBIAN.new" "$MIRROR" ||
	die "debootstrap failed; is the mirror $MIRROR in reach?"
mv "$DEBIAN.new" "$DEBIAN"
mark_done debian "$want"
