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
	sed -i 's/virtio-fs/virtiofs/g' fs/fuse/virtio_fs.c &&
		echo "Edited by a guest that runs Linux $(uname -r)." >>fs/fuse/Makefile
}

rename()
{
	mv net/sched net/scheduler &&
		mv fs/ext2/super.c fs/ext2/renamed.c &&
		mv -T fs/minix net/minix
}

link()
{
	ln fs/namei.c fs/namei-hard-link.c &&
		ln -s namei.c fs/namei-soft-link.c
}

delete()
{
	rm -r fs/nls && rm net/Makefile
}

cd / || exit 1
modprobe virtiofs || give_up "modprobe virtiofs"
tell "modprobe virtiofs has loaded $(modinfo -n virtiofs)"
case $(modinfo -n virtiofs) in
*/updates/virtiofs.ko) ;;
*)
	give_up "that is not the module from updates/" ;;
esac
mkdir -p /mnt
mount -t virtiofs myfs /mnt || give_up "mount -t virtiofs myfs /mnt"
tell "mount -t virtiofs myfs /mnt: $(df -h /mnt | awk 'END { print $2 " in size, " $4 " free" }')"
cd "/mnt/$directory" || give_up "the directory of the demo is not on the mount"
timed "unpacked source.tar onto the mount" unpack
tell "there are $(find fs net -type f | wc -l) files, $(du -sm . | cut -f 1) MiB"
timed "read all of them again: the checksums are those of the host" compare
timed "edited fs/fuse/virtio_fs.c and fs/fuse/Makefile" edit
timed "renamed a file, a directory, and moved one to another directory" rename
timed "made a hard link and a symbolic link" link
timed "deleted the directory fs/nls and the file net/Makefile" delete
cd /
umount /mnt || give_up "umount /mnt"
rmmod virtiofs || give_up "rmmod virtiofs"
tell "umount /mnt and rmmod virtiofs: all is written, the module is gone"
