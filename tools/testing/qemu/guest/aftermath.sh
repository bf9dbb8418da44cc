# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What must be true of every guest when its tests are over.

. /guest/lib.sh

# expect_log, from the kernel's command line, is what this test provokes. That
# a module comes from outside of the kernel's tree is always said, and a slow
# timer is the emulator's.
complaints()
{
	dmesg -r | sed '1,/guest: tests begin/d' | grep '^<[0-4]>' |
		grep -Ev 'loading out-of-tree module taints kernel|hrtimer: interrupt took' |
		grep -Ev "${expect_log:-^$}"
}

# Twice, as an object may be on its way between two places during one scan.
leaks()
{
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak
}

claim_equal kernel_log_has_no_complaint "$(complaints)" ""
if [ -e /sys/kernel/debug/kmemleak ]; then
	claim_equal no_memory_is_leaked \
		"$(leaks | tee /dev/console | grep -E 'virtiofs|fuse')" ""
fi
plan
