# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A shell for a person on the serial console, with the share on /mnt.

. /guest/lib.sh

load && mount_share || exit 1
cd /mnt || exit 1
stty rows "${rows:-24}" cols "${columns:-80}" </dev/console
cat >/dev/console <<END

This is a guest with Linux $(uname -r); the shared directory is on /mnt.
Leave with "exit" or Ctrl-D: the guest is switched off then.

END
export PS1='guest:\w# '
setsid -c bash --norc -i </dev/ttyS0 >/dev/ttyS0 2>&1
cd /
umount /mnt
