#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the package, on a Debian with debhelper and dh-dkms: build-deb.sh VERSION DIRECTORY
# Everything happens in a copy, so that this tree stays clean.

set -euo pipefail

TOP=$(cd "$(dirname "$0")/../.." && pwd)
VERSION=$1
OUT=$(cd "$2" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build=$work/virtiofs

mkdir -p "$build"
cd "$TOP"
cp -r ./*.c fuse include Makefile Kconfig README.md Documentation tools/packaging tools/virtiofs[-_]* \
	"$build/"
mkdir "$build/tools"
cp -r tools/btf "$build/tools/"
mv "$build/packaging/debian" "$build/debian"
cat >"$build/debian/changelog" <<EOF
virtiofs ($VERSION) unstable; urgency=medium

  * Made from the driver's source tree.

 -- virtiofs <virtio-fs@lists.linux.dev>  $(date -R)
EOF

cd "$build"
dpkg-buildpackage --build=binary --unsigned-changes --no-check-builddeps
mv "$work/virtiofs-dkms_${VERSION}_all.deb" "$OUT/"
