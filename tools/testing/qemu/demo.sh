#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make demo": sets up all that is needed, boots a guest that shares a
# directory with this machine, does real work in it, and shows the result.
#   KERNEL=7.3|6.12     the guest's kernel
#   SHARE=DIR           the directory to share, instead of one in the cache

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

KERNEL=${KERNEL:-7.3}
SHARE=${SHARE:-$CACHE/demo}
NAME=virtiofs-demo
DIR=$SHARE/$NAME
LOG=$LOGS/demo
SHOWN=0

# make_input: the work's material is a part of the kernel's own source. The
# checksums are of the files in the kernel's tree, before any guest saw them.
make_input()
{
	[ ! -e "$DIR" ] || [ -e "$DIR/MD5SUMS" ] ||
		die "$DIR is there already and not from an earlier demo"
	rm -rf --one-file-system "$DIR"
	mkdir -p "$DIR"
	(cd "$CACHE/linux/$KERNEL" &&
		find fs net -type f \( -name '*.[chS]' -o -name Makefile -o -name Kconfig \) \
			! -name '*.mod.c' | LC_ALL=C sort >"$DIR/files" &&
		tar -cf "$DIR/source.tar" -T "$DIR/files" &&
		xargs -d '\n' md5sum <"$DIR/files" >"$DIR/MD5SUMS")
	rm "$DIR/files"
}

guest()
{
	mkdir -p "$LOG"
	in_root python3 -B /src/tools/testing/qemu/guest.py --kernel "$KERNEL" --accel "${ACCEL:-auto}" \
		--share myfs=/share --daemon=--xattr --env directory=$NAME \
		--logs /cache/logs/demo demo |
		tee "$LOG/told" | sed -un 's/^| /  guest: /p'
	grep -qx '# exit 0 demo' "$LOG/told" ||
		die "the guest did not do its work; its logs are in $LOG"
}

# shown TEXT COMMAND...: something that must be seen on the host.
shown()
{
	local text=$1

	shift
	"$@" || die "on this machine it is not so: $text"
	say "  host:  $text"
	SHOWN=$((SHOWN + 1))
}

# untouched: all files that the guest only unpacked, or renamed.
untouched()
{
	(cd "$DIR" && grep -vE ' (fs/nls/|net/Makefile$|fs/fuse/(virtio_fs.c|Makefile)$)' MD5SUMS |
		sed -E 's: net/sched/: net/scheduler/:; s: fs/minix/: net/minix/:
			s: fs/ext2/super.c$: fs/ext2/renamed.c:' >MD5SUMS.host &&
		md5sum --quiet -c MD5SUMS.host)
}

# edited: what diff shows between the kernel's tree and the share.
edited()
{
	local source=$CACHE/linux/$KERNEL/fs/fuse

	sed 's/virtio-fs/virtiofs/g' "$source/virtio_fs.c" |
		cmp - "$DIR/fs/fuse/virtio_fs.c" &&
		{ diff "$source/Makefile" "$DIR/fs/fuse/Makefile" || true; } |
		grep '^> Edited by a guest that runs Linux' | sed 's/^/           /'
}

renamed()
{
	[ -d "$DIR/net/scheduler" ] && [ ! -e "$DIR/net/sched" ] &&
		[ -d "$DIR/net/minix" ] && [ ! -e "$DIR/fs/minix" ] &&
		[ -f "$DIR/fs/ext2/renamed.c" ] && [ ! -e "$DIR/fs/ext2/super.c" ]
}

linked()
{
	[ "$DIR/fs/namei.c" -ef "$DIR/fs/namei-hard-link.c" ] &&
		[ "$(stat -c %h "$DIR/fs/namei.c")" = 2 ] &&
		[ "$(readlink "$DIR/fs/namei-soft-link.c")" = namei.c ]
}

deleted()
{
	[ ! -e "$DIR/fs/nls" ] && [ ! -e "$DIR/net/Makefile" ]
}

need_root "make demo"
need_kernel "$KERNEL"
[ "$SHARE" = "$CACHE/demo" ] || need_directory "$SHARE"

say "Setting up (what is there already is not made again; the cache is $CACHE)"
(prepare "$KERNEL")
mkdir -p "$SHARE"
make_input
files=$(wc -l <"$DIR/MD5SUMS")

say "Sharing $SHARE with a guest that runs Linux $KERNEL under QEMU"
say "  host:  source.tar has $files files of the kernel's source, $(du -m "$DIR/source.tar" | cut -f 1) MiB"
say "  host:  virtiofsd serves the directory; the guest boots"
guest

say "Looking at $DIR on this machine"
shown "$(wc -l <"$DIR/MD5SUMS") checksums compared: all files that were not edited are unchanged" untouched
shown "the edits are there" edited
shown "the renamed file and directories are there, the old names are gone" renamed
shown "the hard link counts 2, the symbolic link points to namei.c" linked
shown "what was deleted is gone" deleted

say "Done in $SECONDS s: the module was built for Linux $KERNEL, loaded and mounted; the guest"
say "unpacked $files files, and $SHOWN looks at this machine found what the guest did."
say "The files are in $DIR; \"make shell SHARE=$SHARE\" gives you a shell there."
