#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make demo": sets up all that is needed, boots a guest that shares a
# directory with this machine, does real work in it, and shows the result.
#   KERNEL=stock|7.3|6.12|6.1  the guest's kernel (default: stock, that of Debian 13)
#   SHARE=DIR           the directory to share, instead of one in the cache

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

SHARE=${SHARE:-$CACHE/demo}
NAME=virtiofs-demo
DIR=$SHARE/$NAME
LOG=$LOGS/demo
SHOWN=0

# make_input: the work's material is the kernel's own headers. The
# checksums are of the files in its tree, before any guest saw them.
make_input()
{
	[ ! -e "$DIR" ] || [ -e "$DIR/MD5SUMS" ] ||
		die "$DIR is there already and not from an earlier demo"
	rm -rf --one-file-system "$DIR"
	mkdir -p "$DIR"
	(cd "$TREE" &&
		find include/{linux,net,sound,uapi,video} -type f -name '*.h' | LC_ALL=C sort >"$DIR/files" &&
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
	(cd "$DIR" && grep -vE ' (include/sound/|include/linux/xattr.h$|include/uapi/linux/(virtio_fs|fuse).h$)' MD5SUMS |
		sed -E 's: include/net/: include/network/:; s: include/video/: include/network/video/:
			s: include/linux/fs.h$: include/linux/renamed.h:' >MD5SUMS.host &&
		md5sum --quiet -c MD5SUMS.host)
}

# edited: what diff shows between the kernel's tree and the share.
edited()
{
	local header=include/uapi/linux/virtio_fs.h

	sed 's/VIRTIO_FS/VIRTIOFS/g' "$TREE/$header" | cmp - "$DIR/$header" &&
		{ diff "$TREE/include/uapi/linux/fuse.h" "$DIR/include/uapi/linux/fuse.h" || true; } |
		grep '^> .* Edited by a guest that runs Linux' | sed 's/^/           /'
}

renamed()
{
	[ -d "$DIR/include/network" ] && [ ! -e "$DIR/include/net" ] &&
		[ -d "$DIR/include/network/video" ] && [ ! -e "$DIR/include/video" ] &&
		[ -f "$DIR/include/linux/renamed.h" ] && [ ! -e "$DIR/include/linux/fs.h" ]
}

linked()
{
	local linux=$DIR/include/linux

	[ "$linux/namei.h" -ef "$linux/namei-hard-link.h" ] &&
		[ "$(stat -c %h "$linux/namei.h")" = 2 ] &&
		[ "$(readlink "$linux/namei-soft-link.h")" = namei.h ]
}

deleted()
{
	[ ! -e "$DIR/include/sound" ] && [ ! -e "$DIR/include/linux/xattr.h" ]
}

need_root "make demo"
KERNEL=$(kernel_or_stock "${KERNEL:-stock}")
[ "$SHARE" = "$CACHE/demo" ] || need_directory "$SHARE"

say "Setting up (what is there already is not made again; the cache is $CACHE)"
(BARE=1 prepare "$KERNEL")
for TREE in "$CACHE/linux/$KERNEL"/root/usr/src/linux-headers-*-common "$CACHE/linux/$KERNEL"; do
	[ ! -d "$TREE/include/linux" ] || break
done
mkdir -p "$SHARE"
make_input
files=$(wc -l <"$DIR/MD5SUMS")

say "Sharing $SHARE with a guest that runs Linux $KERNEL under QEMU"
say "  host:  source.tar has $files files of the kernel's headers, $(du -m "$DIR/source.tar" | cut -f 1) MiB"
say "  host:  virtiofsd serves the directory; the guest boots"
guest

say "Looking at $DIR on this machine"
shown "$(wc -l <"$DIR/MD5SUMS") checksums compared: all files that were not edited are unchanged" untouched
shown "the edits are there" edited
shown "the renamed file and directories are there, the old names are gone" renamed
shown "the hard link counts 2, the symbolic link points to namei.h" linked
shown "what was deleted is gone" deleted

say "Done in $SECONDS s: the module was built for Linux $KERNEL, loaded and mounted; the guest"
say "unpacked $files files, and $SHOWN looks at this machine found what the guest did."
say "The files are in $DIR; \"make shell SHARE=$SHARE\" gives you a shell there."
