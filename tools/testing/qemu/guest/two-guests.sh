# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# One of two guests that work on one directory at once: two-guests.sh ME OTHER.
# They take steps together by files that each makes and the other waits for.

. /guest/lib.sh

ME=$1
OTHER=$2
ROUNDS=25

# together STEP: until both have come here.
together()
{
	: >"step.$1.$ME"
	looks=0
	until [ -e "step.$1.$OTHER" ]; do
		looks=$((looks + 1))
		if [ $looks -gt 3000 ]; then
			echo "# the other guest did not come to step $1"
			result "not ok" other_guest_keeps_pace
			exit 1
		fi
		sleep 0.1
	done
}

# Three ways to take a lock, each of them atomic on the host.
lock_by_creating() { (set -C; : >lock) 2>/dev/null; }
unlock_by_creating() { rm lock; }
lock_by_linking() { ln "mine.$ME" lock 2>/dev/null; }
unlock_by_linking() { rm lock; }
lock_by_renaming() { mv token "token.$ME" 2>/dev/null; }
unlock_by_renaming() { mv "token.$ME" token; }

# count_by WAY FILE: adds to the number in the file, under the lock.
count_by()
{
	n=0
	while [ $n -lt $ROUNDS ]; do
		until "lock_by_$1"; do
			usleep 5000
		done
		number=$(cat "$2")
		echo $((number + 1)) >"$2"
		"unlock_by_$1" || return 1
		n=$((n + 1))
	done
}

claim driver_loads load
claim share_mounts mount_share
cd /mnt || exit 1
: >"mine.$ME"

seq 5000 | sed "s/^/$ME /" >"from.$ME"
together written
claim_equal file_of_the_other_is_seen \
	"$(md5sum <"from.$OTHER")" "$(seq 5000 | sed "s/^/$OTHER /" | md5sum)"
together read

echo more >>"from.$ME"
together appended
claim_equal what_the_other_appends_is_seen "$(tail -n 1 "from.$OTHER")" more
together appended-seen
truncate -s 10 "from.$ME"
together truncated
claim_equal what_the_other_truncates_is_seen "$(stat -c %s "from.$OTHER")" 10
together truncated-seen

mkdir "dir.$ME" && mv "from.$ME" "dir.$ME/moved"
together moved
claim_equal rename_by_the_other_is_seen \
	"$(find . -name "from.$OTHER") $(stat -c %s "dir.$OTHER/moved")" " 10"
together moved-seen

exec 7<"dir.$OTHER/moved"
together opened
rm "dir.$ME/moved"
together removed
claim_equal removal_by_the_other_is_seen "$(ls "dir.$OTHER")" ""
claim_equal removed_file_stays_open "$(wc -c <&7)" 10
exec 7<&-
together removed-seen

for way in creating linking renaming; do
	if [ "$ME" = a ]; then
		echo 0 >"number.$way"
		[ $way != renaming ] || : >token
	fi
	together "$way-begins"
	claim "locks_by_${way}_are_taken_and_left" count_by $way "number.$way"
	together "$way-ends"
	claim_equal "lock_by_${way}_excludes_the_other" \
		"$(cat "number.$way")" $((2 * ROUNDS))
done
together end
cd /
claim share_unmounts umount /mnt
plan
