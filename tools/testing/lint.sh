#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make lint": what a program can say of the sources, for each kernel. Prints
# what is wrong, and nothing else; what is built for it is built by the steps
# of the tests.
#   KERNELS="7.3 6.12 6.1"  the kernels to build against

. "$(dirname "$0")/root/lib.sh"
. "$TOP/tools/testing/qemu/prepare.sh"

HERE=$TOP/tools/testing/qemu
NEWEST=7.3
# What checkpatch says of the driver: servers of FUSE tell by ENOSYS what they do not know.
DRIVER=ENOSYS
# ... and of trace events, which the kernel's headers write in this way.
EVENTS=MACRO_ARG_REUSE,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT
# What checkpatch says of programs that is only meant for the kernel.
USER_SPACE=ARRAY_SIZE,BIT_MACRO,EMBEDDED_FUNCTION_NAME,ENOSYS,MACRO_ARG_REUSE
USER_SPACE+=,MACRO_WITH_FLOW_CONTROL,NAKED_SSCANF,PREFER_DEFINED_ATTRIBUTE_MACRO
USER_SPACE+=,PREFER_FALLTHROUGH,VOLATILE
# Of shell scripts: variables from the kernel's command line, or for a script
# that is sourced; programs of sed and awk in single quotes.
NOT_SHELL=SC2154,SC2034,SC2016
FAULTS=0

# fault TEXT: reports what was read from standard input, if anything.
fault()
{
	local said

	said=$(cat)
	[ -n "$said" ] || return 0
	printf '%s:\n%s\n' "$1" "$said" | sed '2,$s/^/  /' >&2
	FAULTS=$((FAULTS + 1))
}

# in_src COMMAND...: in the source tree, inside the test root.
in_src()
{
	in_root sh -c 'cd /src && exec "$@"' in_src "$@"
}

style()
{
	local perl=/cache/linux/$NEWEST/scripts/checkpatch.pl
	local driver user

	mapfile -t driver < <(cd "$TOP" && git ls-files '*.[ch]' Kconfig ':!tools' \
		':!include/virtiofs_trace.h' && git ls-files 'tools/testing/kunit/*.[ch]')
	mapfile -t user < <(cd "$TOP" && git ls-files 'tools/*.[ch]' ':!tools/testing/kunit')
	fault "checkpatch --strict" < <(in_src "$perl" --strict --quiet --terse --no-tree \
		--ignore "$DRIVER" --file "${driver[@]}" 2>&1 | grep -v '^total: 0 errors, 0 warnings, 0 checks')
	fault "checkpatch --strict, trace events" < <(in_src "$perl" --strict --quiet --terse \
		--no-tree --ignore "$EVENTS" --file include/virtiofs_trace.h 2>&1 |
		grep -v '^total: 0 errors, 0 warnings, 0 checks')
	fault "checkpatch --strict, tests" < <(in_src "$perl" --strict --quiet --terse --no-tree \
		--max-line-length=100 --ignore "$USER_SPACE" --file "${user[@]}" 2>&1 |
		grep -v '^total: 0 errors, 0 warnings, 0 checks')
}

scripts()
{
	local shell python

	mapfile -t shell < <(cd "$TOP" && { git ls-files 'tools/*.sh' .ci; } &&
		ls tools/testing/qemu/guest/init tools/testing/qemu/guest/service)
	mapfile -t python < <(cd "$TOP" && git ls-files '*.py' tools/virtiofs-top)
	# Where guests have their scripts.
	ln -sfn /src/tools/testing/qemu/guest "$ROOT/guest"
	fault "shellcheck" < <(in_src shellcheck --format=gcc --external-sources \
		--source-path=SCRIPTDIR --exclude="$NOT_SHELL" "${shell[@]}" 2>&1)
	fault "pyflakes" < <(in_src python3 -m pyflakes "${python[@]}" 2>&1)
}

kernel_doc()
{
	local files

	mapfile -t files < <(cd "$TOP" && ls ./*.c {fuse,include}/*.[ch])
	fault "kernel-doc" < <(in_src "/cache/linux/$NEWEST/scripts/kernel-doc" -none -Wall \
		"${files[@]}" 2>&1)
	fault "functions that other files call, without kernel-doc" < <(undocumented)
}

# undocumented: names that a header declares and no comment "name() -" is about.
undocumented()
{
	local name

	grep -hoE '\bvirtiofs_[a-z_]+\(' "$TOP"/{include,fuse}/*.h | sort -u | tr -d '(' |
	while read -r name; do
		grep -qE "^ \* $name\(\) - " "$TOP"/*.c "$TOP"/{fuse,include}/*.[ch] ||
			grep -qE "^static inline .*\b$name\(" "$TOP"/{fuse,include}/*.h ||
			echo "$name"
	done
}

# words: comments and the design speak the language of virtio, FUSE and NAPI, which has a word
# for each of these.
words()
{
	local not='keen|harvest(s|ed)?|borrow(s|ed)?|loans?|overdue|in vain|pays|whoever|nobody|somebody'

	not+='|shall|score|is over|look(s|ed|ing)? (for|into|at|after|whether)|take note of|taken note of'
	not+='|way out|answer(s|ed)?'
	(cd "$TOP" && grep -HniwE "^[^\"]*(/\*|^[[:space:]]*\*) .*\b($not)\b" ./*.c {fuse,include}/*.[ch]
		grep -HniwE "\b($not)\b" Documentation/design.rst) || true
}

# manuals: what groff says of the man pages, and the names that they lack: options, files, parameters.
manuals()
{
	local name

	for name in Documentation/man/*; do
		in_src groff -man -Tutf8 -ww -z "$name" 2>&1
	done
	{
		grep -ohP '(fsparam_\w+\("|module_param_(named|cb)\()\K\w+' "$TOP"/fuse/*.c
		sed -n 's:^What\:.*/sys/fs/virtiofs/.*/::p' "$TOP"/Documentation/ABI/testing/*
	} | sort -u | while read -r name; do
		grep -qw -e "$name" "$TOP/Documentation/man/virtiofs.5" || echo "virtiofs.5 lacks $name"
	done
	grep -ohP '"\K--[a-z]+(?=")' "$TOP/tools/virtiofs-top" | sort -u | while read -r name; do
		sed 's:[\]::g' "$TOP/Documentation/man/virtiofs-top.1" | grep -qw -e "$name" ||
			echo "virtiofs-top.1 lacks $name"
	done
}

# includes: "make lint" is where the layers of Documentation/design.rst hold.
includes()
{
	local file

	for file in virtqueue{,_set}.c include/virtqueue{,_internal}.h; do
		not_in "$file" 'fuse|linux/fs|hiprio\.h|virtio_fs\.h'
	done
	not_elsewhere virtqueue_internal.h virtqueue{,_set}.c
	not_elsewhere orphan.h fuse/{abandon,order,orphan}.c
	not_elsewhere fuse/conn.h fuse_glue.c
	for file in fuse/plug.{c,h}; do
		not_in "$file" 'fuse|linux/fs|linux/virtio|hiprio\.h|virtio_fs\.h|conn\.h|compat\.h'
	done
	not_in fuse/undo.c 'fuse_|conn\.h|compat\.h|dev\.h|linux/fs|linux/virtio|virtio_fs\.h|virtqueue\.h'
	not_in hiprio.c 'fuse_|fuse/|dev\.h|linux/fs|linux/virtio|virtio_fs\.h'
	while read -r file; do
		not_in "$file" 'virtio_fs\.h|linux/virtio'
	done < <(cd "$TOP" && ls fuse_glue.c include/fuse_glue.h fuse/*)
	for file in virtio_fs.c sysfs.c; do
		not_in "$file" 'fuse_i|fuse/|dev\.h|linux/fuse|hiprio\.h'
	done
	not_in include/virtio_fs.h 'fuse_i|dev\.h|linux/fuse|hiprio\.h'
	grep -HnE '#if|LINUX_VERSION_CODE' "$TOP"/*.c "$TOP"/fuse/*.c |
		sed "s:^$TOP/::; s/$/   (only the two compat.h differ by kernel)/"
	circles
}

# circles: in fuse/, files call those below them, and not each other in a circle.
circles()
{
	local file other

	for file in "$TOP"/fuse_glue.c "$TOP"/fuse/*.c; do
		grep -hoE '\bvirtiofs_[a-z_]+\(' "$file" | sort -u | tr -d '(' |
		while read -r name; do
			for other in "$TOP"/fuse_glue.c "$TOP"/fuse/*.c; do
				[ "$other" = "$file" ] ||
					! grep -qE "^ \* $name\(\) - " "$other" ||
					echo "${file##*/} ${other##*/}"
			done
		done
	done | sort -u | tsort 2>&1 >/dev/null | sed 's/^tsort: //'
}

# not_elsewhere HEADER FILES...: no other file includes the header.
not_elsewhere()
{
	local header=$1 files

	shift
	files=$(printf '%s|' "$@")
	(cd "$TOP" && grep -lE "^#include \"$header\"" ./*.c {fuse,include}/*.[ch] | grep -vE "^(./)?(${files%|})$" |
		sed "s|$|: includes $header|") || true
}

# not_in FILE PATTERN: the file may not include what matches.
not_in()
{
	(cd "$TOP" && grep -HnE "^#include [<\"][^>\"]*($2)" "$1" || true)
}

# copy_sources DIRECTORY: below the cache.
copy_sources()
{
	mkdir -p "$CACHE/$1"
	in_root rsync -rlp --checksum --delete --exclude='*.mod.c' --exclude='*.o' --exclude='.*' \
		--include='/*.c' --include='/include/***' --include='/fuse/***' --include=/Makefile \
		--include=/Kconfig --include=/tools/ --include=/tools/testing/ \
		--include='/tools/testing/kunit/***' --exclude='*' /src/ "/cache/$1/"
}

# builds KERNEL: by gcc with W=1, and looked at by sparse; with the suites in it.
builds()
{
	local kernel=$1 out=lint/$1 not=

	copy_sources "$out"
	in_root sh -c "find /cache/$out -name '*.o' -delete &&
		make -C /cache/linux/$kernel M=/cache/$out W=1 C=1 \
			CONFIG_VIRTIO_FS_KUNIT_TEST=y CHECK='sparse -Wno-unknown-attribute' modules" >"$LOGS/lint-$kernel.log" 2>&1 ||
		echo "did not build, see $LOGS/lint-$kernel.log"
	# The guards of Linux 6.1 do not tell sparse what they lock.
	[ "$kernel" != 6.1 ] || not='|context imbalance'
	grep -E "warning|error|/$out/.*: " "$LOGS/lint-$kernel.log" |
		grep -vE "^  (CC|CHECK|LD|MODPOST)|^make$not" || true
}

# configure_32 ARCH PREFIX: a kernel of 32 bit that modules can be compiled for; the one for
# arm is without block devices, too.
configure_32()
{
	local linux=/cache/lint/linux-$1
	local make="make -s -C /cache/linux/$NEWEST-uml O=$linux ARCH=$1 CROSS_COMPILE=$2"

	in_root sh -c "mkdir -p $linux && $make tinyconfig &&
		cat /src/${HERE#"$TOP"/}/kernel.config /src/${HERE#"$TOP"/}/32bit.config >>$linux/.config &&
		if [ $1 = arm ]; then echo CONFIG_BLOCK=n >>$linux/.config; fi &&
		$make olddefconfig && $make modules_prepare"
}

# builds_32 ARCH PREFIX: the same by gcc for a machine of 32 bit, on which divisions of
# 64 bit have functions of their own.
builds_32()
{
	local arch=$1 prefix=$2 out=lint/$1 log=$LOGS/lint-$1.log want

	want=$(recipe "$HERE/kernel.config" "$HERE/32bit.config" "$STAMPS/source-$NEWEST-uml" \
		<(declare -f configure_32))
	if ! is_done "lint-$arch" "$want"; then
		configure_32 "$arch" "$prefix" >"$log" 2>&1 || {
			echo "no kernel could be configured, see $log"
			return
		}
		mark_done "lint-$arch" "$want"
	fi
	copy_sources "$out"
	in_root sh -c "find /cache/$out -name '*.o' -delete &&
		make -C /cache/linux/$NEWEST-uml O=/cache/lint/linux-$arch ARCH=$arch \
			CROSS_COMPILE=$prefix M=/cache/$out W=1 \
			CONFIG_VIRTIO_FS_KUNIT_TEST=y virtiofs.o" >"$log" 2>&1 ||
		echo "did not build, see $log"
	grep -E "warning|error" "$log" || true
	in_root "${prefix}nm" -u "/cache/$out/virtiofs.o" |
		grep -E ' __(u?divdi3|u?moddi3|u?divmoddi4|aeabi_u?ldivmod)$' || true
}

# fits_tree KERNEL: the patch for a kernel tree applies.
fits_tree()
{
	local patch=$CACHE/lint/$1.patch

	"$TOP/tools/testing/intree.sh" --patch "$CACHE/linux/$1" >"$patch" &&
		in_root sh -c "cd /cache/linux/$1 && patch -p1 --dry-run --quiet --force \
			<${patch/#"$CACHE"//cache}" || echo "the patch does not apply"
}

need_root "make lint"
read -ra kernels <<<"${KERNELS:-7.3 6.12 6.1}"
for kernel in "${kernels[@]}"; do
	need_kernel "$kernel"
done
(prepare_kernels "$NEWEST" "$NEWEST-uml" "${kernels[@]}" >&2)

style
scripts
kernel_doc
fault "include rules" < <(includes)
fault "words that may not stand" < <(words)
fault "man pages" < <(manuals)
fault "messages that Documentation/filesystems/virtiofs-admin.rst lacks" \
	< <(in_src python3 -B tools/testing/messages.py 2>&1)
for kernel in "${kernels[@]}"; do
	fault "gcc W=1 and sparse, Linux $kernel" < <(builds "$kernel")
	fault "intree-patch, Linux $kernel" < <(fits_tree "$kernel" 2>&1)
done
fault "gcc W=1, i386" < <(builds_32 i386 i686-linux-gnu-)
fault "gcc W=1, arm" < <(builds_32 arm arm-linux-gnueabihf-)
[ "$FAULTS" -eq 0 ]
