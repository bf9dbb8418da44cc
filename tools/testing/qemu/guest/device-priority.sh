# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# FORGETs and INTERRUPTs pass a request queue that is full and stalled.
#
# scenario: ours device queues=1 ring=256
# expect-log: virtiofs: myfs: (not responding|responding)

. /guest/lib.sh

FORGETS=10000
INTERRUPTS=100
CROWD=300

claim driver_loads load
claim share_mounts mount_share
claim files_are_made host sh "mkdir work/many && cd work/many && seq $FORGETS | xargs touch"
# Looked up, and nothing else: what the kernel can forget.
claim files_are_looked_up test "$(find /mnt/work/many -size -1 -type f | wc -l)" = $FORGETS

flock -o /mnt/8 sleep 1000 >/dev/null 2>&1 &
holder=$!
claim lock_is_taken host device myfs wait op.SETLKW 1
mkfifo /run/go
/device/signalled flock /mnt/8 $INTERRUPTS </run/go >/run/result &
signalled=$!
exec 9>/run/go
claim locks_are_waited_for host device myfs wait op.SETLKW $((1 + INTERRUPTS))

claim request_queue_stalls host device myfs stall 1
for n in $(seq $CROWD); do
	stat -f /mnt >"/run/stat.$n" &
done
sleep 3
requests=$(host device myfs counter queue.1.requests)
before=$(host device myfs counter forgets)
kicks=$(host device myfs counter queue.0.kicks)
echo 2 >/proc/sys/vm/drop_caches
claim forgets_pass host device myfs wait forgets $((before + FORGETS))
echo "# $FORGETS forgets: $(($(host device myfs counter queue.0.kicks) - kicks)) kicks"
echo go >&9
exec 9>&-
claim interrupts_pass host device myfs wait interrupts_matched $INTERRUPTS
wait $signalled
claim_equal calls_are_interrupted "$(cat /run/result)" "$INTERRUPTS Interrupted system call"
claim_equal requests_do_not_pass "$(host device myfs counter queue.1.requests)" "$requests"

claim request_queue_goes_on host device myfs resume 1
kill $holder
wait
claim_equal crowd_has_what_it_wanted "$(cat /run/stat.* | grep -c Namelen)" $CROWD
claim_equal nothing_else_is_on_the_queue \
	"$(host device myfs counter violation.hiprio)" 0
claim files_are_removed rm -r /mnt/work/many
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
