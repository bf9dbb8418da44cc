# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Which CPU uses which of the device's queues.
# From the kernel's command line: queues, the number of the device's request queues.

. /guest/lib.sh

# queue_of CPU: the request queue whose list has the CPU.
queue_of()
{
	for list in "$MQS"/*/cpu_list; do
		queue=$(basename "$(dirname "$list")")
		if [ "$queue" != 0 ] && tr -d ' ' <"$list" | tr , '\n' | grep -qx "$1"; then
			echo "$queue"
		fi
	done
}

# use_by CPU: a request of a task that runs there; on which queue it went.
use_by()
{
	host device myfs reset >&2
	taskset -c "$1" stat -f /mnt >&2
	for queue in $(seq "$USED"); do
		if [ "$(host device myfs counter "queue.$queue.requests")" != 0 ]; then
			echo "$queue"
		fi
	done
}

irq_of()
{
	sed -n "s/^ *\([0-9]*\):.* virtio[0-9]*-requests\.$(($1 - 1))\$/\1/p" /proc/interrupts
}

CPUS=$(nproc)
USED=$queues
[ "$USED" -le "$CPUS" ] || USED=$CPUS

claim driver_loads load
claim share_mounts mount_share
MQS=$(echo /sys/fs/virtiofs/*/mqs)
claim_equal queues_are_clipped_to_the_cpus \
	"$(find "$MQS" -name cpu_list | wc -l)" $((USED + 1))
claim_equal queue_0_is_for_high_priority "$(cat "$MQS/0/name")" hiprio
for cpu in $(seq 0 $((CPUS - 1))); do
	claim_equal "cpu_${cpu}_uses_the_queue_that_lists_it" \
		"$(use_by "$cpu")" "$(queue_of "$cpu")"
done
for queue in $(seq "$USED"); do
	claim "queue_${queue}_has_cpus" grep -q '[0-9]' "$MQS/$queue/cpu_list"
	irq=$(irq_of "$queue")
	claim "queue_${queue}_has_an_interrupt" [ -n "$irq" ]
	claim_equal "interrupt_of_queue_${queue}_goes_to_its_cpus" \
		"$(sed 's/,/ /g' "/proc/irq/$irq/effective_affinity_list")" \
		"$(tr -d ' ' <"$MQS/$queue/cpu_list" | tr , '\n' |
			grep -x "$(cat "/proc/irq/$irq/effective_affinity_list")")"
done
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
