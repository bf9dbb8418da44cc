# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The modules as they were after the package was installed, upgraded and removed,
# each below /states: what modprobe takes there, and a mount by it.

. /guest/lib.sh

parameters()
{
	(cd /sys/module/virtiofs/parameters 2>/dev/null && echo *)
}

# state NAME PARAMETERS: those tell the drivers apart.
state()
{
	claim "$1_module_loads" modprobe -d "/states/$1" virtiofs
	claim_equal "$1_module_is_the_right_one" "$(parameters)" "$2"
	claim "$1_module_mounts" mount_share
	claim_equal "$1_module_works" "$(cat /mnt/file)" here
	claim "$1_module_unmounts" umount /mnt
	claim "$1_module_unloads" rmmod virtiofs
}

state installed "poll_us timeout"
state upgraded "poll_us second timeout"
state removed ""
plan
