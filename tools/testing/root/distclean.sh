#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make distclean": takes away all that the test scripts have set up on this
# machine: the cache, and debootstrap with what it needs, if that was installed
# for it.

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
	mapfile -t PACKAGES <"$CACHE/host-packages"
	step host-tools "removing what was installed for the tests: ${PACKAGES[*]}" \
		env DEBIAN_FRONTEND=noninteractive apt-get -qy purge "${PACKAGES[@]}" ||
		warn "it could not be removed: ${PACKAGES[*]}"
fi
rm -rf --one-file-system "$CACHE"
say "removed $CACHE"
