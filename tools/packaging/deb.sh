#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make deb": makes the package virtiofs-dkms in the test root, so that the machine itself
# needs no tools for it, and puts it into out/.
#   VERSION=1.2   its version, else one that grows with the time of the last commit

. "$(dirname "$0")/../testing/root/lib.sh"

need_root "make deb"
need_debian
VERSION=${VERSION:-$(git -C "$TOP" log -1 --format=%cd --date=format:0.%Y%m%d.%H%M%S 2>/dev/null)} ||
	die "this tree is no git repository: give VERSION="

one_at_a_time
[ -e "$STAMPS/packages" ] || need_space 2000
NEED_MIB=0 "$TOP/tools/testing/root/root.sh"
mkdir -p "$TOP/out"
step deb "making virtiofs-dkms $VERSION" \
	in_root /src/tools/packaging/build-deb.sh "$VERSION" /src/out ||
	die "the package could not be made"
say "install it with: apt install ./out/virtiofs-dkms_${VERSION}_all.deb"
