# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A reply that is polled for by one CPU makes no interrupt for another one that sleeps.
#
# scenario: ours device=timeout:0
# expect-log: virtiofs: myfs: (not responding|responding)

. /guest/lib.sh
. /guest/faults.sh

COUNT=${calls:-30000}

# most: the most interrupts for nobody that were counted in one go, while a process lives
most()
{
	most=0
	until ended "$1"; do
		now=$(irqs | awk '{ sum += $3 } END { print sum }')
		[ "$now" -le "$most" ] || most=$now
		sleep 0.2
	done
	echo "$most"
}

total()
{
	irqs | awk '{ sum += $2 } END { print sum }'
}

claim driver_loads load
mkdir -p /mnt
claim share_mounts mount -t virtiofs -o poll_us=10000 myfs /mnt
host device myfs fault op=FSYNC hold >&2
taskset 1 dd if=/dev/zero of=/mnt/file bs=4k count=1 conv=fsync 2>/dev/null &
sleeper=$!
claim device_has_what_another_sleeps_for host device myfs wait op.FSYNC 1
before=$(total)
taskset 2 /device/stats /mnt/1 "$COUNT" >/run/took &
poller=$!
nobodys=$(most $poller)
wait $poller
interrupts=$(($(total) - before))
echo "$COUNT calls, $interrupts interrupts, $nobodys of them for nobody, $(cat /run/took) ms" >&2
claim few_interrupts_are_for_nobody test "$nobodys" -le $((10 + interrupts / 100))
host device myfs release >&2
claim sleeper_wakes_up soon ended $sleeper
wait $sleeper
host device myfs honest >&2
claim share_unmounts umount /mnt
plan
