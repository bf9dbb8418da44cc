# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# One lie after the other: one request fails, and the next does not.

. /guest/lib.sh

# truth: an honest device is served as ever.
truth()
{
	host device myfs honest >&2
	stat -f /mnt >/dev/null && [ "$(md5sum </mnt/1)" = "$SUM" ] &&
		[ "$(ls /mnt/dir)" = "$ENTRIES" ]
}

# lie NAME RULE: sets the rule, counts lies from zero.
lie()
{
	host device myfs reset >&2
	host device myfs fault "$2" >&2
}

# told NAME: exactly one lie was told since, and the truth is told again.
told()
{
	claim_equal "$1_was_told_once" "$(host device myfs counter lies)" 1
	claim "$1_and_the_truth_again" truth
}

# refused NAME OPCODE "RULE" COMMAND...: an I/O error, and a message.
refused()
{
	name=$1
	rule="op=$2 $3"
	shift 3
	dmesg -c >/dev/null
	lie "$name" "$rule"
	claim_refused "$name" 'Input/output error|I/O error' "$@"
	told "$name"
}

# said: the kernel has said one thing about it.
said()
{
	claim_equal "$1_is_said_once" "$(dmesg | grep -c 'reply to opcode')" 1
	# The rate of such messages is limited.
	sleep 5
}

# harmless NAME "RULE" COMMAND...: whatever comes of it, it ends.
harmless()
{
	lie "$1" "$2"
	claim "$1_does_not_hang" ends "$@"
	told "$1"
}

ends()
{
	shift 2
	timeout 60 "$@" >/dev/null
	[ $? -ne 124 ]
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
SUM=$(md5sum </mnt/1)
ENTRIES=$(ls /mnt/dir)
overwrite 2>/dev/null

refused wrong_unique STATFS unique stat -f /mnt
said wrong_unique
refused unique_of_nobody STATFS unique=0 stat -f /mnt
refused empty_header STATFS len=0 stat -f /mnt
refused length_below_a_header STATFS len=15 stat -f /mnt
refused length_short_by_one STATFS len=-1 stat -f /mnt
refused length_beyond_what_was_written STATFS len=+1 stat -f /mnt
refused endless_length STATFS len=4294967295 stat -f /mnt
refused used_too_short STATFS used=-1 stat -f /mnt
refused used_of_a_byte STATFS used=1 stat -f /mnt
refused positive_error STATFS error=5 stat -f /mnt
refused restart_error STATFS error=-512 stat -f /mnt
refused error_out_of_range STATFS error=-600 stat -f /mnt
refused lowest_error STATFS error=-2147483648 stat -f /mnt
refused error_with_payload STATFS error_payload=-2 stat -f /mnt
refused nothing_written STATFS silent stat -f /mnt
refused short_payload STATFS cut stat -f /mnt

# A reply of 8 more bytes than there is room for, by header and ring.
lie long_reply "op=STATFS len=+8"
host device myfs fault "op=STATFS used=+8" >&2
claim_refused long_reply 'Input/output error' stat -f /mnt
claim_equal long_reply_was_told "$(host device myfs counter lies)" 2
claim long_reply_and_the_truth_again truth

for fault in unique len=0 len=+1 error=5 error=-512 error_payload=-2 silent; do
	refused "LOOKUP_$fault" LOOKUP $fault stat /mnt/1
	refused "OPEN_$fault" OPEN $fault cat /mnt/1
	refused "READ_$fault" READ $fault read_direct
	refused "WRITE_$fault" WRITE $fault overwrite
	refused "CREATE_$fault" CREATE $fault create
	rm -f /mnt/new
done

# Some servers do not say how much they wrote.
lie used_of_zero "op=STATFS used=0"
claim used_of_zero_is_tolerated stat -f /mnt
told used_of_zero

for fault in dir_cut dir_slash dir_nul dir_empty dir_overrun cut corrupt=7; do
	harmless "READDIRPLUS_$fault" "op=READDIRPLUS $fault" ls -l /mnt/dir
done
harmless READ_corrupt "op=READ corrupt=7" dd if=/mnt/1 of=/dev/null iflag=direct
harmless READ_cut "op=READ cut" dd if=/mnt/1 of=/dev/null iflag=direct
for op in STATFS GETATTR LOOKUP; do
	harmless "${op}_corrupt" "op=$op corrupt=7" stat -f /mnt/1
done
harmless an_earlier_reply "op=STATFS nth=2 replay" sh -c 'stat -f /mnt; stat -f /mnt'
harmless header_that_goes_on_changing "op=STATFS scribble=20" stat -f /mnt

lie no_interrupt "op=STATFS mute"
stat -f /mnt >/dev/null &
sleep 1
host device myfs interrupt 1 >&2
host device myfs interrupt 2 >&2
claim late_interrupt_delays_and_loses_nothing wait $!
told no_interrupt

claim share_unmounts umount /mnt
plan
