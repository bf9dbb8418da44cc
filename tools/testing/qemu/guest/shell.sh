# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A shell for a person on the serial console, with the share on /mnt.

. /guest/lib.sh

load && mount_share || exit 1
cd /mnt || exit 1

# The guest's own image has no room for Python.
mkdir /run/programs
mount -t virtiofs -o ro programs /run/programs || exit 1
for dir in proc sys dev; do
	mount --rbind /$dir /run/programs/$dir
done
cat >/usr/bin/virtiofs-top <<'END'
#!/bin/sh
exec chroot /run/programs /src/tools/virtiofs-top "$@"
END
chmod +x /usr/bin/virtiofs-top

stty rows "${rows:-24}" cols "${columns:-80}" </dev/console
cat >/dev/console <<END

This is a guest with Linux $(uname -r); the shared directory is on /mnt.
virtiofs-top shows what its driver does; "programs" is where Python comes from.
Leave with "exit" or Ctrl-D: the guest is switched off then.

END
export PS1='guest:\w# '
setsid -c bash --norc -i </dev/ttyS0 >/dev/ttyS0 2>&1
cd /
umount /mnt
