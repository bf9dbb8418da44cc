# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Runs the selftests, all or those named, on a mount of the share.
# From the kernel's command line: tag2, where there is a second share, and
# features, as BIT=0|1, that driver and device must have agreed on or not.

. /guest/lib.sh

one()
{
	echo "# program $1"
	(cd /selftests && "./$1")
	echo "# exit $? $1"
	echo "$1 ended at $(cut -d ' ' -f 1 /proc/uptime) s" >&2
}

claim driver_loads load
claim share_mounts mount_share
for pair in ${features:-}; do
	claim_equal "feature_bit_${pair%=*}_is_as_wanted" "$(feature myfs "${pair%=*}")" "${pair#*=}"
done
plan
echo "# exit 0 selftests"

export VIRTIOFS_DIR=/mnt VIRTIOFS_TAG=myfs
[ -z "${tag2:-}" ] || export VIRTIOFS_TAG2="$tag2"
# shellcheck disable=SC2046 # a list of names
[ $# -gt 0 ] || set -- $(sed 's/^virtiofs://' /selftests/list)
for program; do
	one "$program"
done

RESULTS=0
echo "# program selftests"
claim_equal selftests_leave_nothing_behind "$(ls -A /mnt)" ""
claim share_unmounts umount /mnt
plan
