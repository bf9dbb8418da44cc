# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A container at the limit of its memory, whose tasks are killed at random, on a share that
# may keep few inodes.

. /guest/lib.sh

BOX=/sys/fs/cgroup/box
WORKERS=6
KILLS=${kills:-40}

random()
{
	echo $(($(od -An -N2 -tu2 /dev/urandom) % $1))
}

# work N: in the container, until it is killed
work()
{
	echo 0 >$BOX/cgroup.procs || return
	while :; do
		dd if=/dev/zero of="/mnt/work/$1.big" bs=64k count=128
		cat /mnt/[0-9]* >/dev/null
		dd if="/mnt/work/$1.big" of=/dev/null bs=1M iflag=direct
		ls -lR /mnt/dir /mnt/many >/dev/null
		mkdir "/mnt/work/$1.dir"
		echo text >"/mnt/work/$1.dir/file"
		mv "/mnt/work/$1.dir/file" "/mnt/work/$1.moved"
		rm -rf "/mnt/work/$1.dir" "/mnt/work/$1.moved"
	done >/dev/null 2>&1
}

# worker N: if it is killed another one takes its place
worker()
{
	while [ ! -e /run/stop ]; do
		work "$1" &
		wait $!
	done
}

box_is_empty()
{
	[ -z "$(cat $BOX/cgroup.procs)" ]
}

claim driver_loads load
mkdir -p /mnt
claim share_mounts mount -t virtiofs -o max_inodes=200 myfs /mnt
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $BOX
claim container_has_a_limit sh -c "echo 24M >$BOX/memory.max"
for n in $(seq $WORKERS); do
	worker "$n" 2>/dev/null &
done
for kill in $(seq "$KILLS"); do
	sleep 0.1
	# shellcheck disable=SC2046 # a list
	set -- $(cat $BOX/cgroup.procs)
	[ $# = 0 ] || shift "$(random $#)"
	kill -9 "$1" 2>/dev/null
done
grep . $BOX/memory.events $BOX/memory.peak >&2
claim container_was_at_its_limit grep -Eq '^max [1-9]' $BOX/memory.events
touch /run/stop
claim container_is_killed sh -c "echo 1 >$BOX/cgroup.kill"
claim container_is_empty soon box_is_empty
wait
claim container_is_removed soon rmdir $BOX
claim_equal share_is_served "$(md5sum </mnt/5)" "$(host sh 'md5sum <5')"
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
