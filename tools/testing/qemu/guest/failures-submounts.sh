# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Allocations fail to tasks that walk into a submount, of which others take the
# mount away: the walk may fail, and nothing else. Kernels with fault injection only.

. /guest/lib.sh

KINDS="failslab fail_page_alloc"
ROUNDS=150
FOUND=/run/found

# fail PERCENT: of the allocations of tasks that say so of themselves
fail()
{
	for kind in $KINDS; do
		dir=/sys/kernel/debug/$kind
		echo Y >"$dir"/task-filter && echo 1000000 >"$dir"/times &&
			echo "$1" >"$dir"/probability || return 1
		echo 0 >"$dir"/verbose
		echo N >"$dir"/ignore-gfp-wait
	done
	echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem
	echo 0 >/sys/kernel/debug/fail_page_alloc/min-order
}

# failing COMMAND...: by this very process, as few programs would begin.
failing()
(
	echo 1 >/proc/self/make-it-fail
	"$@"
)

walk()
{
	cd /mnt/sub && read -r line <file && echo "$line" >>$FOUND
}

# unmounted: whatever was mounted on it
unmounted()
{
	! grep -q ' /mnt/sub ' /proc/mounts || umount /mnt/sub
}

# walks: with none, one and several of its mounts, now and then by two at a time.
walks()
{
	for n in $(seq $ROUNDS); do
		(failing walk) 2>/dev/null &
		(failing walk) 2>/dev/null
		wait
		[ "$(cat /mnt/file)" = root ] || return 1
		[ $((n % 3)) != 0 ] || echo 2 >/proc/sys/vm/drop_caches
		unmounted || return 1
	done
}

claim driver_loads load
claim share_mounts mount_share
: >$FOUND
claim allocations_fail fail 8
claim root_is_read_after_each_walk walks
echo "$(wc -l <$FOUND) of $((2 * ROUNDS)) walks came to their end" >&2
claim allocations_did_fail test "$(cat /sys/kernel/debug/failslab/times)" -lt 1000000
claim some_walks_failed test "$(wc -l <$FOUND)" -lt $((2 * ROUNDS))
claim some_walks_came_to_their_end test -s $FOUND
claim_equal walks_found_the_file "$(sort -u $FOUND)" sub
claim allocations_succeed_again fail 0
claim_equal submount_shows_its_file "$(cat /mnt/sub/file)" sub
claim_equal root_shows_its_file "$(cat /mnt/file)" root
claim root_is_written_to sh -c 'echo guest >/mnt/written'
claim_equal host_finds_what_was_written "$(host sh 'cat written')" guest
claim share_unmounts umount /mnt
claim_equal no_mount_is_left "$(grep -c virtiofs /proc/mounts)" 0
claim share_mounts_again mount_share
claim_equal submount_shows_its_file_again "$(cat /mnt/sub/file)" sub
claim share_unmounts_again umount /mnt
plan
