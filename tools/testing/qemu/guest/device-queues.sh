# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Which CPU uses which of a device's queues. The tags tell how many request queues
# a device has: q1 and so on, and few4 that QEMU gives it too few vectors.

. /guest/lib.sh

CPUS=$(nproc)

# Lists of "CPU QUEUE". listed: what sysfs says.
listed()
{
	awk '{
		n = split(FILENAME, path, "/")
		gsub(/,/, " ")
		for (i = 1; i <= NF; i++)
			print $i, path[n - 1]
	}' "$DIR"/mqs/[1-9]/cpu_list | sort -n
}

# used: on which queues the device gets the requests of a task on each CPU.
used()
{
	host device "$TAG" used >&2
	for cpu in $(seq 0 $((CPUS - 1))); do
		taskset -c "$cpu" stat -f /mnt >&2
		echo "$cpu $(host device "$TAG" used)"
	done
}

# interrupted: which CPUs a queue's interrupt may go to.
interrupted()
{
	for queue in $(seq "$USED"); do
		irq=$(irq_of "requests.$((queue - 1))")
		tr , "\n" <"/proc/irq/$irq/smp_affinity_list" | awk -F- -v queue="$queue" '{
			for (cpu = $1; cpu <= (NF > 1 ? $2 : $1); cpu++)
				print cpu, queue
		}'
	done | sort -n
}

# irq_of NAME: the interrupt of a queue.
irq_of()
{
	sed -n "s/^ *\([0-9]*\):.* virtio${DIR##*/}-$1\$/\1/p" /proc/interrupts
}

# An interrupt that the kernel keeps to its CPUs cannot be moved.
interrupts()
{
	claim_equal "$TAG: interrupt_of_a_queue_goes_to_its_cpus" "$(interrupted)" "$(listed)"
	claim_refused "$TAG: interrupt_of_requests_stays" 'I/O error|write error' \
		sh -c "echo 1 >/proc/irq/$(irq_of requests.0)/smp_affinity"
	claim "$TAG: interrupt_of_hiprio_may_move" \
		sh -c "echo 1 >/proc/irq/$(irq_of hiprio)/smp_affinity"
}

on()
{
	TAG=$(cat "$DIR/tag")
	USED=${TAG##*[a-z]}
	[ "$USED" -le "$CPUS" ] || USED=$CPUS

	claim "$TAG: share_mounts" mount_share "$TAG"
	claim_equal "$TAG: queues_are_clipped_to_the_cpus" \
		"$(find "$DIR/mqs/" -name cpu_list | wc -l)" $((USED + 1))
	claim_equal "$TAG: queue_0_is_for_high_priority" "$(cat "$DIR/mqs/0/name")" hiprio
	claim_equal "$TAG: each_cpu_uses_the_queue_that_lists_it" "$(used)" "$(listed)"
	claim_equal "$TAG: no_queue_is_without_cpus" \
		"$(listed | cut -d ' ' -f 2 | sort -u | wc -l)" "$USED"
	case $TAG in
	q*)
		interrupts ;;
	few*)
		claim_equal "$TAG: queues_have_no_interrupt_of_their_own" \
			"$(irq_of requests.0)" "" ;;
	esac
	claim "$TAG: share_unmounts" umount /mnt
}

claim driver_loads load
for DIR in /sys/fs/virtiofs/*; do
	on
done
plan
