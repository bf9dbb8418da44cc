# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the commands for a person have in common: their arguments looked at
# before anything is begun, and all that guests need made ready.

HERE=$TOP/tools/testing/qemu

# MiB of disk that the parts take, to say what is missing before it fails.
ROOT_MIB=1500
TREE_MIB=2500

# need_kernel NAME: one of those in the file "kernels", and nothing beside it.
need_kernel()
{
	local known

	known=$(grep -v '^#' "$HERE/kernels" | cut -f 1)
	grep -qxF -e "$1" <<<"$known" ||
		die "unknown KERNEL=$1 (known: $(xargs <<<"$known"))"
}

# selftests_series SERIES: the one with whose library its selftests are built. Those before
# Linux 6.10 do not clean up in the parent; then it is the newest one's.
selftests_series()
{
	if grep -qs FIXTURE_TEARDOWN_PARENT \
			"$CACHE/linux/$1/tools/testing/selftests/kselftest_harness.h"; then
		echo "$1"
	else
		grep -v '^#' "$HERE/kernels" | cut -f 1 | head -n 1
	fi
}

# kernel_or_stock NAME: the kernel that is meant. "stock" is Debian's own, with which no kernel
# is built, nor is the source of one needed.
kernel_or_stock()
{
	if [ "$1" = stock ]; then
		echo "$(sed -n 's/\ttrixie$//p' "$HERE/kernels")-stock"
	else
		need_kernel "$1"
		echo "$1"
	fi
}

# need_variant VARIANT: what kernel.config can be added to, or "stock"
need_variant()
{
	case $1 in
	stock) ;;
	kernel|32bit|[0-9]*|*/*) false ;;
	*) [ -f "$HERE/$1.config" ] ;;
	esac || die "unknown VARIANT=$1 (known: $(find "$HERE" -name '*.config' -printf '%f\n' |
		sed -n '/^kernel\|^32bit\|^[0-9]/!s/\.config$//p' | sort | xargs) stock)"
}

# need_directory DIR
need_directory()
{
	[ -d "$1" ] || die "SHARE=$1 is not a directory"
}

# space_needed KERNEL...: for what is not there yet.
space_needed()
{
	local need=500 name stamp

	[ -e "$STAMPS/packages" ] || need=$((need + ROOT_MIB))
	for name; do
		stamp=kernel-$name
		# Its build is kunit.py's, and goes elsewhere.
		[ "$name" = "${name%-uml}" ] || stamp=source-$name
		[ -e "$STAMPS/$stamp" ] || need=$((need + TREE_MIB))
	done
	echo $need
}

# prepare_kernels KERNEL...: makes what is missing of the test root and of
# these kernels; to be called in a subshell, with which the lock on the cache
# ends. What fails has said why; callers use it where errors end no shell.
prepare_kernels()
{
	need_debian
	need_space "$(space_needed "$@")"
	export NEED_MIB=0
	one_at_a_time
	"$TOP/tools/testing/root/root.sh" || exit
	"$HERE/kernel.sh" "$@" || exit
}

# For debug kernels the device is built to find its own faults, too.
build_device()
{
	in_root make -s -C /src/tools/testing/device OUTPUT=/cache/device &&
		in_root make -s -C /src/tools/testing/device SANITIZE=1 \
			OUTPUT=/cache/device-sanitized
}

# prepare KERNEL...: the same for all that guests with these kernels need. What
# is built needs no share, which may not be there yet.
prepare()
{
	local SHARE=''

	prepare_kernels "$@"
	[ "${DRIVER:-ours}" = mainline ] || "$HERE/module.sh" "$@" || exit
	step device "building the test device" build_device ||
		die "the test device did not build"
	"$HERE/image.sh" "$@"
}
