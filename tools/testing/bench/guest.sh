# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Measures in a guest: for each work the drivers take turns on the same device
# and the same files, so that a machine that is busy now and idle then is so for
# all of them; each other round in the opposite order. From the kernel's command
# line: group, works, rounds, drivers, shares, count (of quick calls).

. /guest/lib.sh

MODULES=/lib/modules/$(uname -r)
marks=
where=
TRACING=/sys/kernel/tracing
TRACED="workqueue:workqueue_execute_start kmem:kmalloc kmem:kmem_cache_alloc"

# turns: the drivers in the order of this round.
turns()
{
	turns_list=
	for turns_one in $drivers; do
		if [ $((round % 2)) -eq 1 ]; then
			turns_list="$turns_list $turns_one"
		else
			turns_list="$turns_one $turns_list"
		fi
	done
	echo "$turns_list"
}

driver_load()
{
	case $driver in
	ours)
		insmod "$MODULES/updates/virtiofs.ko" ;;
	ours-nopoll)
		insmod "$MODULES/updates/virtiofs.ko" poll_us=0 ;;
	mainline | mainline-again)
		insmod "$MODULES/kernel/fs/fuse/virtiofs.ko" ;;
	9p)
		modprobe -a 9pnet_virtio 9p ;;
	*)
		# A mount would load some driver by itself.
		return 1 ;;
	esac
}

# What of 9p is loaded is in nobody's way.
driver_unload()
{
	[ "$driver" = 9p ] || soon rmmod virtiofs
}

# measured_mount: the share, and what the programs shall count there.
measured_mount()
{
	if [ "$driver" = 9p ]; then
		mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576,cache=mmap 9p /mnt ||
			return 1
		DEVICE=$(basename /sys/bus/virtio/drivers/9pnet_virtio/virtio*)
		KICKS=
	else
		mount_share "$share" || return 1
		for mount_dir in /sys/fs/virtiofs/*; do
			[ "$(cat "$mount_dir/tag")" = "$share" ] || continue
			DEVICE=$(basename "$(readlink -f "$mount_dir/device")")
			KICKS="$mount_dir/mqs/*/kicks"
		done
	fi
	export DEVICE KICKS
}

# tell_result TEXT: one line of the results.
tell_result()
{
	echo "m share=$share driver=$driver round=$round $1$where"
}

# measure COMMAND...: the lines that it prints are results; it must succeed.
measure()
{
	if "$@" >/run/lines; then
		while read -r measure_line; do
			tell_result "$measure_line"
		done </run/lines
	else
		echo "# $driver on $share in round $round: $*"
		result "not ok" "$group"
	fi
}

cold()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

# Works, by the name of their group

work_calls()
{
	measure /bench/calls /mnt "$count" "$1"
}

# device_counts WORK: what the device has counted, and how long it was awake.
device_counts()
{
	counts="work=$1"
	for name in requests descriptors kicks interrupts busy; do
		counts="$counts device_$name=$(host device "$share" counter queue.1.$name)"
	done
	tell_result "$counts"
}

# traces EVENT: how many of the traced events are the driver's, not what it calls.
traces()
{
	grep -E " $1: " $TRACING/trace | grep -cE '(function |call_site=)[^ ]* \[virtiofs\]'
}

# copied: how many bytes of the traced requests and replies, if the driver tells.
copied()
{
	[ ! -d $TRACING/events/virtiofs ] ||
		grep -oE ' virtiofs_(request|reply): .* copied=[0-9]+' $TRACING/trace |
		awk -F= '{ sum += $NF } END { print sum + 0 }'
}

# traced WORK: workers, allocations and copies of the driver, which to trace takes time.
traced()
{
	echo >$TRACING/trace
	echo "$TRACED" | tr ' ' '\n' >$TRACING/set_event
	[ ! -d $TRACING/events/virtiofs ] ||
		printf 'virtiofs:virtiofs_%s\n' request reply >>$TRACING/set_event
	WARM_UP=0 /bench/calls /mnt "$count" "$1" >/run/traced
	echo >$TRACING/set_event
	traced=$(sed 's/.* n=\([0-9]*\) .*/\1/' /run/traced)
	workers=$(traces workqueue_execute_start)
	allocations=$(traces 'km(alloc|em_cache_alloc)')
	tell_result "work=$1 traced=$traced workers=$workers allocations=$allocations copied=$(copied)"
}

# The test device answers at once and counts; all that it counts is of the calls.
work_device()
{
	/bench/calls /mnt 1 "$1" >/dev/null
	host device "$share" reset >/dev/null
	WARM_UP=0 measure /bench/calls /mnt "$count" "$1"
	device_counts "$1"
	traced "$1"
}

# fio_words NAME: what to tell fio; the name says all, as in randread-4k-direct-psync-1-4,
# where the numbers are depth and jobs.
fio_words()
{
	IFS=- read -r rw bs mode engine depth jobs <<-EOF
		$1
	EOF
	case $bs in
	4k)	amount=$((count * 16)) ;;
	*)	amount=$((count * 128)) ;;
	esac
	echo --name=job --thread --filename=/mnt/file --size=64M \
		--io_size="$((amount / jobs))k" --rw="$rw" --bs="$bs" \
		--direct="$([ "$mode" = direct ] && echo 1 || echo 0)" --ioengine="$engine" \
		--iodepth="$depth" --numjobs="$jobs" --group_reporting --eta=never \
		--output-format=json --output=/run/fio
}

fio_job()
{
	job=$1
	# shellcheck disable=SC2046 # words
	set -- $(fio_words "$job")
	# What the emulator has not seen yet it has to translate first, which takes time.
	fio "$@" >/dev/null
	cold
	rm -f /run/fio
	# Before its report fio tells of the marks
	# shellcheck disable=SC2086 # words
	measure /bench/run "fio:$job" fio "$@" $marks
	[ ! -s /run/fio ] ||
		echo "f share=$share driver=$driver round=$round work=fio:$job $(sed -n '/^{/,$p' /run/fio | tr -d '\n ')"
}

# What goes through the cache is done where there is one.
work_fio()
{
	case "$share $1" in
	auto\ *-direct-*|never\ *-buffered-*) return ;;
	esac
	fio_job "$1"
}

# The emulator counts; fio cannot set the marks for it but by a program. Of the driver it has to
# know where it is.
work_instructions()
{
	where=" text=$(cat /sys/module/virtiofs/sections/.text)"
	case "$1" in
	*-*)	marks="--exec_prerun=/bench/begin --exec_postrun=/bench/end"
		fio_job "$1" ;;
	*)	work_calls "$1" ;;
	esac
}

work_tree()
{
	mkdir /mnt/tree
	measure /bench/run unpack tar -xf /mnt/tree.tar -C /mnt/tree
	cold
	measure /bench/run stat find /mnt/tree -size +1048576
	cold
	measure /bench/run grep sh -c '! grep -rq "no such text" /mnt/tree'
	cold
	measure /bench/run copy cp -r /mnt/tree /mnt/copy
	cold
	measure /bench/run git_status git -C /mnt/repository status --porcelain
	measure /bench/run delete rm -r /mnt/tree /mnt/copy
	cold
	measure /bench/run compile make -s -C /mnt/project OUTPUT=/mnt/project/out CC=gcc \
		CFLAGS=-O0 /mnt/project/out/virtiofs-testdev
	rm -r /mnt/project/out
}

work_neighbour()
{
	measure /bench/neighbour /mnt/file "$count"
}

# turn WORK: one driver, on all shares; for 9p, which has no daemon, they are the same.
turn()
{
	driver_load || return 1
	for share in $shares; do
		measured_mount || return 1
		"work_$group" "$1"
		soon umount /mnt || return 1
	done
	driver_unload
}

mount -t tracefs tracefs $TRACING
echo 16384 >$TRACING/buffer_size_kb
for round in $(seq "$rounds"); do
	echo "# round $round of $rounds"
	for work in $works; do
		for driver in $(turns); do
			if turn "$work"; then
				result "ok" "${driver}_takes_its_turn"
			else
				result "not ok" "${driver}_takes_its_turn"
			fi
		done
	done
done
plan
