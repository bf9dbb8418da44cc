# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What scripts in a guest share: results in TAP, deeds of the host, mounting.
# Results go to standard output, everything else to standard error.

RESULTS=0

# result "ok"|"not ok" NAME
result()
{
	RESULTS=$((RESULTS + 1))
	echo "$1 $RESULTS $2"
}

# claim NAME COMMAND...: the command must succeed.
claim()
{
	claim_name=$1
	shift
	if "$@" >&2; then
		result "ok" "$claim_name"
	else
		echo "# $*: exit code $?"
		result "not ok" "$claim_name"
	fi
}

# claim_equal NAME FOUND WANTED
claim_equal()
{
	if [ "$2" = "$3" ]; then
		result "ok" "$1"
	else
		echo "found '$2', wanted '$3'" | sed 's/^/# /'
		result "not ok" "$1"
	fi
}

# claim_refused NAME PATTERN COMMAND...: the command must fail and say so in
# words that match the pattern.
claim_refused()
{
	claim_name=$1
	claim_pattern=$2
	shift 2
	if claim_output=$("$@" 2>&1); then
		echo "# $*: was not refused"
		result "not ok" "$claim_name"
	elif echo "$claim_output" | grep -Eq "$claim_pattern"; then
		result "ok" "$claim_name"
	else
		echo "$*: said '$claim_output', not /$claim_pattern/" | sed 's/^/# /'
		result "not ok" "$claim_name"
	fi
}

# skip NAME REASON
skip()
{
	result "ok" "$1 # SKIP $2"
}

# plan: says that the script came to its end.
plan()
{
	echo "1..$RESULTS"
}

# host COMMAND...: has something done on the host; prints the answer.
host()
{
	{
		echo "host $*" >&8
		read -r host_answer <&8
	} 8<>/dev/virtio-ports/org.virtiofs.control
	echo "${host_answer#* }"
	[ "${host_answer%% *}" = ok ]
}

# since_begin: what the kernel has said since the tests began, with levels as <N>.
since_begin()
{
	dmesg -r | sed '1,/guest: tests begin/d'
}

# log_has PATTERN: the kernel has said so since the tests began.
log_has()
{
	since_begin | grep -Eq "$1"
}

# feature TAG BIT: 1 if device and driver have agreed on it, or 0.
feature()
{
	for feature_dir in /sys/fs/virtiofs/*; do
		[ "$(cat "$feature_dir/tag")" != "$1" ] ||
			cut -c $(($2 + 1)) "$feature_dir/device/features"
	done
}

# irqs: of each interrupt line of a virtiofs device its number, how often it came,
# and how often lately nobody knew of it.
irqs()
{
	irqs_names=
	for irqs_dir in /sys/fs/virtiofs/*; do
		irqs_names="$irqs_names|virtio${irqs_dir##*/}"
	done
	grep -E "(${irqs_names#|})(-|,|\$)" /proc/interrupts | while read -r irqs_number irqs_rest; do
		irqs_number=${irqs_number%:}
		echo "$irqs_rest" | awk -v number="$irqs_number" -v unhandled="$(awk \
			'/^unhandled/ { print $2 }' "/proc/irq/$irqs_number/spurious")" '{
			for (i = 1; $i ~ /^[0-9]+$/; i++)
				count += $i
			print number, count, unhandled
		}'
	done
}

# leaks: memory of the kernel that nobody points at. Scanned twice, as an object
# may be on its way between two places during one scan.
leaks()
{
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	tee /dev/console </sys/kernel/debug/kmemleak
}

# soon COMMAND...: becomes true within some hundred looks.
soon()
{
	looks=0
	until "$@"; do
		looks=$((looks + 1))
		[ $looks -lt 600 ] || return 1
		sleep 0.1
	done
}

# ended PID: is no more, or nothing but its exit code.
ended()
{
	[ ! -d "/proc/$1" ] || grep -q '^State:.*zombie' "/proc/$1/status" 2>/dev/null
}

# all_given_back: the device has no inode, handle or lock of the guest any more,
# when that has let go of what it only keeps in mind. After an unmount it never has.
all_given_back()
{
	echo 3 >/proc/sys/vm/drop_caches
	[ "$(host device myfs balance)" = "inodes=0 lookups=0 handles=0 locks=0 tainted=0" ]
}

# mount_share [TAG [DIRECTORY]]
mount_share()
{
	mkdir -p "${2:-/mnt}"
	mount -t virtiofs "${1:-myfs}" "${2:-/mnt}"
}

# The driver's module has another name where the kernel has a virtiofs built in.
module=virtiofs
[ ! -e "/lib/modules/$(uname -r)/updates/virtiofs_guest.ko" ] || module=virtiofs_guest

# load: the driver, unless the kernel has it built in.
load()
{
	grep -qw virtiofs /proc/filesystems || modprobe $module
}
