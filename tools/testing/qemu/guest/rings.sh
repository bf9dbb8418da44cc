# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# rings PROGRAM...: selftests on devices that differ by their rings. The tag of
# each says what its rings are like: FORMAT-SIZE-DESCRIPTORS[-inorder][-flags].
# From the kernel's command line: in_order, if the kernel knows such rings.

. /guest/lib.sh

# word TAG WORD: 1 if the tag has it, or 0.
word()
{
	case "-$1-" in
	*"-$2-"*)
		echo 1 ;;
	*)
		echo 0 ;;
	esac
}

tags()
{
	for tags_dir in /sys/fs/virtiofs/*; do
		cat "$tags_dir/tag"
	done
}

on()
{
	RESULTS=0
	echo "# program $1"
	claim share_mounts mount_share "$1"
	claim_equal ring_is_packed_or_split "$(feature "$1" 34)" "$(word "$1" packed)"
	claim_equal descriptors_are_indirect_or_not "$(feature "$1" 28)" "$(word "$1" indirect)"
	claim_equal chains_return_in_order_or_not "$(feature "$1" 35)" \
		$(($(word "$1" inorder) * in_order))
	claim_equal wishes_are_flags_or_indexes "$(feature "$1" 29)" $((1 - $(word "$1" flags)))
	claim_equal ring_has_its_size "$(host device "$1" counter queue.1.size)" "$(size "$1")"
	plan
	echo "# exit 0 $1"

	shift
	for program; do
		echo "# program $program"
		(cd /selftests && "./$program")
		echo "# exit $? $program"
	done
}

size()
{
	echo "$1" | cut -d - -f 2
}

claim driver_loads load
plan
echo "# exit 0 rings"
for tag in $(tags); do
	export VIRTIOFS_DIR=/mnt VIRTIOFS_TAG="$tag"
	on "$tag" "$@"
	umount /mnt
done

RESULTS=0
echo "# program rings"
claim_equal all_shares_are_unmounted "$(grep -c ' virtiofs ' /proc/mounts)" 0
plan
