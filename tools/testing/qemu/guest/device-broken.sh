# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# After a lie about the ring itself nothing on it can be believed; all requests
# end, and a device that is started anew works.
# From the kernel's command line: seed of the lies that are told at random, and
# in_order, if chains return in the order in which they came: a lie may then be taken
# for the end of other chains, after which the two sides wait at different places.

. /guest/lib.sh

READERS=20
ROUNDS=10

readers()
{
	pids=
	for n in $(seq $READERS); do
		cat "/mnt/$n" >/dev/null 2>&1 &
		pids="$pids $!"
	done
}

# given_up: nobody waits any more, and the connection is ended.
given_up()
{
	host device myfs honest >&2
	# shellcheck disable=SC2086 # a list of numbers
	kill -9 $pids 2>/dev/null
	wait
	echo 1 >"$(echo /sys/fs/virtiofs/*/abort)"
}

# broken FAULT: a device that lies so is not used any more.
broken()
{
	host device myfs reset >&2
	readers
	host device myfs fault "op=STATFS $1" >&2
	timeout -s KILL 5 stat -f /mnt >/dev/null 2>&1
	claim_equal "$1: lie_was_told" "$(host device myfs counter lies)" 1
	if [ "$in_order" = 1 ]; then
		given_up
	fi
	wait
	claim_refused "$1: next_request_fails" \
		'endpoint is not connected|connection abort|Input/output' \
		timeout 60 stat -f /mnt
	claim "$1: share_unmounts" umount /mnt
	claim "$1: share_mounts_again" mount_share
	claim_equal "$1: share_is_served_again" "$(find /mnt/dir -type f | wc -l)" 50
}

rounds()
{
	for n in $(seq $ROUNDS); do
		host device myfs fuzz seed=$((seed + n)) share=20 with=ring >&2
		readers
		sleep 1
		given_up
		timeout 60 umount /mnt && mount_share || return 1
	done
}

claim driver_loads load
claim share_mounts mount_share
for fault in twice bogus bogus=65535 bogus=-1; do
	broken $fault
done
host device myfs reset >&2
claim random_lies_come_to_their_end rounds
claim random_lies_were_told [ "$(host device myfs counter lies)" -ge $ROUNDS ]
claim_equal share_is_served_after_all "$(find /mnt/dir -type f | wc -l)" 50
claim share_unmounts umount /mnt
claim driver_unloads rmmod $module
claim driver_loads_again modprobe $module
claim share_mounts_with_it mount_share
claim share_unmounts_again umount /mnt
plan
