#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What DKMS runs in a copy of the driver's sources: dkms-build.sh KERNEL-DIRECTORY VERSION
# Calls "make modules", if the kernel's BTF is at hand. Else it finds the kernel's source, of
# which only the FUSE client's headers and the version are needed.

set -euo pipefail

CONFIG=/etc/default/virtiofs-dkms
SOURCES=/usr/src

kdir=$1
export VERSION=$2

# unpack TARBALL: what is needed of it, as a tree of that name that tells its version.
unpack()
{
	local found=$PWD/${1##*/}

	mkdir -p "$found"
	XZ_OPT=-T0 tar -C "$found" --strip-components=1 --wildcards --no-wildcards-match-slash \
		-xf "$1" '*/Makefile' '*/fs/fuse/*.h'
	# The tree's own Makefile includes files that are left behind.
	awk '$2 == "=" && NF == 3 { part[$1] = $3 }
		END {
			print "kernelversion:; @echo " part["VERSION"] "." part["PATCHLEVEL"] \
				"." part["SUBLEVEL"] part["EXTRAVERSION"]
		}' "$found/Makefile" >"$found/Makefile.new"
	mv "$found/Makefile.new" "$found/Makefile"
	echo "$found"
}

# find_source SERIES: prints the directory with the kernel's source.
find_source()
{
	local name=$SOURCES/linux-source-$1 dir tarball

	[ -z "$KSRC" ] || { echo "$KSRC"; return; }
	for dir in "$kdir" "$kdir/source" "$name"; do
		[ ! -r "$dir/fs/fuse/fuse_i.h" ] || { echo "$dir"; return; }
	done
	for tarball in "$name".tar.*; do
		[ ! -r "$tarball" ] || { unpack "$tarball"; return; }
	done
	echo "$name"
}

# Whose kernel cannot take the module shall not be sent for its source.
make -s kernel-takes-module KDIR="$kdir"

KSRC=
# shellcheck disable=SC1090 # made by an administrator
[ ! -r "$CONFIG" ] || . "$CONFIG"
[ -n "$KSRC" ] || ! make -s kernel-fits KDIR="$kdir" ||
	exec make -j"$(nproc)" modules KDIR="$kdir"
version=$(make -s --no-print-directory -C "$kdir" kernelversion)
series=$(cut -d . -f 1,2 <<<"${version%%-*}")
source=$(find_source "$series")
make -s kernel-fits KDIR="$kdir" KSRC="$source" || {
	echo "error: install the package linux-source-$series in its version $version," \
		"or name a directory with that source in $CONFIG (KSRC=)" >&2
	exit 1
}
exec make -j"$(nproc)" modules KDIR="$kdir" KSRC="$source"
