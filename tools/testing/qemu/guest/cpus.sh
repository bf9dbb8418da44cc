# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# CPUs go and come: what they have asked for is answered, and they ask again.
# myfs has a request queue for each CPU, other has one for all.

. /guest/lib.sh
. /guest/faults.sh

# online CPU 0|1
online()
{
	echo "$2" >"/sys/devices/system/cpu/cpu$1/online"
}

# at_once COMMAND...: becomes true within some seconds.
at_once()
{
	for n in $(seq 50); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# verified TAG: what is written is what is read
verified()
{
	fio --eta=never --name="$1" --directory="/mnt/$1" --rw=randrw --bs=4k --size=2M --loops=2 \
		--numjobs=2 --group_reporting --ioengine=libaio --iodepth=4 --direct=1 \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --minimal --output="/run/fio.$1"
}

# summed TAG: the same through the page cache
summed()
{
	for n in $(seq 10); do
		dd if=/run/data of="/mnt/$1/sum" bs=64k conv=fsync 2>/dev/null || return
		echo 1 >/proc/sys/vm/drop_caches
		[ "$(md5sum <"/mnt/$1/sum")" = "$SUM" ] || return
	done
}

claim driver_loads load
claim share_mounts mount_share myfs /mnt/myfs
claim other_share_mounts mount_share other /mnt/other
dd if=/dev/zero of=/mnt/myfs/file bs=4k count=1 2>/dev/null

# The only CPU of a queue goes while the device has a request of it.
host device myfs fault op=READ hold >&2
asked=$(host device myfs counter op.READ)
taskset 2 dd if=/mnt/myfs/file of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null &
reader=$!
claim device_has_the_request host device myfs wait op.READ $((asked + 1))
claim cpu_goes online 1 0
host device myfs release >&2
claim read_ends_without_its_cpu at_once ended $reader
claim cpu_comes online 1 1
claim read_ends soon ended $reader
wait $reader
host device myfs honest >&2
taskset 2 /device/stats /mnt/myfs/file 200 >/run/took
echo "200 calls: $(cat /run/took) ms in all and at most" >&2
claim its_calls_take_no_second_each test "$(cut -d ' ' -f 1 /run/took)" -lt 20000

# And under load.
dd if=/dev/urandom of=/run/data bs=1M count=2 2>/dev/null
SUM=$(md5sum </run/data)
loads=
for tag in myfs other; do
	for load in verified summed; do
		$load $tag >&2 &
		loads="$loads $!"
	done
done
rounds=0
# shellcheck disable=SC2086 # a list
until ended $loads || [ $rounds -ge 100 ]; do
	cpu=$((1 + rounds % 3))
	online $cpu 0
	sleep 0.2
	online $cpu 1
	rounds=$((rounds + 1))
done
echo "$rounds times a CPU has gone" >&2
claim cpus_go_and_come test $rounds -ge 3
# shellcheck disable=SC2086 # a list
claim loads_come_to_an_end soon ended $loads
for pid in $loads; do
	claim what_is_read_is_what_was_written wait "$pid"
done
claim share_unmounts umount /mnt/myfs
claim other_share_unmounts umount /mnt/other
plan
