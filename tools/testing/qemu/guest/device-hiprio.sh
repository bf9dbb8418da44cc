# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# FORGET reaches the device while the request queue is full and stalled.

. /guest/lib.sh

READERS=30

claim driver_loads load
claim share_mounts mount_share
# Looked up, and nothing else: what the kernel can forget.
ls -l /mnt/dir >&2
before=$(host device myfs counter forgets)

claim request_queue_stalls host device myfs stall 1
for n in $(seq $READERS); do
	md5sum "/mnt/$n" >"/run/sum.$n" 2>&1 &
done
sleep 2
requests=$(host device myfs counter queue.1.requests)
echo 2 >/proc/sys/vm/drop_caches
claim forgets_reach_the_device \
	host device myfs wait forgets $((before + 50))
claim_equal requests_do_not_meanwhile \
	"$(host device myfs counter queue.1.requests)" "$requests"

claim request_queue_goes_on host device myfs resume 1
wait
claim_equal readers_read_what_they_wanted \
	"$(cat /run/sum.*)" "$(for n in /run/sum.*; do md5sum "/mnt/${n##*.}"; done)"

# Nor the other way round. The ring is shorter than what is forgotten.
ls -l /mnt/dir >&2
before=$(host device myfs counter forgets)
claim hiprio_queue_stalls host device myfs stall 0
echo 2 >/proc/sys/vm/drop_caches
claim requests_reach_the_device timeout 60 md5sum "/mnt/$READERS"
claim_equal forgets_do_not_meanwhile "$(host device myfs counter forgets)" "$before"
claim hiprio_queue_goes_on host device myfs resume 0
claim no_forget_is_lost host device myfs wait forgets $((before + 50))
claim_equal nothing_else_is_on_the_queue \
	"$(host device myfs counter violation.hiprio)" 0
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
