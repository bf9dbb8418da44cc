# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Memory comes and goes under load; what is read into the new one is what was written.

. /guest/lib.sh
. /guest/faults.sh

# ask COMMAND ARGUMENTS: of QEMU
ask()
{
	host qmp "$1" "{$(echo "$2" | tr "'" '"')}"
}

# dimm N: one more of 128 MiB
dimm()
{
	ask object-add "'qom-type': 'memory-backend-memfd', 'id': 'more$1', 'size': 134217728, 'share': true" &&
		ask device_add "'driver': 'pc-dimm', 'id': 'dimm$1', 'memdev': 'more$1'"
}

# resize MIB: what virtio-mem should have
resize()
{
	ask qom-set "'path': 'grows', 'property': 'requested-size', 'value': $(($1 << 20))"
}

total_mib()
{
	awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo
}

has_mib()
{
	[ "$(total_mib)" -ge "$1" ]
}

has_at_most_mib()
{
	[ "$(total_mib)" -le "$1" ]
}

# verified TAG: what is written is what is read
verified()
{
	fio --eta=never --name="$1" --directory="/mnt/$1" --rw=randrw --bsrange=4k-256k --size=8M \
		--time_based --runtime=20 --numjobs=2 --group_reporting --ioengine=libaio \
		--iodepth=8 --direct=1 --verify=crc32c --verify_fatal=1 --minimal \
		--output="/run/fio.$1"
}

# large TAG: by buffers that lie in all of the memory
large()
{
	dd if=/run/data of="/mnt/$1/large" bs=200M iflag=fullblock oflag=direct count=1 &&
		[ "$(dd if="/mnt/$1/large" bs=200M iflag=direct,fullblock count=1 | md5sum)" = "$SUM" ]
}

claim driver_loads load
claim share_mounts mount_share myfs /mnt/myfs
claim other_share_mounts mount_share other /mnt/other
loads=
for tag in myfs other; do
	verified $tag >&2 &
	loads="$loads $!"
done
sleep 1
had=$(total_mib)
claim dimm_is_plugged_in dimm 1
claim guest_has_it soon has_mib $((had + 120))
claim another_one_is_plugged_in dimm 2
claim guest_has_both soon has_mib $((had + 250))
claim virtio_mem_grows resize 384
claim guest_has_that_too soon has_mib $((had + 630))
dd if=/dev/urandom of=/run/data bs=1M count=200 2>/dev/null
SUM=$(md5sum </run/data)
claim large_file_is_what_was_written large myfs
claim large_file_of_other_is_what_was_written large other
rm /run/data
echo 3 >/proc/sys/vm/drop_caches
claim virtio_mem_shrinks resize 0
claim guest_gives_most_of_it_back soon has_at_most_mib $((had + 250 + 260))
claim virtio_mem_grows_again resize 256
# shellcheck disable=SC2086 # a list
claim loads_come_to_an_end soon ended $loads
for pid in $loads; do
	claim what_is_read_is_what_was_written wait "$pid"
done
claim share_unmounts umount /mnt/myfs
claim other_share_unmounts umount /mnt/other
plan
