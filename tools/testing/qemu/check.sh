#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make check": builds what is missing and runs the scenarios of check.py.
#   KERNELS="7.3 6.12"  the kernels to test on
#   DEBUG=1             their debug builds (KASAN, lockdep, kmemleak)
#   INODES=N            inodes of the scenarios device-forgets and cache
#   COUNT=N SEED=N      lies of the scenario device-fuzz, and what they begin with
#   MINUTES=N           how long the scenario soak takes
#   ONLY=REGEX          the scenarios whose name matches (LIST=1 names them)
#   DRIVER=mainline     the kernel's own driver instead, to compare

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

DRIVER=${DRIVER:-ours}
names=()
trees=()
uml=()

need_root "make check"
for kernel in ${KERNELS:-7.3 6.12}; do
	need_kernel "$kernel"
	names+=("$kernel${DEBUG:+-debug}")
	trees+=("$kernel${DEBUG:+-debug}")
	[ "$DRIVER" = mainline ] || trees+=("$kernel${DEBUG:+-debug}-intree")
	# The scenario kunit-uml is for the first one
	[ "$DRIVER" = mainline ] || [ -n "${DEBUG:-}" ] || uml=("${uml[0]:-$kernel-uml}")
done
(prepare "${trees[@]}" && prepare_kernels "${uml[@]}" && "$HERE/debian.sh")

say "running the scenarios"
become_in_root python3 -B /src/tools/testing/qemu/check.py "${names[@]}" \
	--only "${ONLY:-}" --driver "$DRIVER" --outside "$CACHE" ${LIST:+--list} \
	${INODES:+--inodes "$INODES"} ${COUNT:+--fuzz-count "$COUNT"} ${SEED:+--fuzz-seed "$SEED"} \
	${MINUTES:+--soak-minutes "$MINUTES"}
