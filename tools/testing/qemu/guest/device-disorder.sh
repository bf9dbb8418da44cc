# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Runs selftests while the device is late and answers in another order.
# From the kernel's command line: seed of the disorder, 0 for none.

. /guest/lib.sh

claim driver_loads load
claim share_mounts mount_share
find /mnt -type f -exec md5sum {} + | sort >/run/before
[ "$seed" = 0 ] ||
	claim device_becomes_disorderly \
		host device myfs fuzz seed="$seed" share=20 with=timing
plan
echo "# exit 0 device-disorder"

export VIRTIOFS_DIR=/mnt VIRTIOFS_TAG=myfs
for program; do
	echo "# program $program"
	(cd /selftests && "./$program")
	echo "# exit $? $program"
done

RESULTS=0
echo "# program device-disorder"
echo 3 >/proc/sys/vm/drop_caches
find /mnt -type f -exec md5sum {} + | sort >/run/after
claim other_files_are_as_they_were cmp /run/before /run/after
claim device_is_honest_again host device myfs honest
claim guest_gives_back_all_it_had soon all_given_back
claim share_unmounts umount /mnt
plan
