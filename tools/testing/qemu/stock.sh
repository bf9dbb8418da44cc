#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make check STOCK=all": each kernel with headers that Debian's archive has, in all its
# flavours: the driver is built for it from its packages alone, loaded, used, and put to sleep.
#   STOCK=REGEX         only those whose release matches, as "uname -r" says it
# One after the other: what was made for a kernel goes before the next one.

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

TABLE=$LOGS/stock.table

# releases: of all kernels that have an image and headers
releases()
{
	in_root apt-cache pkgnames linux- | sed -n 's/^linux-\(headers\|image\)-\([0-9].*amd64\)$/\2/p' |
		sort -V | uniq -d
}

remove()
{
	rm -rf --one-file-system "$CACHE/linux/$1" "$CACHE/module/$1" "$CACHE/selftests/$1" \
		"$CACHE/image/$1" "$CACHE/image/$1.cpio" "$STAMPS/kernel-$1"
}

# one RELEASE: what is said of it is its line of the table.
one()
{
	local name=$1-stock what=works

	say "Linux $1"
	if ! (prepare "$name"); then
		what="could not be prepared, see above"
	elif ! (become_in_root python3 -B /src/tools/testing/qemu/check.py "$name" --only '^(stock|suspend)$' \
			--accel "${ACCEL:-auto}" --outside "$CACHE"); then
		what="fails, see above"
	fi
	remove "$name"
	printf '%-40s %s\n' "$1" "$what" >>"$TABLE"
}

need_root "make check STOCK=$STOCK"
(prepare_kernels)
mapfile -t all < <(releases | if [ "$STOCK" = all ]; then cat; else grep -E -e "$STOCK"; fi)
[ ${#all[@]} -gt 0 ] || die "Debian's archive has no kernel like STOCK=$STOCK"
: >"$TABLE"
for release in "${all[@]}"; do
	one "$release"
done
say "The kernels that Debian's archive has:"
cat "$TABLE"
! grep -qv ' works$' "$TABLE"
