#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes what guests boot from: image.sh KERNEL...
# An initramfs is put together from parts, as cpio archives can be
# concatenated: base.cpio, load.cpio and udev.cpio with programs of the test root, and
# KERNEL.cpio with modules, the selftests and the guests' scripts.
# DRIVER=mainline makes KERNEL-mainline.cpio, without our module, to compare.
# BARE=1 leaves out the selftests, which take the source of a kernel.
# BENCH=1 makes bench.cpio, with the benchmark's programs, and compiler.cpio.

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

IMAGE=$CACHE/image
DRIVER=${DRIVER:-ours}
BARE=${BARE:-}
SELFTESTS=tools/testing/selftests/filesystems/virtiofs

# The shell is dash, as busybox's own prefers its applets to real programs.
BASE_PROGRAMS="dash bash tar kmod mount umount mountpoint findmnt flock setpriv unshare
	setfattr getfattr setfacl getfacl lsattr chattr"
LOAD_PROGRAMS="fio stress-ng"
UDEV_PROGRAMS="udevadm systemd-escape"
BENCH_PROGRAMS="fio git find grep cp rm"
COMPILER_PROGRAMS="gcc as ld make"
COMPILER_FILES="Scrt1.o crti.o crtn.o crtbeginS.o crtendS.o libc.so libc.so.6 libc_nonshared.a
	libgcc.a libgcc_s.so libgcc_s.so.1 liblto_plugin.so include"
KMOD_NAMES="depmod insmod lsmod modinfo modprobe rmmod"

# userland DIR PROGRAM...: copies programs and their libraries, in the test
# root, whose /bin, /sbin, /lib and /lib64 are links into /usr.
userland()
{
	local dir=$1 program

	shift
	for program; do
		program=$(command -v "$program")
		echo "$program"
		ldd "$program" | grep -o '/[^ ]*'
	done | sed 's:^/usr/:/:' | sort -u | while read -r file; do
		install -D "/usr$file" "$dir/usr$file"
	done
}

# busybox_names DIR: for all that is not there as a program of its own.
busybox_names()
{
	local name

	install /usr/bin/busybox "$1/usr/bin/busybox"
	busybox --list | while read -r name; do
		[ -e "$1/usr/bin/$name" ] || [ -e "$1/usr/sbin/$name" ] ||
			ln -s busybox "$1/usr/bin/$name"
	done
}

# pack DIR: to DIR.cpio
pack()
{
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort |
		cpio --quiet -o -H newc -R 0:0) >"$1.cpio.new" &&
		mv "$1.cpio.new" "$1.cpio"
}

make_base()
{
	local dir=/cache/image/base name

	rm -rf $dir
	mkdir -p $dir/{dev,proc,sys,run,root,mnt,etc} $dir/usr/{bin,sbin,lib,lib64}
	install -d -m 1777 $dir/tmp
	for name in bin sbin lib lib64; do
		ln -s usr/$name $dir/$name
	done
	# shellcheck disable=SC2086 # a list of names
	userland "$dir" $BASE_PROGRAMS
	ln -s dash $dir/usr/bin/sh
	for name in $KMOD_NAMES; do
		ln -s ../bin/kmod "$dir/usr/sbin/$name"
	done
	busybox_names "$dir"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh \
		nobody:x:65534:65534:nobody:/:/bin/false >$dir/etc/passwd
	printf '%s\n' root:x:0: nogroup:x:65534: >$dir/etc/group
	mknod -m 600 $dir/dev/console c 5 1
	pack "$dir"
}

make_load()
{
	rm -rf /cache/image/load
	# shellcheck disable=SC2086 # a list of names
	userland /cache/image/load $LOAD_PROGRAMS
	pack /cache/image/load
}

make_udev()
{
	local dir=/cache/image/udev

	rm -rf $dir
	# shellcheck disable=SC2086 # a list of names
	userland $dir $UDEV_PROGRAMS
	mkdir -p $dir/usr/lib/systemd $dir/etc/udev/rules.d
	ln -s /bin/udevadm $dir/usr/lib/systemd/systemd-udevd
	pack $dir
}

make_bench()
{
	local dir=/cache/image/bench

	rm -rf $dir
	# shellcheck disable=SC2086 # a list of names
	userland $dir $BENCH_PROGRAMS
	make -s -C /src/tools/testing/bench OUTPUT=/cache/bench
	install -D -t $dir/bench /cache/bench/{calls,run,neighbour}
	install /cache/bench/mark $dir/bench/begin
	install /cache/bench/mark $dir/bench/end
	install -D -m 644 /src/tools/testing/bench/guest.sh $dir/guest/bench.sh
	pack $dir
}

# What compiles a program in C, and what that is compiled with.
make_compiler()
{
	local dir=/cache/image/compiler name

	rm -rf $dir
	# shellcheck disable=SC2086 # a list of names
	userland $dir $COMPILER_PROGRAMS "$(gcc -print-prog-name=cc1)" \
		"$(gcc -print-prog-name=collect2)"
	for name in $COMPILER_FILES; do
		realpath -s "$(gcc -print-file-name="$name")"
	done | xargs cp -rL --parents -t $dir /usr/include
	pack $dir
}

# make_kernel_part KERNEL NAME DRIVER: to NAME.cpio
make_kernel_part()
{
	local linux=/cache/linux/$1 dir=/cache/image/$2 driver=$3 modules

	rm -rf "$dir"
	modules=$(cd "$linux/install/lib/modules" && echo *)
	mkdir -p "$dir/usr/lib/modules"
	ln -s usr/lib "$dir/lib"
	cp -a "$linux/install/lib/modules/$modules/." "$dir/usr/lib/modules/$modules"
	# Of a kernel for all machines, what there is no device for here
	rm -rf "$dir/usr/lib/modules/$modules"/{build,source,vmlinuz} \
		"$dir/usr/lib/modules/$modules"/kernel/{sound,net/[!9]*} \
		"$dir/usr/lib/modules/$modules"/kernel/drivers/{gpu,infiniband,media,net,scsi,staging,usb}
	if [ "$driver" = ours ]; then
		install -D -m 644 -t "$dir/usr/lib/modules/$modules/updates" \
			"/cache/module/$1"/virtiofs*.ko
		[ ! -d "/cache/module/$1-kunit" ] ||
			install -D -m 644 "/cache/module/$1-kunit"/virtiofs*.ko "$dir/kunit/virtiofs.ko"
	fi
	depmod -b "$dir" "$modules"
	cp -a /src/tools/testing/qemu/guest "$dir/guest"
	ln -s guest/init "$dir/init"
	[ -n "$BARE" ] || cp -a "/cache/selftests/$1/install" "$dir/selftests"
	cp -a /src/tools/packaging/hotplug "$dir/hotplug"
	install -D -t "$dir/device" /cache/device/programs/*
	pack "$dir"
}

# make_selftests KERNEL SERIES: built with that series' selftests library, which
# has its interfaces from that kernel's headers.
make_selftests()
{
	local out=/cache/selftests/$1 tree=/cache/linux/$2 ksft

	# The tree of this kernel is there, and that of the plain one may be. A stock kernel has none.
	if [ ! -d "$tree/usr/include/linux" ] && [ "${1%%-*}" = "$2" ] && [ -e "/cache/linux/$1/Makefile" ]; then
		tree=/cache/linux/$1
	fi
	ksft=$tree/tools/testing/selftests
	[ -d "$tree/usr/include/linux" ] || make -s -C "$tree" headers
	mkdir -p "$out"
	rm -rf "$out/install"
	make -C "/src/$SELFTESTS" KSFT="$ksft" OUTPUT="$out" \
		INSTALL_PATH="$out/install" all install
	make -s -C "/src/$SELFTESTS" KSFT="$ksft" OUTPUT="$out" \
		COLLECTION=virtiofs emit_tests >"$out/install/list"
}

# inside FUNCTION ARGUMENT...: runs one of the functions above in the root.
inside()
{
	in_root bash -euc "set -o pipefail
		$(declare -f userland busybox_names pack make_base make_load make_udev make_bench \
			make_compiler make_kernel_part make_selftests)
		$(declare -p BASE_PROGRAMS LOAD_PROGRAMS UDEV_PROGRAMS BENCH_PROGRAMS KMOD_NAMES \
			COMPILER_PROGRAMS COMPILER_FILES SELFTESTS BARE)
		\"\$@\"" inside "$@"
}

# userland_part NAME: made again when the test root's packages have changed.
userland_part()
{
	local want

	want=$(recipe "$HERE/image.sh" "$STAMPS/packages")
	[ -s "$IMAGE/$1.cpio" ] && is_done "image-$1" "$want" && return
	step "image-$1" "making the guests' programs ($1)" inside "make_$1" ||
		die "the guests' programs could not be put together"
	mark_done "image-$1" "$want"
}

kernel_part()
{
	local kernel=$1 name=$1

	[ -d "$CACHE/linux/$kernel/install" ] ||
		die "there is no kernel $kernel; make it with tools/testing/qemu/kernel.sh $kernel"
	[ "$DRIVER" = ours ] || name=$kernel-$DRIVER
	[ -n "$BARE" ] || step "selftests-$kernel" "building the selftests for Linux $kernel" \
		inside make_selftests "$kernel" "$(selftests_series "${kernel%%-*}")" ||
		die "the selftests did not build"
	step "image-$name" "making the guest image $name" \
		inside make_kernel_part "$kernel" "$name" "$DRIVER" ||
		die "the guest image $name could not be made"
}

need_root "$0"
one_at_a_time
mkdir -p "$IMAGE"
userland_part base
userland_part load
userland_part udev
if [ -n "${BENCH:-}" ]; then
	userland_part compiler
	step image-bench "making the benchmark's programs" inside make_bench ||
		die "the benchmark's programs could not be made"
fi
for kernel; do
	kernel_part "$kernel"
done
