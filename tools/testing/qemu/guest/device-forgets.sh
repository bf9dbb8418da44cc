# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# How the device is told of inodes that the guest knows no longer.
# From the kernel's command line: inodes, how many there are.

. /guest/lib.sh

FILES=20000

# kicks: so often the device was notified of something on the hiprio queue.
kicks()
{
	host device myfs counter queue.0.kicks
}

# knows_only NUMBER: inodes that the device thinks the guest knows.
knows_only()
{
	balance=$(host device myfs balance)
	balance=${balance#inodes=}
	[ "${balance%% *}" -le "$1" ]
}

# slab NAME: KiB
slab()
{
	sed -n "s/^$1: *\([0-9]*\) kB/\1/p" /proc/meminfo
}

uptime_ms()
{
	cut -d ' ' -f 1 /proc/uptime | tr -d .
}

claim driver_loads load
claim share_mounts mount_share

claim tree_is_made host sh "mkdir work/tree && cd work/tree && seq 100 | xargs mkdir && for d in *; do (cd \$d && seq $((FILES / 100)) | xargs touch); done"
before=$(kicks)
forgets=$(host device myfs counter forgets)
begin=$(uptime_ms)
claim tree_is_removed rm -r /mnt/work/tree
end=$(uptime_ms)
claim all_are_forgotten soon knows_only 1
claim each_file_was_forgotten test "$(host device myfs counter forgets)" -ge $((forgets + FILES))
count=$(($(kicks) - before))
echo "# rm -r of $FILES files: $count kicks, $((end - begin))0 ms"
# One for 512 FORGETs that come together, and one for each 100 ms that it took.
claim kicks_are_few test "$count" -le $((FILES / 512 + (end - begin) / 10 + 20))

claim inodes_are_made host sh "mkdir work/many && cd work/many && seq $inodes | xargs touch"
claim inodes_are_looked_up test \
	"$(find /mnt/work/many -size -1 -type f | wc -l)" = "$inodes"
before=$(kicks)
forgets=$(host device myfs counter op.BATCH_FORGET)
memory=$(slab Slab)
begin=$(uptime_ms)
echo 2 >/proc/sys/vm/drop_caches
dropped=$(uptime_ms)
echo "# Slab before: $memory KiB, after drop_caches: $(slab Slab) KiB"
claim all_inodes_are_forgotten soon knows_only 2
end=$(uptime_ms)
echo "# drop_caches of $inodes inodes: $(($(kicks) - before)) kicks," \
	"$(($(host device myfs counter op.BATCH_FORGET) - forgets)) batches," \
	"$((dropped - begin))0 ms, forgotten after $((end - begin))0 ms"
claim inodes_are_removed rm -r /mnt/work/many
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
