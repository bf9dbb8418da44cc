# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Requests that a task submits together: the device is notified once for all of them, and
# only completions that may block are left to another worker.

. /guest/lib.sh

TRACING=/sys/kernel/tracing

# during COMMAND...: sets requests and kicks to what the device has seen of it.
during()
{
	requests=$(host device myfs counter queue.1.requests)
	kicks=$(host device myfs counter queue.1.kicks)
	"$@" >&2
	requests=$(($(host device myfs counter queue.1.requests) - requests))
	kicks=$(($(host device myfs counter queue.1.kicks) - kicks))
	echo "$requests requests, $kicks kicks" >&2
}

# reads, writes DEPTH: by fio, that many at a time.
reads()
{
	fio --name=together --filename=/mnt/big --size=64M --io_size=16M --bs=4k --rw="${rw:-randread}" \
		--direct=1 --ioengine=libaio --iodepth="$1" --iodepth_batch="$1" \
		--iodepth_batch_complete_min="$1"
}

writes()
{
	rw=randwrite reads "$1"
}

# traced EVENT COMMAND...: leaves in the trace what there was of the event.
traced()
{
	event=$TRACING/events/$1/enable
	shift
	echo >$TRACING/trace
	echo 1 >"$event"
	"$@" >&2
	echo 0 >"$event"
}

# ends COMMAND...: sets later to how often completions were left to another worker.
ends()
{
	traced workqueue/workqueue_queue_work "$@"
	later=$(grep -c 'complete_short_work.* workqueue=virtiofs_glue' $TRACING/trace)
	echo "$later later" >&2
}

# lists COMMAND...: sets lists to how often memory was needed for requests that wait for others.
lists()
{
	traced kmem/kmalloc "$@"
	lists=$(grep -c 'call_site=blk_check_plugged' $TRACING/trace)
	echo "$lists lists" >&2
}

claim driver_loads load
claim tracefs_is_there mount -t tracefs tracefs $TRACING
claim share_mounts mount_share

# A MiB ahead takes three requests.
during traced virtiofs/virtiofs_kick md5sum /mnt/big
alone=$(grep -c ' in_flight=1$' $TRACING/trace)
echo "$alone alone" >&2
claim file_is_read test $requests -ge 150
claim what_is_read_ahead_is_kicked_for_once test $((kicks * 10)) -le $((requests * 4))
claim first_of_them_does_not_go_alone test $((alone * 4)) -le $kicks
claim_equal it_is_what_the_host_has "$(md5sum </mnt/big)" "$(host sh 'md5sum <big')"

host sh 'head -c 204800 big | split -b 4096 - small' >&2
during lists cat /mnt/small*
claim small_files_are_read test $requests -ge 50
claim_equal read_that_is_alone_needs_no_memory 0 "$lists"
claim_equal they_are_what_the_host_has "$(cat /mnt/small* | md5sum)" \
	"$(host sh 'head -c 204800 big | md5sum')"

during lists reads 16
claim many_reads_are_done test $requests -ge 4096
claim and_each_call_needs_memory_once test "$lists" -ge 256
claim those_of_one_call_are_kicked_for_once test $((kicks * 10)) -le "$requests"

for depth in 1 16; do
	ends reads $depth
	claim reads_of_depth_${depth}_complete_in_another_worker test "$later" -gt 0
	ends writes $depth
	claim_equal writes_of_depth_${depth}_complete_at_once 0 "$later"
done

claim share_unmounts umount /mnt
plan
