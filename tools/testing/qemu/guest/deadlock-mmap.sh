# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Pages of a mapped file are read into, past the page cache, while they are written back.

. /guest/lib.sh
. /guest/faults.sh

syncing()
{
	while [ ! -e /run/stop ]; do
		sync -d /mnt/B
	done
}

claim driver_loads load
claim share_mounts mount_share
dd if=/dev/urandom of=/mnt/A bs=1M count=4 2>/dev/null
dd if=/dev/zero of=/mnt/B bs=1M count=4 2>/dev/null
syncing &
syncer=$!
fio --name=mapped --direct=1 --rw=randread --ioengine=libaio --iodepth=8 --bs=4k \
	--iomem=mmapshared:/mnt/B --filename=/mnt/A --size=4M --time_based --runtime=15 \
	--eta=never >&2 &
reader=$!
claim reads_end_in_time soon ended $reader
touch /run/stop
if ended $reader; then
	claim syncs_end_in_time soon ended $syncer
	claim reads_succeed wait $reader
	claim share_unmounts umount /mnt
	plan
else
	# Nothing more would come to an end.
	plan
	echo "# exit 1 deadlock-mmap"
	sleep 1
	busybox poweroff -n -f
fi
