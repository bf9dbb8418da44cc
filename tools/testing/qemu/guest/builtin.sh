# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The kernel has virtiofs built in; the module must give way in plain words.

. /guest/lib.sh

said()
{
	dmesg -r | sed '1,/guest: tests begin/d' | grep '^<[0-4]>' |
		grep -v 'taints kernel' | grep -c virtiofs
}

claim_refused module_is_refused 'busy' insmod "/lib/modules/$(uname -r)/updates/virtiofs_guest.ko"
claim_equal kernel_log_says_why_in_one_line "$(said)" 1
claim log_line_says_what_is_there log_has 'virtiofs.*built in.*initcall_blacklist=virtio_fs_init'
claim share_mounts_with_the_builtin_driver mount_share
claim_equal share_works_with_the_builtin_driver "$(cat /mnt/file)" here
claim share_unmounts umount /mnt
plan
