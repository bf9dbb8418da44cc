# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Readers and writers of all kinds are killed at random, while the device
# answers now at once and now late. From the kernel's command line: how many
# are killed, or how many minutes that takes.

. /guest/lib.sh

KINDS="aio uring direct shared mapped cached threads syncs reads writes"
SLOTS="1 2 3 4 5 6"
COPY=/run/copy
WRONG=/run/wrong
STOP=/run/stop
PATTERN=/run/pattern

random()
{
	echo $(($(od -An -N2 -tu2 /dev/urandom) % $1))
}

# one_of WORD...
one_of()
{
	shift "$(random $#)"
	echo "$1"
}

# start SLOT: a worker of some kind, in a process group of its own. All that
# write in a slot write to one file, one after the other.
start()
{
	# shellcheck disable=SC2086 # words
	kind=$(one_of $KINDS)
	echo "$1: $kind" >&2
	setsid sh /guest/worker.sh "$kind" "/mnt/work/$1" >/dev/null 2>&1 &
	eval "worker$1=$!"
}

group_ended()
{
	! kill -0 "-$1" 2>/dev/null
}

# end SLOT
end()
{
	eval "worker=\$worker$1"
	kill -9 "-$worker"
	wait "$worker" 2>/dev/null
	soon group_ended "$worker"
}

# Whatever is late, is so for a random time.
pace()
{
	host device myfs clear
	for op in READ WRITE FSYNC; do
		host device myfs fault op=$op count=all delay="$(random 3)"
	done
}

# bystander: has memory, and gives it back for others to have
bystander()
{
	while [ ! -e $STOP ]; do
		for n in 1 2 3 4; do
			cp $PATTERN /run/memory.$n
		done
		sleep 0.2
		for n in 1 2 3 4; do
			cmp -s $PATTERN /run/memory.$n || echo "a bystander's memory" >>$WRONG
			rm /run/memory.$n
		done
	done
}

now()
{
	cut -d . -f 1 /proc/uptime
}

killing()
{
	ends=$((minutes * 60 + $(now)))
	n=0
	for slot in $SLOTS; do
		start "$slot"
	done
	while [ $n -lt "$kills" ] || [ "$(now)" -lt $ends ]; do
		n=$((n + 1))
		sleep "0.$(random 10)"
		[ $((n % 4)) != 0 ] || pace >&2 || return 1
		[ "$(random 8)" != 0 ] || echo 3 >/proc/sys/vm/drop_caches
		# shellcheck disable=SC2086 # words
		slot=$(one_of $SLOTS)
		end "$slot" || return 1
		start "$slot"
	done
	for slot in $SLOTS; do
		end "$slot" || return 1
	done
	echo "$n were killed" >&2
}

nothing_in_flight()
{
	[ "$(host device myfs counter in_flight)" = 0 ]
}

claim driver_loads load
claim share_mounts mount_share
mkdir $COPY
cp /mnt/[0-9]* $COPY
head -c 1000000 /dev/urandom >$PATTERN
: >$WRONG
bystander &
bystander=$!
claim who_is_killed_is_gone killing
claim device_is_fast_again host device myfs honest
touch $STOP
wait $bystander
claim_equal nothing_was_read_but_what_was_written "$(sort $WRONG | uniq -c)" ""
claim everything_is_answered soon nothing_in_flight
claim work_is_removed rm -r /mnt/work
claim guest_gives_back_all_it_had soon all_given_back
for n in "$COPY"/*; do
	cmp "$n" "/mnt/${n##*/}"
done >$WRONG 2>&1
claim_equal files_read_as_ever "$(cat $WRONG)" ""
claim share_unmounts umount /mnt
rm -r /run/read.* $COPY 2>/dev/null
plan
