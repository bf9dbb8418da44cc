# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Mounts, and a driver that is taken from its device and given back under load,
# again and again. From the kernel's command line: how many of each.

. /guest/lib.sh
. /guest/faults.sh

STOP=/run/stop

# remount N: so many times
remount()
{
	n=0
	while [ $n -lt "$1" ]; do
		n=$((n + 1))
		mount_share && echo $n >/mnt/count && umount /mnt || return 1
	done
}

# kept: kilobytes that the kernel holds for itself when it has let go of caches
kept()
{
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	sed -n 's/^SUnreclaim: *\([0-9]*\) kB/\1/p' /proc/meminfo
}

# rebind: under load; that ends, the mount fails, and all comes back.
rebind()
{
	mount_share || return 1
	mkdir -p /mnt/work
	rm -f $STOP
	/device/hammer /mnt/work 4 $STOP &
	hammer=$!
	sleep 0.3
	echo "$bus_name" >$DRIVER/unbind && no_tag myfs || return 1
	! timeout 20 stat /mnt/missing 2>/run/said || return 1
	touch $STOP
	soon ended $hammer && wait $hammer
	grep -q 'not connected' /run/said && timeout 20 umount /mnt || return 1
	echo "$bus_name" >$DRIVER/bind && has_tag myfs
}

rebinds()
{
	n=0
	while [ $n -lt "$binds" ]; do
		n=$((n + 1))
		rebind || return 1
	done
}

claim driver_loads load
bus_name=$(basename "$(virtio myfs)")
claim share_mounts_and_unmounts remount 50
before=$(kept)
claim "share_mounts_and_unmounts_${mounts}_times" remount "$mounts"
after=$(kept)
echo "kept by the kernel: $before kB before, $after kB after" >&2
claim no_memory_is_lost test $((after - before)) -lt 2048
claim "driver_is_unbound_and_bound_${binds}_times_under_load" rebinds
claim_equal one_line_in_the_log_for_each \
	"$(lines 'virtiofs virtio[0-9]*: removed while tag <myfs> is mounted')" "$binds"
claim_equal nothing_else_in_the_log "$(lines "virtiofs virtio|fuse")" $((2 * binds + 1))
claim file_is_there_again sh -c 'mkdir -p /mnt && mount -t virtiofs myfs /mnt && test -e /mnt/count'

# The device itself, by the bus
claim device_is_removed sh -c "echo 1 >$(pci myfs)/remove"
claim its_tag_is_gone no_tag myfs
claim_refused calls_are_refused 'not connected' timeout 20 stat /mnt/missing
claim dead_mount_unmounts umount /mnt
claim bus_is_scanned sh -c 'echo 1 >/sys/bus/pci/rescan'
claim its_tag_is_back soon has_tag myfs
claim share_mounts_again mount_share
claim_equal file_is_as_it_was "$(cat /mnt/count)" "$mounts"
claim share_unmounts_again umount /mnt
plan
