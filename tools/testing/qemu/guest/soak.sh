# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Whatever can happen to a device, its driver, its mount and its users happens,
# at random and under load. From the kernel's command line: how many events, or
# how many minutes.

. /guest/lib.sh
. /guest/faults.sh

STOP=/run/stop
WRONG=/run/wrong
WORKER=/run/worker
KINDS="aio uring direct shared mapped cached threads syncs"
CPU=/sys/devices/system/cpu/cpu1/online
CGROUP=/run/cgroup
GROUP=$CGROUP/group

random()
{
	echo $(($(od -An -N2 -tu2 /dev/urandom) % $1))
}

# on_share: into a directory of the share, and not into one that fio has made while nothing
# was mounted. Only "." says which: what is mounted meanwhile is in the way of "..".
on_share()
{
	cd / && cd /mnt/work && [ "$(stat -f -c %t .)" = 65735546 ]
}

# writer N: what has reached the host has to be read again, in whatever mount.
writer()
{
	count=0
	while [ ! -e $STOP ]; do
		count=$((count + 1))
		file=writer$1.$((count % 4))
		on_share || continue
		echo "$1 $count" | dd of="$file" conv=fsync 2>/dev/null || continue
		on_share || continue
		got=$(cat "$file" 2>/dev/null) || continue
		[ "$got" = "$1 $count" ] || echo "$file: '$got', not '$1 $count'" >>$WRONG
	done 2>/dev/null
}

# worker_start: of some kind, in a process group of its own
worker_start()
{
	# shellcheck disable=SC2086 # words
	set -- $KINDS
	shift "$(random $#)"
	setsid sh /guest/worker.sh "$1" /mnt/work/worker >/dev/null 2>&1 &
	echo $! >$WORKER
}

worker_kill()
{
	kill -9 "-$(cat $WORKER)"
}

# limit_memory: of a group, whose tasks have to give back what they have
limit_memory()
{
	mkdir -p $CGROUP && mount -t cgroup2 cgroup2 $CGROUP &&
		echo +memory >$CGROUP/cgroup.subtree_control && mkdir $GROUP &&
		echo 3M >$GROUP/memory.high
}

worker_ended()
{
	! kill -0 "-$(cat $WORKER)" 2>/dev/null
}

group_ended()
{
	grep -q 'populated 0' $GROUP/cgroup.events
}

# group_start: a container with less memory than its tasks want
group_start()
{
	for task in 1 2; do
		(
			echo 0 >$GROUP/cgroup.procs
			while :; do
				ls -lR /mnt
				dd if=/dev/zero of=/mnt/work/group$task bs=256k count=16
				cat /mnt/work/group$task
				sleep 0.1
			done
		) >/dev/null 2>&1 &
	done
}

loads_start()
{
	rm -f $STOP
	worker_start
	group_start
	loads=
	for n in 1 2 3; do
		writer $n &
		loads="$loads $!"
	done
	/device/hammer /mnt/work 4 $STOP &
}

no_hammer()
{
	! pidof hammer >/dev/null
}

loads_end()
{
	touch $STOP
	worker_kill
	echo 1 >$GROUP/cgroup.kill
	# shellcheck disable=SC2086 # a list
	soon ended $loads && soon no_hammer && soon worker_ended && soon group_ended
}

# fresh: the share is mounted, by all means but a reboot.
fresh()
{
	tries=0
	until mounted /mnt && timeout 30 stat -f /mnt >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 60 ] || return 1
		! mounted /mnt || umount /mnt 2>/dev/null || umount -l /mnt
		timeout 120 mount -t virtiofs myfs /mnt 2>/dev/null || sleep 0.2
	done
}

# bound NAME: a reset of the function in the middle of a probe makes that fail.
bound()
{
	[ -e "$DRIVER/$1" ] || echo "$1" >$DRIVER/bind
}

# walk: into the submount, which may fail
walk()
{
	got=$(cat /mnt/sub/file 2>/dev/null) || return 0
	[ "$got" = sub ] || echo "/mnt/sub/file: '$got'" >>$WRONG
}

# event N: makes it happen
event()
{
	case $1 in
	0)	killall -9 hammer
		/device/hammer /mnt/work 4 $STOP & ;;
	1)	umount -f /mnt ;;
	2)	echo 1 >"$(device myfs)/abort" ;;
	3)	name=$(basename "$(virtio myfs)")
		echo "$name" >$DRIVER/unbind
		soon bound "$name" ;;
	4)	host pause-daemon myfs 0.3
		sleep 0.1 ;;
	5)	echo 3 >/proc/sys/vm/drop_caches ;;
	6)	echo devices >/sys/power/pm_test
		echo freeze >/sys/power/state
		echo none >/sys/power/pm_test ;;
	7)	echo 1 >"$(pci myfs)/reset" ;;
	8)	host unplug myfs
		soon no_tag myfs
		host plug myfs
		soon has_tag myfs ;;
	9)	umount -l /mnt ;;
	10)	echo 0 >$CPU
		sleep 0.2
		echo 1 >$CPU ;;
	11)	worker_kill
		worker_start ;;
	12)	sync -f /mnt ;;
	13)	walk
		umount /mnt/sub ;;
	14)	echo 1 >$GROUP/cgroup.kill
		group_start ;;
	esac
}

# events: several at a time, now and then.
events_run()
{
	ends=$((minutes * 60 + $(cut -d . -f 1 /proc/uptime)))
	n=0
	while [ $n -lt "$events" ] || [ "$(cut -d . -f 1 /proc/uptime)" -lt $ends ]; do
		n=$((n + 1))
		one=$(random 15)
		other=$(random 15)
		# One at a time can ask the host for something.
		[ "$other" != 4 ] && [ "$other" != "$one" ] || other=5
		echo "event $n: $one $other" >&2
		if [ "$other" -lt 6 ] || [ "$other" -ge 10 ]; then
			event "$other" >/dev/null 2>&1 &
			pid=$!
			event "$one" >/dev/null 2>&1
			wait $pid
		else
			event "$one" >/dev/null 2>&1
		fi
		fresh || return 1
		mkdir -p /mnt/work
		sleep 0.1
	done
	echo "$n events" >&2
}

claim driver_loads load
echo 0 >/sys/module/suspend/parameters/pm_test_delay
# Who is over its memory sleeps for two seconds
echo 5000 >/sys/power/pm_freeze_timeout
claim share_mounts mount_share
claim memory_has_limits limit_memory
mkdir /mnt/work
: >$WRONG
loads_start
claim share_can_be_used_after_each_event events_run
claim load_comes_to_its_end loads_end
claim_equal nothing_was_read_but_what_was_written "$(cat $WRONG)" ""
rm -rf /mnt/work
claim share_unmounts umount /mnt
claim share_mounts_at_last mount_share
claim_equal nothing_is_left "$(ls -A /mnt)" sub
claim share_unmounts_at_last umount /mnt
plan
