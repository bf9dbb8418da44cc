# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The guest's part of "make demo": real work on the share, told in plain
# words. Lines that begin with "| " are for the person who looks on.

. /guest/lib.sh

tell()
{
	echo "| $*"
}

give_up()
{
	tell "FAILED: $*"
	exit 1
}

# timed TEXT COMMAND...: says how long it took.
timed()
{
	timed_text=$1
	shift
	timed_start=$(cut -d . -f 1 /proc/uptime)
	"$@" >&2 || give_up "$timed_text"
	tell "$timed_text ($(($(cut -d . -f 1 /proc/uptime) - timed_start)) s)"
}

unpack()
{
	tar -xf source.tar
}

compare()
{
	md5sum -c MD5SUMS >/run/compared
}

# What a person does to a source tree: each deed can be seen on the host.
edit()
{
	sed -i 's/VIRTIO_FS/VIRTIOFS/g' include/uapi/linux/virtio_fs.h &&
		echo "/* Edited by a guest that runs Linux $(uname -r) */" >>include/uapi/linux/fuse.h
}

rename()
{
	mv include/net include/network &&
		mv include/linux/fs.h include/linux/renamed.h &&
		mv -T include/video include/network/video
}

link()
{
	ln include/linux/namei.h include/linux/namei-hard-link.h &&
		ln -s namei.h include/linux/namei-soft-link.h
}

delete()
{
	rm -r include/sound && rm include/linux/xattr.h
}

cd / || exit 1
mkdir -p /mnt
mount -t virtiofs myfs /mnt || give_up "mount -t virtiofs myfs /mnt"
[ "$(cat "/sys/module/$module/srcversion")" = "$(modinfo -F srcversion "$module")" ] ||
	give_up "another driver has been loaded"
case $(modinfo -n "$module") in
*/updates/*)
	tell "mount has loaded $(modinfo -n "$module")" ;;
*)
	give_up "that is not the module from updates/" ;;
esac
tell "mount -t virtiofs myfs /mnt: $(df -h /mnt | awk 'END { print $2 " in size, " $4 " free" }')"
cd "/mnt/$directory" || give_up "the directory of the demo is not on the mount"
timed "unpacked source.tar onto the mount" unpack
tell "there are $(find include -type f | wc -l) files, $(du -sm . | cut -f 1) MiB"
timed "read all of them again: the checksums are those of the host" compare
timed "edited two headers" edit
timed "renamed a file, a directory, and moved one to another directory" rename
timed "made a hard link and a symbolic link" link
timed "deleted the directory include/sound and the file include/linux/xattr.h" delete
cd /
umount /mnt || give_up "umount /mnt"
rmmod "$module" || give_up "rmmod $module"
tell "umount /mnt and rmmod $module: all is written, the module is gone"
