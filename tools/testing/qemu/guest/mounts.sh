# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What a mount takes, shows and refuses, when it is made, made again and changed.

. /guest/lib.sh

# shows TEXT: options of /mnt, as the kernel says them.
shows()
{
	grep -Eq "^myfs /mnt virtiofs (.*,)?$1(,| )" /proc/mounts
}

# shows_no TEXT
shows_no()
{
	! shows "$1"
}

with()
{
	mount -t virtiofs -o "$1" myfs "${2:-/mnt}"
}

remount()
{
	mount -o "remount,$1" /mnt
}

# value NAME: of the mounted session.
value()
{
	cat /sys/fs/virtiofs/*/"$1"
}

no_tag()
{
	! grep -qx myfs /sys/fs/virtiofs/*/tag 2>/dev/null
}

claim driver_loads load
mkdir -p /mnt /run/second

claim_refused unknown_tag_is_refused 'tag <urfs> not found, there is <myfs>' \
	mount -t virtiofs urfs /mnt
# The mount of busybox uses mount(2), which has no other place for a message
busybox mount -t virtiofs urfs /mnt 2>/dev/null
claim log_says_whose_message_it_is log_has 'virtiofs: tag <urfs> not found, there is <myfs>'
claim_refused unknown_option_is_refused "Unknown parameter 'colour'" with colour=red
claim_refused dax_is_refused 'dax=always: the device has no DAX window' with dax=always
claim_refused limits_of_nothing 'No such device' value max_write

claim share_mounts with timeout=100,max_inodes=5000
claim options_are_shown shows timeout=100
claim all_of_them shows max_inodes=5000
# A ring of 128 has room for 126 pages
claim_equal limits_are_shown "$(value max_read) $(value max_write)" "516096 516096"
claim readahead_is_shown sh -c 'test "$(cat "/sys/class/bdi/$(mountpoint -d /mnt)/read_ahead_kb")" -gt 0'

claim same_options_mount_again with timeout=100 /run/second
claim no_options_mount_again mount -t virtiofs myfs /run/second
claim second_mount_goes umount /run/second
claim second_mount_goes_too umount /run/second
claim_refused other_timeout_is_refused 'timeout=50: the tag is mounted with 100' \
	with timeout=50 /run/second
claim_refused other_limit_is_refused 'max_inodes=7: the tag is mounted with 5000' \
	with max_inodes=7 /run/second
claim second_mount_may_be_read_only with ro /run/second
claim_refused which_it_is 'Read-only' touch /run/second/file
claim first_mount_is_not touch /mnt/file
claim second_mount_is_unmounted umount /run/second

claim timeout_is_changed remount timeout=60
claim new_timeout_is_shown shows timeout=60
claim limit_is_as_before shows max_inodes=5000
claim limit_is_changed remount max_inodes=0
claim no_limit_is_shown shows_no 'max_inodes=[0-9]+'
claim_refused dax_cannot_be_changed 'dax=always: the device has no DAX window' remount dax=always

# Written before the remount, and on the host when that returns
dd if=/dev/urandom of=/mnt/before bs=1M count=8 2>/dev/null
claim share_becomes_read_only remount ro
claim_equal data_are_on_the_host "$(host sh 'md5sum <before')" "$(md5sum </mnt/before)"
claim_refused nothing_is_written 'Read-only' touch /mnt/another
claim_refused second_mount_cannot_be_writable 'rw: the tag is mounted read-only' \
	mount -w -t virtiofs myfs /run/second
claim share_becomes_writable remount rw
claim something_is_written touch /mnt/another

# sync(2) is for all file systems
for n in 1 2 3; do
	dd if=/dev/urandom of=/mnt/synced bs=1M count=16 2>/dev/null
	sum=$(md5sum </mnt/synced)
	sync
	claim_equal "data_are_on_the_host_after_sync_$n" \
		"$(host sh 'md5sum <synced')" "$sum"
done
claim share_unmounts umount /mnt

# A tag that comes later
claim host_unplugs_the_device host unplug myfs
claim tag_is_gone soon no_tag
claim_refused nothing_is_there_to_be_mounted \
	'tag <myfs> not found: there is no virtiofs device' mount_share
claim_refused waiting_in_vain_ends 'tag <myfs> not found' with wait=1
with wait=600 &
pid=$!
sleep 1
kill -9 $pid
claim waiting_can_be_killed soon ended $pid
with wait=600 &
pid=$!
sleep 1
claim host_plugs_it_in host plug myfs
claim waiting_mount_succeeds wait $pid
claim file_is_there test -e /mnt/before
claim share_unmounts_at_last umount /mnt
plan
