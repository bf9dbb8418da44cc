# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Tags at the edge of what is allowed, and devices that are of no use. On the
# kernel's command line: longest. The host has also made devices "two", twice, one
# with a line feed, one with an empty tag, one without a request queue, and one
# with rings of two entries.

. /guest/lib.sh

tags()
{
	cat /sys/fs/virtiofs/*/tag
}

complaint()
{
	dmesg -r | grep '^<[0-4]>' | grep -E 'virtiofs virtio[0-9]+: ' | grep -Eci "$1"
}

claim driver_loads load
claim_equal longest_tag_is_36_bytes "$(printf %s "$longest" | wc -c)" 36
claim longest_tag_is_in_sysfs grep -qxF "$longest" /sys/fs/virtiofs/*/tag
claim longest_tag_mounts mount_share "$longest"
claim_equal longest_tag_shows_its_files "$(cat /mnt/name)" longest
claim longest_tag_unmounts umount /mnt
claim_equal refused_tags_are_not_in_sysfs "$(tags | wc -l)" 2
claim_equal tag_of_two_devices_is_there_once "$(tags | grep -cx two)" 1
claim_equal second_device_with_a_tag_is_refused_with_a_reason \
	"$(complaint 'tag.*(already|taken|duplicate|in use)')" 1
claim_equal tag_with_line_feed_is_refused_with_a_reason \
	"$(complaint 'tag.*(newline|line feed|line break)')" 1
claim_equal empty_tag_is_refused_with_a_reason "$(complaint 'tag is empty')" 1
claim_equal device_without_request_queue_is_refused_with_a_reason \
	"$(complaint 'no request queue')" 1
claim_equal device_with_small_rings_is_refused_with_a_reason \
	"$(complaint 'queue hiprio has 2 entries, at least [0-9]+ are needed')" 1
claim first_device_with_the_tag_mounts mount_share two
claim_equal first_device_with_the_tag_shows_its_files "$(cat /mnt/name)" first
claim first_device_with_the_tag_unmounts umount /mnt
plan
