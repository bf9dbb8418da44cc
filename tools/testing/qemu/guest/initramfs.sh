# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The initramfs of Debian's tools has mounted the root, with the package's module.

. /guest/lib.sh

claim_equal root_is_mounted_by_its_tag "$(sed -n 's: / virtiofs rw.*::p' /proc/mounts)" myfs
claim_equal module_is_the_one_of_the_package \
	"$(cd /sys/module/virtiofs/parameters && echo *)" "poll_us timeout"
claim file_is_written sh -c 'echo here >/root/note && grep -qx here /root/note'
plan
