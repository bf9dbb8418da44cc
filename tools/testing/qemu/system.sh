#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes Debian systems as people have them: system.sh SUITE...
# With systemd, initramfs-tools, GRUB, DKMS and the cloud kernel with its headers, the older one
# if the archive has two. The packages of the newest one wait in apt's cache, as does dracut.

. "$(dirname "$0")/../root/lib.sh"

PACKAGES=systemd-sysv,udev,kmod,initramfs-tools,grub2-common,grub-pc-bin,dkms,python3,lz4,zstd,xz-utils

in_system()
{
	ROOT=$CACHE/system/$1.new in_root env DEBIAN_FRONTEND=noninteractive "${@:2}"
}

# releases SUITE: of its cloud kernels, the oldest first
releases()
{
	in_system "$1" apt-cache pkgnames linux-headers- |
		sed -n 's/^linux-headers-\([0-9].*-cloud-amd64\)$/\1/p' | sort -V
}

# make SUITE MIRROR
make()
{
	local suite=$1 tree=$CACHE/system/$1.new all

	mkdir -p "$CACHE/system"
	rm -rf --one-file-system "${tree%.new}" "$tree"
	debootstrap --variant=minbase --include="$PACKAGES" "$suite" "$tree" "$2"
	printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' >"$tree/etc/apt/apt.conf.d/90testing"
	in_system "$suite" apt-get -q update
	mapfile -t all < <(releases "$suite")
	in_system "$suite" apt-get -qy install linux-{image,headers}-"${all[0]}"
	in_system "$suite" apt-get -qy --download-only install linux-{image,headers}-cloud-amd64
	in_system "$suite" apt-get -qy --download-only install dracut
	rmdir "$tree/cache" "$tree/src" "$tree/share" 2>/dev/null || true
	mv "$tree" "${tree%.new}"
}

need_root "$0"
one_at_a_time
for suite; do
	mirror=$(sed -n 's/^deb \([^ ]*\) .*/\1/p;T;q' "$ROOT/etc/apt/sources.list")
	want=$(recipe <(declare -f make releases; echo "$PACKAGES $suite $mirror"))
	is_done "system-$suite" "$want" && continue
	step "system-$suite" "making a Debian $suite system" make "$suite" "$mirror" ||
		die "a Debian $suite system could not be made; is the mirror $mirror in reach?"
	mark_done "system-$suite" "$want"
done
