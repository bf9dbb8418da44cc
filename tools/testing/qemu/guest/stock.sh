# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A kernel as Debian has it. If it has a virtiofs built in, the kernel's command line has left that
# out. The module takes its place by itself.

. /guest/lib.sh

field()
{
	modinfo -F "$1" $module
}

claim_refused kernels_own_driver_is_not_there '' grep -qw virtiofs /proc/filesystems
# Others look at the versions of their symbols
case $(field vermagic) in
*modversions*)	;;
*)	claim_refused module_of_another_build_is_refused 'Invalid module format' \
		insmod /other/$module.ko
	claim log_says_why log_has 'virtiofs: built for another build of Linux' ;;
esac
mkdir -p /mnt
claim mount_loads_the_module mount -t virtiofs myfs /mnt
claim it_is_the_module_that_was_built test -d /sys/module/$module/parameters
claim_equal version_is_told "$(cat /sys/module/$module/version)" 1.0
claim_equal module_that_is_loaded_can_be_told "$(cat /sys/module/$module/srcversion)" "$(field srcversion)"
claim_equal files_are_read "$(cat /mnt/file)" here
claim files_are_written cp /bin/busybox /mnt/written
claim file_is_whole cmp /bin/busybox /mnt/written
claim parameters_are_there test -e /sys/module/$module/parameters/timeout
claim share_unmounts umount /mnt
claim module_unloads rmmod $module
# As udev does for each device
alias=$(cat /sys/bus/virtio/devices/virtio*/modalias | grep -m 1 '^virtio:d0000001A')
claim device_loads_the_module modprobe "$alias"
claim_equal driver_takes_the_device "$(cat /sys/fs/virtiofs/*/tag)" myfs
plan
