# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the queues of a device take of the guest's memory: all that is allocated for them
# while the driver is bound to it, and the rings themselves, of the size that the
# virtio specification (2.7) gives them.
# From the kernel's command line: tags, as the number of entries of their queues.

. /guest/lib.sh
. /guest/faults.sh

TRACING=/sys/kernel/tracing

# Bytes that a queue may take
MOST_128=262144
MOST_1024=524288

# allocated: bytes, by the driver itself or by the virtio core
allocated()
{
	grep -E 'kmalloc: call_site=(vring_|virtqueue_|__vring_|[^ ]* \[virtiofs\])' $TRACING/trace |
		sed 's/.* bytes_alloc=\([0-9]*\) .*/\1/' | awk '{ sum += $1 } END { print sum }'
}

# taken NAME: bytes for each queue
taken()
{
	queues=$(find "$(device "$1")/mqs" -mindepth 1 -maxdepth 1 | wc -l)
	bus_name=$(basename "$(virtio "$1")")
	echo "$bus_name" >$DRIVER/unbind
	echo >$TRACING/trace
	echo 1 >$TRACING/events/kmem/kmalloc/enable
	echo "$bus_name" >$DRIVER/bind
	echo 0 >$TRACING/events/kmem/kmalloc/enable
	echo $(($(allocated) / queues + (26 * $1 + 12 + 4095) / 4096 * 4096))
}

mount -t tracefs tracefs $TRACING
echo 16384 >$TRACING/buffer_size_kb
claim driver_loads load
for tag in $tags; do
	bytes=$(taken "$tag")
	echo "# a queue of $tag entries takes $bytes bytes"
	# Not less than the requests that it has room for, at most 256
	claim "queue_of_${tag}_entries_has_memory" \
		test "$bytes" -ge $(((tag > 256 ? 256 : tag) * 1024))
	claim "queue_of_${tag}_entries_takes_no_more_than_it_may" \
		test "$bytes" -le "$(eval "echo \$MOST_$tag")"
done
plan
