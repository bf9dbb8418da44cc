# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Requests that a task submits together: the device is notified once for all of them.

. /guest/lib.sh

# during COMMAND...: sets requests and kicks to what the device has seen of it.
during()
{
	requests=$(host device myfs counter queue.1.requests)
	kicks=$(host device myfs counter queue.1.kicks)
	"$@" >&2
	requests=$(($(host device myfs counter queue.1.requests) - requests))
	kicks=$(($(host device myfs counter queue.1.kicks) - kicks))
	echo "$requests requests, $kicks kicks" >&2
}

claim driver_loads load
claim share_mounts mount_share

# A MiB ahead takes three requests.
during md5sum /mnt/big
claim file_is_read test $requests -ge 150
claim what_is_read_ahead_is_kicked_for_once test $((kicks * 10)) -le $((requests * 4))
claim_equal it_is_what_the_host_has "$(md5sum </mnt/big)" "$(host sh 'md5sum <big')"

during fio --name=together --filename=/mnt/big --size=64M --io_size=16M --bs=4k --rw=randread \
	--direct=1 --ioengine=libaio --iodepth=16 --iodepth_batch=16 --iodepth_batch_complete_min=16
claim many_reads_are_done test $requests -ge 4096
claim those_of_one_call_are_kicked_for_once test $((kicks * 10)) -le "$requests"

claim share_unmounts umount /mnt
plan
