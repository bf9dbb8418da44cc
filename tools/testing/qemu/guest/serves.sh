# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# serves TAG...: shares are written and read side by side, and nothing is lost. From the
# kernel's command line: mib, how much; bounced, if the device must not see the guest's
# own memory; line, if all devices have one interrupt line.

. /guest/lib.sh
. /guest/faults.sh

# beside NAME FUNCTION: for each tag, at the same time
beside()
{
	pids=
	for tag in $TAGS; do
		"$2" "$tag" >&2 &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # a list
	claim "$1: all_come_to_an_end" soon ended $pids
	for tag in $TAGS; do
		pids=${pids# }
		claim "$1: $tag" wait "${pids%% *}"
		pids=${pids#* }
	done
}

write()
{
	dd if=/run/data of="/mnt/$1/direct" bs=1M oflag=direct &&
		dd if=/run/data of="/mnt/$1/buffered" bs=64k conv=fsync || return
	for n in $(seq 100); do
		echo "$n" >"/mnt/$1/small.$n" || return
	done
}

read_back()
{
	[ "$(dd if="/mnt/$1/direct" bs=1M iflag=direct 2>/dev/null | md5sum)" = "$SUM" ] &&
		[ "$(md5sum <"/mnt/$1/buffered")" = "$SUM" ] &&
		[ "$(cat "/mnt/$1"/small.* | wc -l)" = 100 ]
}

TAGS=$*
TRACING=/sys/kernel/tracing

dd if=/dev/urandom of=/run/data bs=1M count="$mib" 2>/dev/null
SUM=$(md5sum </run/data)

claim driver_loads load
for tag in $TAGS; do
	claim "share_mounts: $tag" mount_share "$tag" "/mnt/$tag"
done
if [ -n "$line" ]; then
	claim_equal one_line_is_for_all_devices "$(irqs | wc -l)" 1
fi
if [ -n "$bounced" ]; then
	mount -t tracefs tracefs $TRACING
	echo 1 >$TRACING/events/swiotlb/enable
fi
beside is_written write
echo 3 >/proc/sys/vm/drop_caches
beside is_read_as_written read_back
irqs >&2
claim_equal few_interrupts_are_for_nobody "$(irqs | awk '$3 > 10 + $2 / 100')" ""
if [ -n "$bounced" ]; then
	claim data_is_bounced grep -q swiotlb_bounced $TRACING/trace
	claim_equal all_bounce_buffers_are_given_back \
		"$(cat /sys/kernel/debug/swiotlb/io_tlb_used)" 0
fi
for tag in $TAGS; do
	claim "share_unmounts: $tag" umount "/mnt/$tag"
done
plan
