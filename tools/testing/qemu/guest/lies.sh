# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What scripts about a device that lies share. The share is that of myfs on /mnt,
# filled by check_device.py.

# known: what an honest device says, for later.
known()
{
	SUM=$(md5sum </mnt/1)
	ENTRIES=$(ls /mnt/dir)
}

# truth: an honest device is served as ever.
truth()
{
	host device myfs honest >&2
	stat -f /mnt >/dev/null && [ "$(md5sum </mnt/1)" = "$SUM" ] &&
		[ "$(ls /mnt/dir)" = "$ENTRIES" ]
}

# lie RULE: sets the rule, counts lies from zero.
lie()
{
	host device myfs reset >&2
	host device myfs fault "$1" >&2
}

# told NAME: exactly one lie was told since, and the truth is told again.
told()
{
	claim_equal "$1_was_told_once" "$(host device myfs counter lies)" 1
	claim "$1_and_the_truth_again" truth
}

# refused NAME RULE COMMAND...: an I/O error.
refused()
{
	lie_name=$1
	lie "$2"
	shift 2
	claim_refused "$lie_name" 'Input/output error|I/O error' "$@"
	told "$lie_name"
}

# tolerated NAME RULE OUTPUT COMMAND...: as if there had been no lie.
tolerated()
{
	lie_name=$1
	lie_wanted=$3
	lie "$2"
	shift 3
	lie_found=$("$@")
	claim_equal "$lie_name" "$? $lie_found" "0 $lie_wanted"
	told "$lie_name"
}

# unsure NAME RULE COMMAND...: it depends, on luck or on the server's word, but
# there is an end. Who has to be killed exits with more than 1.
unsure()
{
	lie_name=$1
	lie "$2"
	shift 2
	timeout 60 "$@" >/dev/null
	lie_code=$?
	claim "${lie_name}_ends" [ $lie_code -le 1 ]
	told "$lie_name"
}

# said: how often the kernel has spoken of a reply; what it has not said, since it
# may only say so much in so many seconds, it counts, and says that later.
said()
{
	since_begin |
		sed -n 's/.*reply to opcode.*/1/p
			s/.*virtiofs_req_check: \([0-9]*\) callbacks suppressed.*/\1/p' |
		awk '{ sum += $1 } END { print sum + 0 }'
}
