#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make distclean": takes away all that the test scripts have set up on this
# machine: the cache, and debootstrap if it was installed for it.

. "$(dirname "$0")/lib.sh"

[ -d "$CACHE" ] || exit 0
need_root "make distclean"
# A directory that was named by mistake is not taken away.
[ -d "$STAMPS" ] && [ -d "$LOGS" ] || die "$CACHE was not made by these scripts"
one_at_a_time
if grep -qs " $CACHE/" /proc/self/mounts; then
	die "there are mounts below $CACHE; umount them first"
fi
if [ -e "$CACHE/host-packages" ]; then
	step host-tools "removing debootstrap, which was installed for the tests" \
		env DEBIAN_FRONTEND=noninteractive apt-get -qy purge debootstrap ||
		warn "debootstrap could not be removed"
fi
rm -rf --one-file-system "$CACHE"
say "removed $CACHE"
