#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the driver as a module for test kernels: module.sh KERNEL...
# The sources are copied to the cache, for each kernel its own copy, so that
# this tree stays clean; kbuild then builds what has changed.

. "$(dirname "$0")/../root/lib.sh"

# copy_sources DIRECTORY: below the cache's module directory. The module may have had
# another name.
copy_sources()
{
	mkdir -p "$CACHE/module/$1"
	rm -f "$CACHE/module/$1"/*.ko
	in_root rsync -rlp --checksum --delete --exclude='*.mod.c' --exclude='*.o' --exclude='.*' \
		--include='/*.c' --include='/include/***' --include='/fuse/***' \
		--include=/Makefile --include=/Kconfig \
		--include='/tools/' --include='/tools/btf/***' --include='/tools/testing/' \
		--include='/tools/testing/kunit/***' --exclude='*' \
		/src/ "/cache/module/$1/"
}

build()
{
	copy_sources "$1" &&
		in_root make -C "/cache/linux/$1" M="/cache/module/$1" modules
}

# As a user does it who has the kernel's packages, but not its source.
build_stock()
{
	local release

	release=$(ls "$CACHE/linux/$1/install/lib/modules")
	copy_sources "$1" &&
		in_root /src/tools/testing/root/with-packages.sh "/cache/linux/$1/root" \
			make -C "/cache/module/$1" modules VERSION=1.0 \
				KDIR="/usr/src/linux-headers-$release"
}

# The same driver with its KUnit suites in it, as a module of its own.
build_kunit()
{
	copy_sources "$1-kunit" &&
		in_root make -C "/cache/linux/$1" M="/cache/module/$1-kunit" \
			CONFIG_VIRTIO_FS_KUNIT_TEST=y modules
}

need_root "$0"
one_at_a_time
for name; do
	[ -d "$CACHE/linux/$name" ] ||
		die "there is no kernel $name; make it with tools/testing/qemu/kernel.sh $name"
	build=build
	[ "${name%-stock}" = "$name" ] || build=build_stock
	step "module-$name" "building the driver for Linux $name" "$build" "$name" ||
		die "the driver did not build for Linux $name"
	# KUnit is a configuration of a kernel for tests.
	[ "$build" = build ] || continue
	step "module-$name-kunit" "building the KUnit suites for Linux $name" \
		build_kunit "$name" || die "the KUnit suites did not build for Linux $name"
	compgen -G "$CACHE/module/$name/virtiofs*.ko" >/dev/null ||
		die "building the driver for Linux $name made no virtiofs.ko; the log is $LOGS/module-$name.log"
done
