# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# More data than the guest has memory, written back while that is short.

. /guest/lib.sh

MIB=200

# sum NAME: of the file, here and on the host
sum()
{
	md5sum <"/mnt/$1"
}

claim driver_loads load
claim share_mounts mount_share
seq 1 20000 >/run/block
grep -E 'MemTotal|MemAvailable' /proc/meminfo >&2
pids=
for n in 1 2; do
	dd if=/dev/zero bs=1M count=$MIB 2>/dev/null | tr '\0' "$n" |
		dd of=/mnt/big$n bs=1M iflag=fullblock 2>/run/said.$n &
	pids="$pids $!"
done
n=0
for pid in $pids; do
	n=$((n + 1))
	claim "data_$n is written" wait "$pid"
	claim_equal "size_$n is right" "$(stat -c %s /mnt/big$n)" $((MIB << 20))
done
claim small_file_is_written_meanwhile cp /run/block /mnt/block
claim everything_is_synced sync /mnt/big1 /mnt/big2
for n in 1 2; do
	claim_equal "data_$n is on the host" "$(sum big$n)" "$(host sh "md5sum <big$n")"
done
claim_equal small_file_is_right "$(sum block)" "$(md5sum </run/block)"
claim share_unmounts umount /mnt
plan
