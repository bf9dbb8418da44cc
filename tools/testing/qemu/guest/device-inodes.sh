# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# More files are open than inodes may be in the cache: what others look up is cached
# all the same, within bounds.
#
# scenario: ours device=timeout:3600 smp=4

. /guest/lib.sh

LIMIT=400
# So many tasks keep seven files each.
KEEPERS=60
FEW=50

# keep FIRST
keep()
{
	cd /mnt/work/many || return
	exec sleep 1000 3<"$1" 4<"$(($1 + 1))" 5<"$(($1 + 2))" 6<"$(($1 + 3))" \
		7<"$(($1 + 4))" 8<"$(($1 + 5))" 9<"$(($1 + 6))"
}

inodes()
{
	cat /sys/fs/virtiofs/*/inodes
}

are_kept()
{
	[ "$(inodes)" -gt $((KEEPERS * 7)) ]
}

# look FIRST NUMBER: prints how often the server was asked
look()
{
	asked=$(host device myfs counter op.LOOKUP)
	(cd /mnt/work/many && seq "$1" $(($1 + $2 - 1)) | xargs stat) >/run/said
	echo $(($(host device myfs counter op.LOOKUP) - asked))
}

claim driver_loads load
mkdir -p /mnt
claim share_mounts mount -t virtiofs -o max_inodes=$LIMIT myfs /mnt
claim files_are_made host sh "mkdir work/many && cd work/many && seq 2000 | xargs touch"
keepers=
for n in $(seq $KEEPERS); do
	keep $((n * 7)) &
	keepers="$keepers $!"
done
claim files_are_kept_open soon are_kept
claim_equal others_are_looked_up "$(look 1001 $FEW)" $FEW
claim_equal they_are_cached "$(look 1001 $FEW)" 0
claim many_are_looked_up test "$(look 1101 800)" -ge 800
echo "# limit $LIMIT, $((KEEPERS * 7)) in use, $(inodes) in all"
claim few_of_them_stay test "$(inodes)" -le $((KEEPERS * 7 + LIMIT / 4 + 50))
claim_equal files_in_use_are_not_asked_for "$(look 7 $((KEEPERS * 7)))" 0

# shellcheck disable=SC2086 # a list of numbers
kill $keepers
wait
look 1001 1 >/run/said
claim limit_holds_when_they_are_closed test "$(inodes)" -le $LIMIT
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
