# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# One lie in a reply's header or about its length after the other: one request
# fails, with one message in the kernel's log, and the next does not.

. /guest/lib.sh
. /guest/lies.sh

WRONG=0

# wrong NAME OPCODE "FAULT" COMMAND...: as refused; to be said by the kernel as well.
wrong()
{
	WRONG=$((WRONG + 1))
	wrong_name=$1
	wrong_rule="op=$2 $3"
	shift 3
	refused "$wrong_name" "$wrong_rule" "$@"
}

# Past the page cache, which asks again for what it did not get.
read_direct()
{
	dd if=/mnt/1 of=/dev/null iflag=direct bs=4096 count=1
}

overwrite()
{
	dd if=/dev/zero of=/mnt/2 bs=4096 count=1 conv=notrunc
}

create()
{
	dd if=/dev/null of=/mnt/new && rm /mnt/new
}

claim driver_loads load
claim share_mounts mount_share
known
overwrite 2>/dev/null
STATFS=$(stat -f -c '%b %S %l' /mnt)

wrong wrong_unique STATFS unique stat -f /mnt
claim wrong_unique_is_said_in_words log_has \
	'virtiofs: myfs: reply to opcode 17 is to another request \(length 96, written 96, error 0\)'
wrong unique_of_nobody STATFS unique=0 stat -f /mnt
wrong empty_header STATFS len=0 stat -f /mnt
wrong length_below_a_header STATFS len=15 stat -f /mnt
wrong length_short_by_one STATFS len=-1 stat -f /mnt
wrong length_beyond_what_was_written STATFS len=+1 stat -f /mnt
wrong endless_length STATFS len=4294967295 stat -f /mnt
wrong used_too_short STATFS used=-1 stat -f /mnt
wrong used_of_a_byte STATFS used=1 stat -f /mnt
wrong positive_error STATFS error=5 stat -f /mnt
wrong restart_error STATFS error=-512 stat -f /mnt
wrong error_out_of_range STATFS error=-600 stat -f /mnt
wrong lowest_error STATFS error=-2147483648 stat -f /mnt
wrong error_with_payload STATFS error_payload=-2 stat -f /mnt
wrong nothing_written STATFS silent stat -f /mnt
wrong short_payload STATFS cut stat -f /mnt

for fault in unique len=0 len=+1 error=5 error=-512 error_payload=-2 silent; do
	wrong "LOOKUP_$fault" LOOKUP $fault stat /mnt/1
	wrong "OPEN_$fault" OPEN $fault cat /mnt/1
	wrong "READ_$fault" READ $fault read_direct
	wrong "WRITE_$fault" WRITE $fault overwrite
	wrong "CREATE_$fault" CREATE $fault create
	rm -f /mnt/new
done

# Some servers do not say how much they wrote; what they claim beyond the
# reply is of no use to anybody.
tolerated used_of_zero "op=STATFS used=0" "$STATFS" stat -f -c '%b %S %l' /mnt
tolerated used_too_long "op=STATFS used=+8" "$STATFS" stat -f -c '%b %S %l' /mnt
tolerated used_without_end "op=STATFS used=4294967295" "$STATFS" stat -f -c '%b %S %l' /mnt
tolerated an_earlier_reply "op=STATFS nth=2 replay" "$STATFS" \
	sh -c 'stat -f /mnt >/dev/null; stat -f -c "%b %S %l" /mnt'

# A reply of 8 more bytes than there is room for, by header and ring.
lie "op=STATFS len=+8"
host device myfs fault "op=STATFS used=+8" >&2
claim_refused long_reply 'Input/output error' stat -f /mnt
WRONG=$((WRONG + 1))
claim_equal long_reply_was_told "$(host device myfs counter lies)" 2
claim long_reply_and_the_truth_again truth

# With the next message comes the number of those that were suppressed.
sleep 6
wrong last_lie STATFS unique stat -f /mnt
claim_equal each_wrong_reply_is_said_once "$(said)" $WRONG

# The memory may be the next request's while it still changes, so that has to be over.
unsure header_that_goes_on_changing "op=STATFS scribble=20" \
	sh -c 'stat -f /mnt; code=$?; sleep 1; exit $code'

# Who looks for the reply needs no interrupt.
echo 0 >"$(echo /sys/fs/virtiofs/*/poll_us)"
lie "op=STATFS mute"
stat -f /mnt >/dev/null &
sleep 1
host device myfs interrupt 1 >&2
host device myfs interrupt 2 >&2
claim late_interrupt_delays_and_loses_nothing wait $!
told no_interrupt

claim share_unmounts umount /mnt
plan
