#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make bench": measures this driver against the kernel's own and against
# virtio-9p. The page is out/bench.md, the measurements are out/bench.tsv. All of
# it takes some hours.
#   KERNEL=7.3|6.12|6.1   the guest's kernel
#   QUICK=1             only a part, in less than five minutes
#   ROUNDS=N            how often the drivers take turns (9, or 5 if it shall be quick);
#                       with an even number each is as often the first as the last
#   FILES=N             how many files the tree of sources has
#   ONLY=REGEX          the guests whose name matches (see plan.py)
#   KEEP=1              puts the page into Documentation/bench, too, without the plots; with
#                       ONLY, what out/ has of other guests stays

. "$(dirname "$0")/../root/lib.sh"
. "$TOP/tools/testing/qemu/prepare.sh"

OUT=$TOP/out
PROGRAMS=/src/tools/testing/bench

# command: how to have this run again.
command_line()
{
	local name said="make bench"

	for name in KERNEL QUICK ROUNDS FILES ONLY; do
		[ -z "${!name:-}" ] || said+=" $name=${!name}"
	done
	echo "$said"
}

COMMAND=$(command_line)
KERNEL=${KERNEL:-7.3}
ROUNDS=${ROUNDS:-${QUICK:+5}}
ROUNDS=${ROUNDS:-9}

revision()
{
	git -C "$TOP" describe --always --dirty 2>/dev/null || echo "no repository"
}

need_root "make bench"
need_kernel "$KERNEL"
[ "$ROUNDS" -ge 5 ] || die "ROUNDS=$ROUNDS is too few: medians are of five at least"
(export BENCH=1 && prepare "$KERNEL")
in_root python3 -B $PROGRAMS/test_stats.py -q 2>"$LOGS/bench-numbers.log" ||
	die "the benchmark's own numbers are wrong, see $LOGS/bench-numbers.log"

kept=
if [ -n "${KEEP:-}" ] && [ -n "${ONLY:-}" ] && [ -f "$OUT/bench.tsv" ]; then
	kept=out/kept.tsv
	cp "$OUT/bench.tsv" "$TOP/$kept"
fi

say "measuring (each guest: $ROUNDS rounds)"
mkdir -p "$OUT"
rm -f "$OUT"/bench.* "$OUT"/*.svg
in_root python3 -B $PROGRAMS/bench.py --kernel "$KERNEL" --rounds "$ROUNDS" --only "${ONLY:-}" \
	--revision "$(revision)" --command "$COMMAND" ${QUICK:+--quick} \
	${FILES:+--files "$FILES"} ${kept:+--kept "/src/$kept"} --out /src/out/bench.tsv ||
	die "not all could be measured; the logs are in $LOGS/bench"
in_root python3 -B $PROGRAMS/page.py /src/out/bench.tsv
say ""
say "The page is $OUT/bench.md."
if [ -n "${KEEP:-}" ]; then
	mkdir -p "$TOP/Documentation/bench"
	sed '/^!\[/d' "$OUT/bench.md" >"$TOP/Documentation/bench/bench.md"
	say "It is kept in Documentation/bench."
fi
