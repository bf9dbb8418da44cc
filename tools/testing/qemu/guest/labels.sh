# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# labels NAME: a security module labels files, and asks for labels while a share is mounted,
# which may last: nobody else waits for that.

. /guest/lib.sh
. /guest/faults.sh

LABEL=security.$1

# mounting: in the background, as process $pid.
mounting()
{
	mkdir -p /mnt
	mount -t virtiofs myfs /mnt >/run/said 2>&1 &
	pid=$!
}

holds()
{
	[ "$(host device myfs parked | grep -o for=held | wc -l)" -ge 1 ]
}

claim module_is_active sh -c "dmesg | grep -qi '$security: *initializing'"
claim driver_loads load

claim server_does_not_answer host device myfs fault op=INIT hold
mounting
claim server_is_asked soon holds
claim others_need_not_wait timeout 60 sync
kill -9 $pid
claim mount_can_be_killed soon ended $pid
host device myfs honest >&2

host device myfs fault op=INIT error=-1 >&2
claim_refused error_of_the_server_is_that_of_the_mount 'there is no session with the server' mount_share
host device myfs honest >&2

claim server_is_late host device myfs fault op=INIT delay=3000
mounting
claim others_need_not_wait_for_that timeout 60 sync
claim share_mounts_late soon ended $pid
claim share_mounts wait $pid
host device myfs honest >&2
claim share_is_served test "$(md5sum </mnt/5)" = "$(host sh 'md5sum <5')"

echo text >/mnt/work/file
claim file_is_labelled setfattr -n "$LABEL" -v label /mnt/work/file
claim share_unmounts umount /mnt
claim share_mounts_again mount_share
claim_equal label_is_kept \
	"$(getfattr --only-values -n "$LABEL" /mnt/work/file 2>/dev/null | tr -d '\0')" label
claim_equal file_is_read_as_ever "$(cat /mnt/work/file)" text

# The module asks for labels of files that it sees for the first time.
claim server_does_not_tell_labels host device myfs fault op=GETXATTR count=all hold
cat /mnt/7 >/dev/null 2>&1 &
pid=$!
sleep 1
claim others_need_not_wait_for_labels timeout 60 sync
kill -9 $pid
claim reader_can_be_killed soon ended $pid
host device myfs release >&2
host device myfs honest >&2
claim share_goes_on timeout 60 md5sum /mnt/8
claim share_unmounts_again umount /mnt
plan
