# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Memory in several regions: a buffer lies in some of them, a descriptor in one. From the
# kernel's command line: nodes, that the kernel knows of.

. /guest/lib.sh

MIB=200

# repeated DIRECTORY: what is written, the seed there so often that it fills the buffer
repeated()
{
	for n in $(seq $((MIB / 4))); do
		cat "$1/seed"
	done
}

written()
{
	repeated /run | timeout 100 dd of=/mnt/file bs=${MIB}M count=1 iflag=fullblock oflag=direct
}

claim driver_loads load
claim share_mounts mount_share
claim_equal memory_is_in_nodes \
	"$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' | wc -l)" "$nodes"
dd if=/dev/urandom of=/run/seed bs=1M count=4 2>/dev/null
claim file_is_written written
claim seed_is_written cp /run/seed /mnt/seed
sum=$(host sh "for n in \$(seq $((MIB / 4))); do cat seed; done | md5sum")
claim_equal host_has_what_was_written "$(host sh 'md5sum <file')" "$sum"
claim_equal guest_reads_what_was_written \
	"$(timeout 100 dd if=/mnt/file bs=${MIB}M count=1 iflag=fullblock,direct 2>/dev/null | md5sum)" \
	"$sum"
claim share_unmounts umount /mnt
plan
