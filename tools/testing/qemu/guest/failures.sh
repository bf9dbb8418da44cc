# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# One in ten of the allocations fails that the driver is in the way of; whoever
# uses the share notices nothing. Kernels with fault injection only.

. /guest/lib.sh

KINDS="failslab fail_page_alloc"
TREE=/mnt/work

# text: where the driver's code lies, which is what failures are for.
text()
{
	start=$(sed -n 's/^virtiofs .* \(0x[0-9a-f]*\).*/\1/p' /proc/modules)
	size=$(sed -n 's/^virtiofs \([0-9]*\) .*/\1/p' /proc/modules)
	# Numbers as long as these are not for every shell.
	bash -c "printf '%s 0x%x\n' $start \$(($start + $size))"
}

# counting: where it counts an inode that the FUSE client allocates: that may fail, and
# then the call does.
counting()
{
	grep -w virtiofs /proc/kallsyms | sort | grep -A 1 ' inodes_alloc' |
		sed 's/^\([^ ]*\) .*/0x\1/'
}

# fail PROBABILITY
fail()
{
	[ "$(cat /sys/kernel/debug/failslab/require-start)" != 0x0 ] || return 1
	for kind in $KINDS; do
		echo "$1" >"/sys/kernel/debug/$kind/probability"
	done
}

prepare()
{
	# shellcheck disable=SC2046 # words
	set -- $(text) $(counting)
	[ $# = 4 ] || return 1
	for kind in $KINDS; do
		dir=/sys/kernel/debug/$kind
		echo "$1" >"$dir"/require-start && echo "$2" >"$dir"/require-end &&
			echo "$3" >"$dir"/reject-start && echo "$4" >"$dir"/reject-end ||
			return 1
		echo 16 >"$dir"/stacktrace-depth
		echo 0 >"$dir"/verbose
		echo N >"$dir"/ignore-gfp-wait
	done
	echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem
	echo 0 >/sys/kernel/debug/fail_page_alloc/min-order
}

# work NAME: whatever a program does; any error ends it.
work()
{
	set -e
	mkdir $TREE/"$1"
	cd $TREE/"$1"
	dd if=/dev/urandom of=data bs=64k count=12 conv=fsync
	dd if=data of=copy bs=16k conv=fsync
	dd if=data of=direct bs=256k oflag=direct
	cmp data copy
	cmp data direct
	for n in $(seq 15); do
		echo "$n" >"file$n"
		mv "file$n" "moved$n"
		ln "moved$n" "linked$n"
	done
	ls -lR . >/dev/null
	head -c 20000 data >value
	setfattr -n user.note -v "$(head -c 3000 /dev/zero | tr '\0' x)" value
	test "$(getfattr --only-values -n user.note value | wc -c)" = 3000
	for n in $(seq 15); do
		test "$(cat "linked$n")" = "$n"
		rm "moved$n" "linked$n"
	done
	sync .
	md5sum <data >sum
}

workers()
{
	pids=
	for n in 1 2 3; do
		(work "$n") >&2 &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || return 1
	done
}

# injected: how many allocations have failed, of those that were counted
injected()
{
	cat /sys/kernel/debug/failslab/times
}

claim driver_loads load
claim share_mounts mount_share
mkdir $TREE
claim failures_are_for_the_driver_alone prepare
# So many are allowed to fail, and the rest of it tells how many did.
for kind in $KINDS; do
	echo 1000000 >"/sys/kernel/debug/$kind/times"
done
fail 10
claim programs_notice_nothing workers
fail 0
claim allocations_did_fail test "$(injected)" -lt 1000000
echo "$((1000000 - $(injected))) allocations have failed" >&2
for n in 1 2 3; do
	claim_equal "data_of_$n is on the host" "$(host sh "md5sum <work/$n/data")" "$(cat $TREE/$n/sum)"
done
echo 3 >/proc/sys/vm/drop_caches
for n in 1 2 3; do
	claim_equal "data_of_$n reads as written" "$(md5sum <$TREE/$n/data)" "$(cat $TREE/$n/sum)"
done
claim tree_is_removed rm -r $TREE
claim share_unmounts umount /mnt
plan
