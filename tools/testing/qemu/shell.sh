#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make shell SHARE=DIR": a root shell in a guest that has DIR on /mnt.
#   KERNEL=stock|7.3|6.12|6.1  the guest's kernel (default: stock, that of Debian 13)

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

[ -n "${SHARE:-}" ] || die "say which directory the guest shall have: make shell SHARE=DIR"
need_root "make shell"
KERNEL=$(kernel_or_stock "${KERNEL:-stock}")
need_directory "$SHARE"
[ -t 0 ] && [ -t 1 ] || die "make shell needs a terminal"
(BARE=1 prepare "$KERNEL")

terminal=$(stty -g)
trap 'stty "$terminal"' EXIT
read -r rows columns < <(stty size)
# Some terminals do not know.
[ "$rows" -gt 0 ] || rows=24 columns=80
say "starting a guest with Linux $KERNEL ..."
in_root python3 -B /src/tools/testing/qemu/guest.py --kernel "$KERNEL" --accel "${ACCEL:-auto}" --share myfs=/share --share programs=/ \
	--daemon=--xattr --programs --limit 0 --stdio --logs /cache/logs/shell \
	--env rows="$rows" --env columns="$columns" --env TERM="${TERM:-vt100}" \
	shell
