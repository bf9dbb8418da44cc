#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Puts the driver into a kernel tree, as fs/virtiofs, in place of the file
# fs/fuse/virtio_fs.c: intree.sh TREE. With the driver go its selftests, its
# documentation and its entry in MAINTAINERS. A second run brings the tree up
# to date. intree.sh --patch TREE prints the same as a patch instead, and
# --series TREE DIR writes it as a series of patches, layer by layer.

set -euo pipefail

TOP=$(cd "$(dirname "$0")/../.." && pwd)
SELFTESTS=tools/testing/selftests/filesystems/virtiofs
DOCUMENTS=Documentation/filesystems
ABI=Documentation/ABI/testing/sysfs-fs-virtiofs

# What is edited in the tree.
EDITED=(MAINTAINERS fs/Kconfig fs/Makefile fs/fuse/Kconfig fs/fuse/Makefile
	"$DOCUMENTS/index.rst" tools/testing/selftests/Makefile)
# What is replaced, or goes.
REPLACED=("$DOCUMENTS/virtiofs.rst" "$ABI" fs/fuse/virtio_fs.c)

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

check_tree()
{
	local file

	[ -n "$1" ] || die "say which kernel tree: KSRC=DIR"
	[ -d "$1" ] || die "KSRC=$1 is not a directory"
	[ -e "$1/fs/fuse/fuse_i.h" ] ||
		die "KSRC=$1 is no kernel source with a FUSE client (no fs/fuse/fuse_i.h)"
	for file in "${EDITED[@]}"; do
		[ -w "$1/$file" ] || die "$1/$file is not there or cannot be written"
	done
}

# edit FILE PATTERN SCRIPT...: edits a file with sed, unless it has a line that
# matches PATTERN, and looks whether it has one then.
edit()
{
	local file=$1 pattern=$2

	shift 2
	! grep -qE "$pattern" "$file" || return 0
	sed -i "$@" "$file"
	grep -qE "$pattern" "$file" ||
		die "$file is not as in the kernels that this driver is for (no line for $pattern)"
}

# append_after FILE PATTERN LINE: adds a line after the last that matches.
append_after()
{
	local file=$1 pattern=$2 line=$3 last

	! grep -qxF "$line" "$file" || return 0
	last=$(grep -nE "$pattern" "$file" | tail -n 1 | cut -d : -f 1)
	[ -n "$last" ] ||
		die "$file is not as in the kernels that this driver is for (no line for $pattern)"
	# As sed's "a" would take the line's white space and backslashes away.
	printf '%s\n' "$line" | sed -i "${last}r /dev/stdin" "$file"
}

# copy DESTINATION FILE...: leaves alone what is the same already, so that
# make does not build it again.
copy()
{
	local to=$1 file

	shift
	mkdir -p "$to"
	for file; do
		cmp -s "$file" "$to/${file##*/}" || cp "$file" "$to/${file##*/}"
	done
}

# sources DESTINATION FILE...: the same, and takes away what an earlier version had there.
sources()
{
	local to=$1 file

	for file in "$to"/*.[ch]; do
		[[ " ${*##*/} " = *" ${file##*/} "* ]] || rm -f "$file"
	done
	copy "$@"
}

# kbuild_half: the Makefile of the driver's directory.
kbuild_half()
{
	printf '# SPDX-License-Identifier: GPL-2.0\n#\n# The virtio-fs driver\n\n'
	sed '1,/^# The kbuild half/d; /^# Out of a kernel tree/,$d' "$TOP/Makefile" |
		sed -e '1{/^$/d}' \
			-e 's/^obj-\$(if .*) += /obj-$(CONFIG_VIRTIO_FS) += /' |
		sed -e '$!b' -e '/^$/d'
}

install_driver()
{
	local tree=$1 scratch fuse

	scratch=$(mktemp -d)
	kbuild_half >"$scratch/Makefile"
	grep -q '^obj-\$(CONFIG_VIRTIO_FS) += virtiofs.o$' "$scratch/Makefile" ||
		die "the kbuild half of the Makefile is not as expected"
	sources "$tree/fs/virtiofs" "$TOP"/*.c "$TOP/Kconfig" "$scratch/Makefile"
	sources "$tree/fs/virtiofs/include" "$TOP"/include/*.h
	# For kernels that are not built with the driver
	mapfile -t fuse < <(printf '%s\n' "$TOP"/fuse/*.[ch] | grep -v '/btf\.c$')
	sources "$tree/fs/virtiofs/fuse" "${fuse[@]}"
	sources "$tree/fs/virtiofs/tests" "$TOP"/tools/testing/kunit/{.kunitconfig,*.c,*.h}
	rm -r "$scratch"

	rm -f "$tree/fs/fuse/virtio_fs.c"
	sed -i '/^virtiofs-y/d; /^obj-\$(CONFIG_VIRTIO_FS)/d' "$tree/fs/fuse/Makefile"
	sed -i '/^config VIRTIO_FS$/,/^config /{/^config VIRTIO_FS$/d;/^config /!d}' \
		"$tree/fs/fuse/Kconfig"
	# After fs/fuse, whose parts a built-in driver uses when it starts.
	append_after "$tree/fs/Makefile" '^obj-\$\(CONFIG_FUSE_FS\)' \
		$'obj-$(CONFIG_VIRTIO_FS)\t+= virtiofs/'
	append_after "$tree/fs/Kconfig" '^source "fs/fuse/Kconfig"' \
		'source "fs/virtiofs/Kconfig"'
}

install_selftests()
{
	local tree=$1

	copy "$tree/$SELFTESTS" "$TOP/$SELFTESTS"/{Makefile,*.c,*.h}
	append_after "$tree/tools/testing/selftests/Makefile" '^TARGETS \+= filesystems/' \
		'TARGETS += filesystems/virtiofs'
}

install_documents()
{
	local tree=$1

	copy "$tree/$DOCUMENTS" "$TOP/$DOCUMENTS/virtiofs.rst"
	cmp -s "$TOP/Documentation/design.rst" "$tree/$DOCUMENTS/virtiofs-design.rst" ||
		cp "$TOP/Documentation/design.rst" "$tree/$DOCUMENTS/virtiofs-design.rst"
	copy "$tree/${ABI%/*}" "$TOP/$ABI"
	append_after "$tree/$DOCUMENTS/index.rst" '^ +virtiofs$' '   virtiofs-design'
	edit "$tree/MAINTAINERS" '^F:	fs/virtiofs/$' \
		-e "/^VIRTIO FILE SYSTEM$/,/^$/{
			s|^F:	fs/fuse/virtio_fs.c|F:	fs/virtiofs/|
			s|^F:	$DOCUMENTS/virtiofs.rst|F:	$ABI\nF:	$DOCUMENTS/virtiofs*.rst|
			s|^F:	include/uapi/linux/virtio_fs.h|&\nF:	$SELFTESTS/|
		}"
}

install_all()
{
	install_driver "$1"
	install_selftests "$1"
	install_documents "$1"
}

# git_in DIR COMMAND...: without the habits of the person who calls it.
git_in()
{
	local dir=$1 name email

	shift
	name=$(git -C "$TOP" config user.name 2>/dev/null || id -un)
	email=$(git -C "$TOP" config user.email 2>/dev/null || echo "$(id -un)@$(uname -n)")
	git -C "$dir" -c user.name="$name" -c user.email="$email" \
		-c core.hooksPath=/dev/null -c commit.gpgSign=false "$@"
}

MESSAGE="virtiofs: move to fs/virtiofs, with a driver of several files

Replace fs/fuse/virtio_fs.c by a driver in a directory of its own. The
symbol CONFIG_VIRTIO_FS, the module's name, the file system's name, what
sysfs shows and the mount options stay."

COVER="This replaces fs/fuse/virtio_fs.c by a driver in a directory of its own. What
users see stays: the module's name, the file system's, mount options, sysfs.

Layers come from the bottom to the top: queues, which know no FUSE; the wire
format; the FUSE client's side, file by file; the device. The last patch takes
the old driver out and configures the new one, so each of them builds.

Documentation/filesystems/virtiofs-design.rst says why things are as they are:
who reaps and who completes, what a killed caller may leave behind, and the
contracts, with the function that keeps each and the test that shows it."

# scratch_tree TREE: a repository with only the files in question, and the driver in it.
scratch_tree()
{
	local tree=$1 file

	[ ! -d "$tree/fs/virtiofs" ] ||
		die "$tree has fs/virtiofs already; a patch is made from a tree without it"
	scratch=$(mktemp -d)
	# shellcheck disable=SC2064 # a local name is gone by then
	trap "rm -rf $scratch" EXIT
	for file in "${EDITED[@]}" "${REPLACED[@]}"; do
		[ ! -e "$tree/$file" ] || install -D -m 644 "$tree/$file" "$scratch/$file"
	done
	git_in "$scratch" init -q
	git_in "$scratch" add -A
	git_in "$scratch" commit -q -m "the tree as it was"
	git_in "$scratch" tag base
	install_all "$scratch"
}

print_patch()
{
	scratch_tree "$1"
	git_in "$scratch" add -A
	git_in "$scratch" commit -q -s -m "$MESSAGE"
	git_in "$scratch" format-patch -1 --stdout --no-renames
}

# commit_parts: series.txt has a subject, files below fs/virtiofs and a text for each. The
# driver is configured with the last one, so that the kernel builds with each of them.
commit_parts()
{
	local line subject="" files="" text=""

	while read -r line; do
		case "$line" in
		"== "*)
			[ -z "$subject" ] || commit_part "$subject" "$files" "$text"
			subject=${line#== }
			text="" ;;
		"+ "*) files=${line#+ } ;;
		*) text+=$line$'\n' ;;
		esac
	done < <(cat "$TOP/tools/testing/series.txt"; echo "== end")
}

commit_part()
{
	local subject=$1 files=$2 text=$3

	if [ "$files" = . ]; then
		git_in "$scratch" add -A
	else
		# shellcheck disable=SC2086 # patterns, several
		(cd "$scratch/fs/virtiofs" && git_in "$scratch/fs/virtiofs" add $files)
	fi
	printf '%s\n\n%s' "$subject" "$(printf '%s' "$text" | fmt -w 72)" |
		git_in "$scratch" commit -q -s -F -
}

write_series()
{
	local out

	mkdir -p "$2"
	out=$(cd "$2" && pwd)
	scratch_tree "$1"
	commit_parts
	rm -f "$out"/*.patch
	printf '%s\n' "$COVER" >"$scratch/.git/cover"
	git_in "$scratch" format-patch base -o "$out" --no-renames --cover-letter \
		--cover-from-description=subject >/dev/null
	sed -i -e 's/\*\*\* SUBJECT HERE \*\*\*/virtiofs: a driver of several files/' \
		-e '/\*\*\* BLURB HERE \*\*\*/{
			r '"$scratch/.git/cover"'
			d
		}' "$out"/0000-*.patch
	ls "$out"
}

if [ "${1:-}" = --patch ]; then
	check_tree "${2:-}"
	print_patch "$2"
elif [ "${1:-}" = --series ]; then
	check_tree "${2:-}"
	write_series "$2" "${3:-out/series}"
else
	check_tree "${1:-}"
	install_all "$1"
fi
