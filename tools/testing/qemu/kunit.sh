#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make kunit": the KUnit suites on a kernel that runs as a program, by the
# kernel's own kunit.py; "make check" has them for one kernel, and in guests for all.
#   KERNELS="7.3 6.12 6.1"  the kernels to test on

. "$(dirname "$0")/../root/lib.sh"
. "$(dirname "$0")/prepare.sh"

kernels=()
trees=()

need_root "make kunit"
for kernel in ${KERNELS:-7.3 6.12 6.1}; do
	need_kernel "$kernel"
	kernels+=("$kernel")
	trees+=("$kernel-uml")
done
(prepare_kernels "${trees[@]}")

become_in_root python3 -B /src/tools/testing/qemu/check.py "${kernels[@]}" --each \
	--only '^kunit-uml$' --outside "$CACHE"
