# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The share has a file system mounted in its directory sub on the host. That ends in
# the guest while the device still reads a file of it ahead; is all that is left of
# the share in the guest; or cannot be mounted there for want of memory.

. /guest/lib.sh

CGROUPS=/run/cgroups

# read_ahead: a file of the submount is closed before what was read ahead is there.
read_ahead()
{
	asked=$(host device myfs counter op.READ)
	host device myfs fault "op=READ count=all hold" >&2
	cat /mnt/sub/file >/dev/null &
	pid=$!
	claim "$1: device_has_the_request" host device myfs wait op.READ $((asked + 1))
	kill -9 $pid
	claim "$1: reader_is_killed" soon ended $pid
	wait $pid
	umount /mnt/sub &
	pid=$!
	claim "$1: submount_is_gone" soon is_gone /mnt/sub
	sleep 1
	claim "$1: its_end_waits_for_the_device" waits $pid
}

waits()
{
	! ended "$1"
}

# A look at the directory itself would keep it busy.
is_gone()
{
	! grep -q " $1 " /proc/mounts
}

file_of()
{
	echo 3 >/proc/sys/vm/drop_caches
	md5sum <"$1/file"
}

# kept FIRST SECOND: the share is unmounted while its submount is in use elsewhere, in
# /run/kept, and is mounted again in /run/again. Both are unmounted in this order.
kept()
{
	begun=$(host device myfs counter op.INIT)
	ended=$(host device myfs counter op.DESTROY)
	claim "$1: share_mounts" mount_share
	wanted=$(file_of /mnt/sub)
	claim "$1: submount_is_used_elsewhere" mount --bind /mnt/sub /run/kept
	claim "$1: share_unmounts" sh -c 'umount /mnt/sub && umount /mnt'
	claim_equal "$1: submount_is_served_without_it" "$(file_of /run/kept)" "$wanted"
	claim "$1: share_mounts_again" mount_share myfs /run/again
	claim_equal "$1: submount_is_served_beside_it" "$(file_of /run/kept)" "$wanted"
	claim_equal "$1: and_in_it" "$(file_of /run/again/sub)" "$wanted"
	/device/range store 500000 /run/again/sub/sparse >/run/stored &
	pid=$!
	claim "$1: byte_is_stored_in_it" soon grep -q stored /run/stored
	claim_equal "$1: which_is_found_beside_it" \
		"$(/device/range data 0 /run/kept/sparse)" 499712
	kill $pid
	wait $pid
	claim "$1: sparse_file_is_empty_again" host sh 'truncate -s 0 sub/sparse; truncate -s 1M sub/sparse'
	claim "$1: it_goes" umount "$1"
	claim_equal "$1: the_other_is_served" "$(file_of "$2")" "$wanted"
	claim_equal "$1: session_has_not_ended" "$(host device myfs counter op.DESTROY)" \
		"$ended"
	claim "$1: the_other_goes" umount "${2%/sub}"
	claim_equal "$1: there_was_one_session" "$(host device myfs counter op.INIT)" \
		$((begun + 1))
	claim_equal "$1: which_has_ended_once" "$(host device myfs counter op.DESTROY)" \
		$((ended + 1))
}

# tight: a task of a memory cgroup walks into the submount again and again, and each
# superblock that it so makes stays in use elsewhere, until there is no room for one more.
# The kernel kills the task then, and the allocation fails.
tight()
{
	mkdir $CGROUPS/tight
	sh -c "echo \$\$ >$CGROUPS/tight/cgroup.procs
		while :; do [ -e /mnt/sub/. ]; done" 2>/dev/null &
	pid=$!
	sleep 1
	# The second time without what the kernel has charged in advance
	echo $(($(cat $CGROUPS/tight/memory.current) - 4096)) >$CGROUPS/tight/memory.max
	cat $CGROUPS/tight/memory.current >$CGROUPS/tight/memory.max
	for n in $(seq 300); do
		# By that task, and not by a mount of ours
		until ended $pid || grep -q ' /mnt/sub ' /proc/self/mounts; do
			sleep 0.01
		done
		ended $pid && break
		mkdir -p "/run/bound/$n"
		mount --bind /mnt/sub "/run/bound/$n"
		umount -l /mnt/sub
	done
	claim "$1: task_is_killed" ended $pid
	kill -9 $pid 2>/dev/null
	wait $pid
	umount /run/bound/*
	rm -r /run/bound
	rmdir $CGROUPS/tight
}

# say_no_more NAME: the kernel says a lot about a task that it kills for want of memory, in
# the words of a fault. That is dropped, after a look at what else there is.
say_no_more()
{
	claim_equal "$1: kernel_has_no_other_complaint" "$(since_begin |
		sed '/invoked oom-killer/,/Memory cgroup out of memory/d' | grep '^<[0-4]>' |
		grep -Ev 'out-of-tree module|hrtimer: interrupt took')" ""
	dmesg -c >/dev/null
	echo '<6>guest: tests begin' >/dev/kmsg
}

# Anything of the session is there only as long as that is.
has_session()
{
	cat /sys/fs/virtiofs/*/errors
}

# The mount of the share stays, and so do its requests.
go_on()
{
	claim "$1: share_goes_on" timeout 60 stat -f /mnt
	host device myfs release >&2
	host device myfs honest >&2
}

claim driver_loads load
mkdir -p /run/kept /run/again $CGROUPS
kept /run/kept /run/again/sub
kept /run/again /run/kept

claim share_mounts mount_share
if mount -t cgroup2 cgroup2 $CGROUPS && echo +memory >$CGROUPS/cgroup.subtree_control; then
	level=$(cut -f 1 /proc/sys/kernel/printk)
	for round in 1 2 3; do
		echo 4 >/proc/sys/kernel/printk
		tight "no memory $round"
		echo "$level" >/proc/sys/kernel/printk
		say_no_more "no memory $round"
		claim "no memory $round: session_goes_on" has_session
		claim "no memory $round: share_is_served" timeout 60 stat -f /mnt
		umount -l /mnt/sub
	done
else
	skip submount_that_fails_takes_nothing_along "the kernel is without memory cgroups"
fi

# The directory's inode, not the submount's root: nothing has entered that yet.
claim attribute_of_the_mount_point_is_set setfattr -n user.note -v remember /mnt/sub
claim_equal mount_point_has_the_attribute \
	"$(getfattr --only-values -n user.note /mnt/sub)" remember
claim mount_point_is_not_entered_yet is_gone /mnt/sub

claim_equal submount_shows_its_files "$(md5sum </mnt/sub/file)" "$(host sh 'md5sum <sub/file')"
claim submount_unmounts umount /mnt/sub

# Who watches the submount's root keeps it until after the superblock's other inodes.
claim submount_is_entered md5sum /mnt/sub/file
claim watched_submount_unmounts /device/watched /mnt/sub umount /mnt/sub
claim lookup_of_the_submount_is_given_back soon all_given_back

read_ahead answer
go_on answer
claim "answer: submount_ends" soon ended $pid
wait $pid
claim_equal submount_is_found_again "$(md5sum </mnt/sub/file)" "$(host sh 'md5sum <sub/file')"
claim submount_unmounts_again umount /mnt/sub
claim guest_gives_back_all_it_had soon all_given_back

read_ahead abort
claim "abort: umount_-f" umount -f /mnt
claim "abort: submount_ends" soon ended $pid
host device myfs release >&2
host device myfs honest >&2
plan
