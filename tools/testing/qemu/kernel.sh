#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds test kernels: kernel.sh SERIES[-VARIANT][-intree]... SERIES-uml...
# SERIES is one of the file "kernels", and may have a SERIES.config; -VARIANT adds VARIANT.config, which
# may have a variable for make in a line "# make: NAME=VALUE"; -intree is the
# kernel of that name with this driver put into its tree and built in.
# SERIES-uml is a source tree with this driver in it, for kunit.py to build.
# SERIES-stock is Debian's own kernel, as its packages have it, of the cloud flavour;
# RELEASE-stock that of which "uname -r" says so.
# Each kernel has a source tree of its own, in which it is built.

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

LINUX=$CACHE/linux
JOBS=$(nproc)

# suite_has SUITE PACKAGE; all is read, as a broken pipe would be a failure.
suite_has()
{
	in_root apt-cache madison "$2" 2>/dev/null | grep " $1/" >/dev/null
}

# source_package SERIES SUITE: the package's name, or the newest one of the
# suite when the series has left it.
source_package()
{
	local series=$1 suite=$2 newest

	if suite_has "$suite" "linux-source-$series"; then
		echo "linux-source-$series"
		return
	fi
	newest=$(in_root apt-cache search --names-only '^linux-source-[0-9.]+$' |
		cut -d ' ' -f 1 | sort -V |
		while read -r name; do
			if suite_has "$suite" "$name"; then
				echo "$name"
			fi
		done | tail -n 1)
	[ -n "$newest" ] || die "Debian $suite has no kernel source package"
	warn "linux-source-$series has left Debian $suite; taking $newest instead"
	echo "$newest"
}

fetch()
{
	local package=$1

	mkdir -p "$CACHE/debs"
	in_root sh -c "cd /cache/debs && apt-get -q download $package" &&
		mv "$CACHE/debs/$package"_*.deb "$CACHE/debs/$package.deb"
}

extract()
{
	local package=$1 tree=$2

	rm -rf "$tree" "$tree.new"
	mkdir -p "$tree.new"
	in_root sh -c "dpkg-deb --fsys-tarfile /cache/debs/$package.deb |
		tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		xz -dc -T0 |
		tar -x --strip-components=1 -C ${tree/#"$CACHE"//cache}.new"
	mv "$tree.new" "$tree"
}

# source_tree SERIES NAME: a tree with the series' source, as it came.
source_tree()
{
	local series=$1 name=$2 suite package want

	suite=$(sed -n "s/^$series\t//p" "$HERE/kernels")
	want=$(recipe <(declare -f fetch extract; echo "$series $suite"))
	is_done "source-$name" "$want" && return
	# A package of an old list may be gone from the mirror.
	in_root apt-get -q update >"$LOGS/apt-update.log" 2>&1 ||
		warn "the lists of packages are old, as the mirror does not answer"
	package=$(source_package "$series" "$suite")
	[ -s "$CACHE/debs/$package.deb" ] ||
		step fetch "fetching $package" fetch "$package" ||
		die "$package could not be fetched; is the mirror in reach?"
	mkdir -p "$LINUX"
	step extract "unpacking $package" extract "$package" "$LINUX/$name" ||
		die "$package could not be unpacked"
	mark_done "source-$name" "$want"
}

configure()
{
	local dir=$1

	shift
	in_root sh -c "cd $dir && make -s tinyconfig &&
		scripts/kconfig/merge_config.sh -m .config $* &&
		make -s olddefconfig"
}

# check_config NAME FRAGMENT...: what Kconfig did not take is said here, so that
# it is no riddle in the guest. What follows "Not in every kernel" may be lost.
check_config()
{
	local name=$1 line missing=""

	shift
	while read -r line; do
		case "$line" in
		CONFIG_*=n)
			grep -q "^${line%=n}=" "$LINUX/$name/.config" &&
				missing+=" $line"
			;;
		CONFIG_*)
			grep -qx "$line" "$LINUX/$name/.config" ||
				missing+=" $line"
			;;
		esac
	done < <(sed -s '/^# Not in every kernel/,$d' "$@" | tac | sort -t = -k 1,1 -s -u)
	[ -z "$missing" ] || warn "kernel $name does not know or take:$missing"
}

build()
{
	local name=$1

	in_root sh -c "cd /cache/linux/$name && make -j$JOBS bzImage modules &&
		rm -rf install &&
		make -s INSTALL_MOD_PATH=install modules_install"
}

# plain_kernel NAME SERIES FRAGMENT...
plain_kernel()
{
	local name=$1 series=$2 fragments=() f want word

	shift 2
	want=$(recipe "$@" <(declare -f configure build))
	source_tree "$series" "$name"
	is_done "kernel-$name" "$want" && return
	for f; do
		fragments+=("${f/#"$TOP"//src}")
	done
	step "config-$name" "configuring Linux $name" \
		configure "/cache/linux/$name" "${fragments[@]}" ||
		die "Linux $name could not be configured"
	check_config "$name" "$@"
	word=$(sed -n 's/^# make: //p' "$@")
	KEEP_ENV=${word:+MAKEFLAGS=$word} \
		step "build-$name" "building Linux $name (some minutes, once)" build "$name" ||
		die "Linux $name did not build; run the command again to continue"
	mark_done "kernel-$name" "$want"
}

# driver_in_tree NAME: put the driver in the tree's fs/virtiofs, build it in.
driver_in_tree()
{
	local name=$1

	"$TOP/tools/testing/intree.sh" "$LINUX/$name" &&
		in_root sh -c "cd /cache/linux/$name &&
			scripts/config -e VIRTIO_FS && make -s olddefconfig" &&
		grep -qx CONFIG_VIRTIO_FS=y "$LINUX/$name/.config" &&
		build "$name"
}

# intree_kernel NAME BASE: a copy of the built BASE with the driver in it, so
# that little has to be compiled.
intree_kernel()
{
	local name=$1 base=$2 want

	want=$(cat "$STAMPS/kernel-$base")
	if ! is_done "copy-$name" "$want"; then
		rm -rf "${LINUX:?}/$name"
		step "copy-$name" "copying the tree of Linux $base" \
			cp -a "$LINUX/$base" "$LINUX/$name" ||
			die "the tree of Linux $base could not be copied"
		mark_done "copy-$name" "$want"
	fi
	want=$(recipe <(declare -f driver_in_tree; echo "$want") \
		"$TOP/tools/testing/intree.sh" "$TOP"/*.c "$TOP"/{fuse,include}/* \
		"$TOP/Kconfig" "$TOP/Makefile")
	is_done "kernel-$name" "$want" && return
	step "build-$name" "building Linux $name" driver_in_tree "$name" ||
		die "Linux $name did not build"
	mark_done "kernel-$name" "$want"
}

# stock_release SERIES SUITE: the release of the suite's cloud kernel.
stock_release()
{
	in_root apt-cache show "linux-headers-cloud-amd64/$2" |
		sed -n "s/^Depends:.*linux-headers-\($1[^ ,]*\).*/\1/p" | head -n 1
}

# packages_of RELEASE: those of a stock kernel, its compiler, and what it makes BTF with, as far as
# the test root is without. The test kernels have no BTF.
packages_of()
{
	# As the library that is there wants it
	in_root dpkg-query -W -f 'libdw1t64=${Version}\n' libelf1t64
	in_root apt-cache depends --recurse --important "linux-headers-$1" "linux-image-$1" |
		grep -E '^(linux-(headers|kbuild|image|binary|modules)-|(gcc|cpp|libgcc)-[0-9]|pahole$)' |
		grep -vE -e '-(unsigned|base|for-host)$' | sort -u |
		grep -vxFf <(in_root dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
			sed -n 's/^installed //p')
}

# unpack_stock NAME RELEASE PACKAGE...
unpack_stock()
{
	local tree=/cache/linux/$1 release=$2

	shift 2
	in_root sh -euc "rm -rf $tree && mkdir -p $tree/debs $tree/root $tree/arch/x86/boot \
			$tree/install/lib/modules && cd $tree/debs
		apt-get -q download $*
		for deb in *.deb; do
			dpkg-deb -x \$deb ../root
		done
		rm -r ../debs
		cd ..
		# Packages of Debian 12 have modules in /lib
		[ ! -d root/lib ] || cp -a --link root/lib/. root/usr/lib/
		cp root/boot/vmlinuz-$release arch/x86/boot/bzImage ||
			cp root/usr/lib/modules/$release/vmlinuz arch/x86/boot/bzImage
		ln -s ../../../root/usr/lib/modules/$release install/lib/modules/"
}

# stock_kernel NAME: what is made for other kernels is unpacked for this one.
stock_kernel()
{
	local name=$1 release=${1%-stock} suite packages want

	suite=$(sed -n "s/^$release\t//p" "$HERE/kernels")
	# The selftests are built with the interfaces of its source.
	[ -z "$suite" ] || [ -n "${BARE:-}" ] || source_tree "$release" "$release"
	want=$(recipe <(declare -f stock_release packages_of unpack_stock; echo "$release $suite"))
	is_done "kernel-$name" "$want" && return
	in_root apt-get -q update >"$LOGS/apt-update.log" 2>&1 ||
		warn "the lists of packages are old, as the mirror does not answer"
	if [ -n "$suite" ]; then
		release=$(stock_release "$release" "$suite")
		[ -n "$release" ] || die "Debian $suite has no kernel of Linux ${name%-stock} any more"
	fi
	mapfile -t packages < <(packages_of "$release")
	step "unpack-$name" "fetching Linux $release" unpack_stock "$name" "$release" "${packages[@]}" ||
		die "Linux $release could not be fetched and unpacked; is the mirror in reach?"
	mark_done "kernel-$name" "$want"
}

# selftests_tree SERIES: what its selftests are built with, if that is another one's
selftests_tree()
{
	local other

	other=$(selftests_series "$1")
	source_tree "$other" "$other"
}

one()
{
	local name=$1 base=${1%-intree} series=${1%%-*} variant
	local fragments=("$HERE/kernel.config")

	[ "$name" = "${name%-stock}" ] || {
		stock_kernel "$name"
		[ -n "${BARE:-}" ] || selftests_tree "$series"
		return
	}
	grep -q "^$series	" "$HERE/kernels" ||
		die "unknown KERNEL=$name (known: $(grep -v '^#' "$HERE/kernels" | cut -f 1 | xargs))"
	[ ! -f "$HERE/$series.config" ] || fragments+=("$HERE/$series.config")
	variant=${base#"$series"}
	variant=${variant#-}
	case "$variant" in
	uml)
		source_tree "$series" "$name"
		"$TOP/tools/testing/intree.sh" "$LINUX/$name"
		return ;;
	?*)
		need_variant "$variant"
		fragments+=("$HERE/$variant.config") ;;
	esac
	plain_kernel "$base" "$series" "${fragments[@]}"
	[ "$name" = "$base" ] || intree_kernel "$name" "$base"
	selftests_tree "$series"
}

need_root "$0"
one_at_a_time
for name; do
	one "$name"
done
