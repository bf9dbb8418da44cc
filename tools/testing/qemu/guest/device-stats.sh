# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What can be seen of a device at work: counters, as the device counts them, too;
# latencies, trace events; and what looking for replies saves.

. /guest/lib.sh

TRACING=/sys/kernel/tracing

value()
{
	cat /sys/fs/virtiofs/*/"$1"
}

# of NAME: of the request queue.
of()
{
	value "mqs/1/$1"
}

# is NAME NUMBER: in sysfs.
is()
{
	[ "$(value "$1")" = "$2" ]
}

# calls NUMBER: calls that ask the server, one after the other, by one task.
calls()
{
	calls_left=$1
	set --
	while [ "$calls_left" -gt 0 ]; do
		set -- "$@" "/mnt/missing$calls_left"
		calls_left=$((calls_left - 1))
	done
	stat "$@" 2>/dev/null
	true
}

counters()
{
	echo "$(of requests) $(of polled) $(of interrupts) $(of kicks)" \
		"$(host device myfs counter queue.1.requests)" \
		"$(host device myfs counter queue.1.kicks)"
}

# during COMMAND...: sets requests, polled, interrupts and kicks to what they have grown by,
# and device_requests and device_kicks to what the device says of that.
during()
{
	was=$(counters)
	"$@" >&2
	# shellcheck disable=SC2046,SC2086 # words
	set -- $was $(counters)
	requests=$(($7 - $1))
	polled=$(($8 - $2))
	interrupts=$(($9 - $3))
	kicks=$((${10} - $4))
	device_requests=$((${11} - $5))
	device_kicks=$((${12} - $6))
	echo "$requests requests, $polled polled, $interrupts interrupts, $kicks kicks" >&2
}

lines_of()
{
	grep -c " $1: " $TRACING/trace
}

# copied_of EVENT OPCODE: what the first event of a kind says.
copied_of()
{
	sed -n "s/.* $1: .* opcode=$2 .* copied=//p" $TRACING/trace | head -n 1
}

claim driver_loads load
latency=$(echo /sys/kernel/debug/virtiofs/*/latency)
mount -t tracefs tracefs $TRACING
claim_refused counters_of_nothing 'No such device' value errors
claim share_mounts mount -t virtiofs -o poll_us=10000 myfs /mnt
claim option_is_shown grep -q 'virtiofs .*poll_us=10000' /proc/mounts
claim_equal option_is_in_sysfs "$(value poll_us)" 10000

# Tasks that poll for their replies
during calls 1000
claim each_call_is_a_request test $requests -ge 1000
claim most_replies_are_polled_for test $polled -ge $((requests / 2))
claim they_need_no_interrupt test $interrupts -le $((requests - polled + 2))
claim_equal device_counts_the_same_requests "$device_requests" "$requests"
claim_equal device_counts_the_same_kicks "$device_kicks" "$kicks"
claim bytes_are_counted test "$(of bytes_out)" -ge $((1000 * 40)) -a \
	"$(of bytes_in)" -ge $((1000 * 16))

# ... and that do not
claim no_task_polls_any_more sh -c "echo 0 >$(echo /sys/fs/virtiofs/*/poll_us)"
claim_refused no_task_polls_for_ever 'error|Invalid' \
	sh -c "echo 10001 >$(echo /sys/fs/virtiofs/*/poll_us)"
during calls 1000
claim_equal no_reply_is_polled_for "$polled" 0
claim each_reply_comes_with_an_interrupt test $interrupts -ge $((requests * 9 / 10))

# What is under way
claim_equal nothing_is_in_flight "$(of in_flight) $(of backlog) $(value oldest_ms)" "0 0 0"
claim device_is_late host device myfs fault op=STATFS count=all hold
stat -f /mnt >/run/said 2>&1 &
first=$!
claim request_is_in_flight soon is mqs/1/in_flight 1
sleep 1
claim it_grows_old test "$(value oldest_ms)" -ge 900
for n in 1 2 3 4 5; do
	stat -f /mnt >/dev/null 2>&1 &
done
claim ring_is_full soon is mqs/1/backlog 2
claim_equal of_requests_with_two_descriptors "$(of in_flight)" 4
host device myfs honest >&2
wait $first
claim nothing_waits_any_more soon is mqs/1/in_flight 0

# What went wrong
claim_equal nothing_went_wrong "$(value errors)" 0
host device myfs fault op=STATFS unique count=3 >&2
for n in 1 2 3; do
	stat -f /mnt >/dev/null 2>&1
done
claim_equal lies_are_counted "$(value errors)" 3

# How long it took
claim latency_of_lookups test \
	"$(sed -n 's/^LOOKUP \([0-9]*\) .*/\1/p' "$latency")" -ge 2000
claim_equal latencies_add_up "$(awk '{
	sum = 0
	for (i = 3; i <= NF; i++)
		sum += $i
	if (sum != $2 || NF != 34)
		print
}' "$latency")" ""

# Events
claim events_are_turned_on sh -c "echo 1 >$TRACING/events/virtiofs/enable"
echo 10000 >"$(echo /sys/fs/virtiofs/*/poll_us)"
calls 10
stat -f /mnt >/dev/null
touch /mnt/forgotten && rm /mnt/forgotten
claim forgets_are_seen soon lines_of virtiofs_hiprio
echo 0 >$TRACING/events/virtiofs/enable
claim requests_are_seen grep -q 'virtiofs_request: tag=myfs queue=requests.0 unique=[0-9]* opcode=17 ' \
	$TRACING/trace
claim replies_are_seen grep -q 'virtiofs_reply: tag=myfs unique=[0-9]* opcode=17 error=0 ns=[1-9]' \
	$TRACING/trace
# A header of 40 bytes; one of 16, and what statfs has to tell in 80
claim_equal statfs_is_copied "$(copied_of virtiofs_request 17) $(copied_of virtiofs_reply 17)" "40 96"
claim errors_are_seen grep -q 'virtiofs_reply: .* opcode=1 error=-2 ns=' $TRACING/trace
claim_equal one_reply_for_each_request "$(lines_of virtiofs_request)" "$(lines_of virtiofs_reply)"
claim kicks_are_seen grep -q 'virtiofs_kick: device=[0-9]* queue=requests.0 in_flight=1' $TRACING/trace
claim polls_are_seen grep -q 'virtiofs_poll: .* queue=requests.0 ended=1 ns=' $TRACING/trace
claim share_unmounts umount /mnt
plan
