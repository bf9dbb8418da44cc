# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Loads the driver that was built with its KUnit suites, which run then, and
# tells the results of each suite as those of a program.

. /guest/lib.sh

MODULE=/kunit/virtiofs.ko
RESULTS_DIR=/sys/kernel/debug/kunit
FAILSLAB=/sys/kernel/debug/failslab

# The results of cases; those of their parameters are indented once more.
suite()
{
	echo "# program ${1##*/}"
	sed -n 's/^    //p' "$1/results"
	echo "# exit 0 ${1##*/}"
}

# write_each NUMBER: to the parameters of the suites
write_each()
{
	for run in /sys/module/virtiofs/parameters/run_*; do
		echo "$1" >"$run" || return
	done
}

# Allocations that may wait are to fail as well, without a word each time.
if [ -d $FAILSLAB ]; then
	echo N >$FAILSLAB/ignore-gfp-wait
	echo 0 >$FAILSLAB/verbose
fi

claim kunit_loads modprobe kunit
claim module_with_suites_loads insmod $MODULE
# In Linux 6.1 they do not run by themselves.
if [ -e /sys/module/virtiofs/parameters/run_queue_suite ]; then
	claim suites_run write_each 1
fi
plan
echo "# exit 0 kunit"

for results in "$RESULTS_DIR"/virtiofs_*; do
	suite "$results"
done

RESULTS=0
echo "# program kunit"
if [ -e /sys/kernel/debug/kmemleak ]; then
	# What was allocated by the suites is recognized while the module is there.
	claim_equal suites_leak_no_memory "$(leaks)" ""
else
	skip suites_leak_no_memory "the kernel is without kmemleak"
fi
claim_equal suites_leave_no_device_behind "$(ls /sys/fs/virtiofs)" ""
[ ! -e /sys/module/virtiofs/parameters/run_queue_suite ] || write_each 0
claim module_with_suites_unloads rmmod virtiofs
plan
