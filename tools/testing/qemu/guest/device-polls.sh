# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Which replies are polled for, and for how long.

. /guest/lib.sh

TRACING=/sys/kernel/tracing

value()
{
	cat /sys/fs/virtiofs/*/"$1"
}

poll_us()
{
	echo "$1" >"$(echo /sys/fs/virtiofs/*/poll_us)"
}

# during COMMAND...: sets requests, polled and interrupts to what they have grown by.
during()
{
	requests=$(value mqs/1/requests)
	polled=$(value mqs/1/polled)
	interrupts=$(value mqs/1/interrupts)
	"$@" >&2
	requests=$(($(value mqs/1/requests) - requests))
	polled=$(($(value mqs/1/polled) - polled))
	interrupts=$(($(value mqs/1/interrupts) - interrupts))
	echo "$requests requests, $polled polled, $interrupts interrupts" >&2
}

# direct NUMBER: reads of one page each, for which the FUSE client waits by itself.
direct()
{
	dd if=/mnt/file of=/dev/null bs=4k count="$1" iflag=direct
}

# missing NUMBER: names that are not there, one by one.
missing()
{
	for i in $(seq "$1"); do
		[ ! -e "/mnt/missing$i" ] || return 1
	done
}

# longest: how long it was polled for the reply to a write, which comes late, in nanoseconds:
# of all polls the longest, as others end when another task wants the CPU.
longest()
{
	echo >$TRACING/trace
	echo 1 >$TRACING/events/virtiofs/virtiofs_poll/enable
	dd if=/dev/zero of=/mnt/file bs=4k count=40 conv=notrunc >&2
	echo 0 >$TRACING/events/virtiofs/virtiofs_poll/enable
	sed -n 's/.* virtiofs_poll: .* ended=0 ns=//p' $TRACING/trace | sort -n | tail -n 1
}

# misses: how many polls were in vain then
misses()
{
	grep -c ' virtiofs_poll: .* ended=0' $TRACING/trace
}

claim driver_loads load
mount -t tracefs tracefs $TRACING
claim share_mounts mount_share
claim file_is_written dd if=/dev/zero of=/mnt/file bs=1M count=4

# A request in the background is not, as its caller sleeps in the FUSE client
poll_us 10000
during direct 200
claim each_read_is_a_request test $requests -ge 200
claim no_read_is_polled_for test $polled -le $((requests - 200))
claim each_read_comes_with_an_interrupt test $interrupts -ge 180

# What a task waits for is, if that is allowed
during missing 200
claim each_lookup_is_a_request test $requests -ge 200
claim replies_to_lookups_are_polled_for test $polled -gt 0
claim they_need_no_interrupt test $interrupts -le $((requests - polled + 2))
poll_us 0
during missing 200
claim_equal no_reply_is_polled_for "$polled" 0
claim each_comes_with_an_interrupt test $interrupts -ge $((requests * 9 / 10))

# For how long
poll_us 100
claim device_is_late_for_writes host device myfs fault op=WRITE count=all delay=20
ns=$(longest)
echo "$ns ns, $(misses) misses" >&2
claim task_polls_as_long_as_is_said test "$ns" -ge 100000
claim most_requests_go_without_a_poll_then test "$(misses)" -le 20
host device myfs honest >&2
claim share_unmounts umount /mnt
plan
