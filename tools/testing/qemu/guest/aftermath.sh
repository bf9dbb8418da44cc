# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What must be true of every guest when its tests are over.

. /guest/lib.sh

# expect_log, from the kernel's command line, is what this test provokes. That
# a module comes from outside of the kernel's tree is always said, and slow
# timers and schedulers are the emulator's. Nobody signs for a stock kernel here.
complaints()
{
	since_begin | grep '^<[0-4]>' |
		grep -Ev 'loading out-of-tree module taints kernel|hrtimer: interrupt took' |
		grep -Ev 'DL replenish lagged too much|module verification failed: signature' |
		grep -Ev "${expect_log:-^$}"
}

# What an unloaded module has allocated is known by addresses without a name.
OURS='virtiofs|fuse|^ *(\[<.*>\] )?0xffff'

claim kernel_log_is_there_from_the_first_test_on sh -c 'dmesg | grep -q "guest: tests begin"'
claim_equal kernel_log_has_no_complaint "$(complaints)" ""
if [ -e /sys/kernel/debug/kmemleak ]; then
	claim_equal no_memory_is_leaked "$(leaks | grep -E "$OURS")" ""
fi
plan
