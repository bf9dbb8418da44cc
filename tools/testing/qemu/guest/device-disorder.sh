# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Runs selftests while the device is late and answers in another order.
# From the kernel's command line: seed of the disorder.

. /guest/lib.sh

READERS=8

all_held()
{
	[ "$(host device myfs parked | grep -o for=held | wc -l)" = $READERS ]
}

# answered ORDER: readers get what they wanted when they are answered in that order.
answered()
{
	host device myfs fault op=READ count=all hold >&2
	for n in $(seq $READERS); do
		dd if="/mnt/$n" iflag=direct bs=512 count=1 2>/dev/null >"/run/read.$n" &
	done
	claim "$1: all_are_held" soon all_held
	host device myfs reset >&2
	claim_equal "$1: all_are_released" "$(host device myfs release order="$1")" $READERS
	wait
	for n in $(seq $READERS); do
		dd if="/run/before.$n" bs=512 count=1 2>/dev/null | cmp - "/run/read.$n" ||
			echo "$n"
	done >/run/wrong
	claim_equal "$1: all_read_what_they_wanted" "$(cat /run/wrong)" ""
	host device myfs honest >&2
}

claim driver_loads load
claim share_mounts mount_share
find /mnt -type f -exec md5sum {} + | sort >/run/before
for n in $(seq $READERS); do
	cp "/mnt/$n" "/run/before.$n"
done
# Of one CPU, so that all are on one queue.
taskset -p 1 $$ >&2
answered first
answered random
answered last
claim "last: each_has_overtaken_all_before_it" \
	[ "$(host device myfs counter overtaking)" -ge $((READERS - 1)) ]
taskset -p ff $$ >&2
export VIRTIOFS_DIR=/mnt VIRTIOFS_TAG=myfs
claim one_queue_becomes_slow host device myfs fault queue=1 count=all delay=5
claim task_that_changes_queues_finds_what_it_has_done sh -c 'cd /selftests && ./hop'
claim_equal what_depends_on_each_other_keeps_its_order \
	"$(host device myfs order WRITE FSYNC FLUSH RELEASE)" "0 of 30"
claim device_is_prompt_again host device myfs honest
claim device_becomes_disorderly \
	host device myfs fuzz seed="$seed" share=20 with=timing
plan
echo "# exit 0 device-disorder"

for program; do
	echo "# program $program"
	(cd /selftests && "./$program")
	echo "# exit $? $program"
done

RESULTS=0
echo "# program device-disorder"
echo 3 >/proc/sys/vm/drop_caches
find /mnt -type f -exec md5sum {} + | sort >/run/after
claim other_files_are_as_they_were cmp /run/before /run/after
claim device_is_honest_again host device myfs honest
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
