#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make check": builds what is missing and runs the scenarios of check.py.
#   KERNELS="7.3 6.12 6.1"  the kernels to test on
#   DEBUG=1             their debug builds (KASAN, lockdep, kmemleak)
#   VARIANT=kcsan|rt    their builds with VARIANT.config: a few scenarios, unless ONLY says which
#   VARIANT=stock       the same with Debian's own kernels
#   STOCK=all           instead: one scenario on each kernel of Debian's archive, see stock.sh
#   INODES=N            inodes of the scenarios device-forgets and cache
#   COUNT=N SEED=N      lies of the scenario device-fuzz, and what they begin with
#   MINUTES=N           how long each of the scenarios soak and killing takes
#   ACCEL=auto|kvm|tcg  what guests run on; auto tries whether KVM is of use
#   ONLY=REGEX          the scenarios whose name matches (LIST=1 names them)
#   EXCEPT=REGEX        ... but not those
#   DRIVER=mainline     the kernel's own driver instead, to compare

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

DRIVER=${DRIVER:-ours}
VARIANT=${VARIANT:-${DEBUG:+debug}}
# What a variant is for that is neither plain nor debug.
SMOKE='^(kunit|lifecycle|mounts|killing)$'
# What is to be seen on kernels as Debian has them
STOCK_CORE='^(btf|stock|system|lifecycle|mounts|submounts|selftests.*|hotplug|dead-daemon|device-(killed|late|timeout))$'
names=()
trees=()
uml=()
systems=()

[ -z "${STOCK:-}" ] || exec "$HERE/stock.sh"
need_root "make check"
case $VARIANT in
""|debug) ;;
stock)
	ONLY=${ONLY:-$STOCK_CORE} ;;
*)
	need_variant "$VARIANT"
	ONLY=${ONLY:-$SMOKE} ;;
esac
# wants SCENARIO...: is one of them to run?
wants()
{
	local name

	for name; do
		[[ $name =~ ${ONLY:-} ]] || continue
		[ -n "${EXCEPT:-}" ] && [[ $name =~ $EXCEPT ]] || return 0
	done
	return 1
}

for kernel in ${KERNELS:-7.3 6.12 6.1}; do
	need_kernel "$kernel"
	name=$kernel${VARIANT:+-$VARIANT}
	names+=("$name")
	trees+=("$name")
	[ "$DRIVER" = mainline ] && continue
	# With the driver built in, for those that boot such a kernel
	! wants builtin rootfs || trees+=("$name-intree")
	# The scenarios kunit-uml and kunit-uml-32 are for the first one
	[ -n "$VARIANT" ] || ! wants kunit-uml kunit-uml-32 || uml=("${uml[0]:-$kernel-uml}")
done
[ "$VARIANT" != stock ] || ! wants system || systems=(bookworm trixie)
(prepare "${trees[@]}" && prepare_kernels "${uml[@]}" && "$HERE/debian.sh" &&
	"$HERE/system.sh" "${systems[@]}")

say "running the scenarios"
become_in_root python3 -B /src/tools/testing/qemu/check.py "${names[@]}" \
	--only "${ONLY:-}" --accel "${ACCEL:-auto}" ${EXCEPT:+--except "$EXCEPT"} --driver "$DRIVER" --outside "$CACHE" ${LIST:+--list} \
	${INODES:+--inodes "$INODES"} ${COUNT:+--fuzz-count "$COUNT"} ${SEED:+--fuzz-seed "$SEED"} \
	${MINUTES:+--soak-minutes "$MINUTES"}
