# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Load from fio, which reads back and verifies all it wrote, and from the
# file system stressors of stress-ng; so much work, however long it takes.

. /guest/lib.sh

# job NAME OPTION...: one fio run; its error output tells what was wrong.
job()
{
	job_name=$1
	shift
	claim "fio_verifies_$job_name" fio --eta=never --name="$job_name" --directory=/mnt \
		--verify=crc32c --verify_fatal=1 --do_verify=1 \
		--numjobs=2 --group_reporting --minimal --output=/run/fio "$@"
	rm -f /mnt/"$job_name".*
	echo "$job_name ended at $(cut -d ' ' -f 1 /proc/uptime) s" >&2
}

# stress NAME OPERATIONS [OPTION...]: exit codes 3 and 4 say that it cannot be
# done here. The options keep the amount of data small.
stress()
{
	stress_name=$1
	stress_ops=$2
	shift 2
	stress-ng --temp-path /mnt --verify --quiet --oomable \
		"--$stress_name" 2 "--$stress_name-ops" "$stress_ops" "$@" >&2
	stress_code=$?
	echo "$stress_name ended at $(cut -d ' ' -f 1 /proc/uptime) s" >&2
	case $stress_code in
	0)
		result "ok" "stress_$stress_name" ;;
	3|4)
		skip "stress_$stress_name" "stress-ng cannot do it here" ;;
	*)
		echo "# stress-ng --$stress_name: exit code $stress_code"
		result "not ok" "stress_$stress_name" ;;
	esac
}

claim driver_loads load
claim share_mounts mount_share

job sequential --rw=write --bs=128k --size=16M
job random --rw=randwrite --bs=4k --size=2M
job odd_sizes --rw=randwrite --bsrange=512-70k --bs_unaligned=1 --size=4M
job direct --rw=randwrite --bs=16k --size=4M --direct=1 --ioengine=libaio --iodepth=16
job mapped --rw=randwrite --bs=4k --size=2M --ioengine=mmap
job mixed --rw=randrw --bs=8k --size=4M --ioengine=io_uring --iodepth=32
job fsynced --rw=write --bs=16k --size=1M --fsync=8

stress access 200
stress chdir 200 --chdir-dirs 64
stress chmod 60
stress dentry 200 --dentries 128
stress dir 400
stress dirdeep 10 --dirdeep-inodes 200
stress fallocate 20 --fallocate-bytes 4M
stress fcntl 100
stress filename 30
stress flock 200
stress getdent 30
stress hdd 10 --hdd-bytes 4M
stress iomix 50 --iomix-bytes 4M
stress lockf 200
stress mmap 5 --mmap-file --mmap-bytes 2M
stress open 100 --open-max 64
stress rename 200
stress seek 200 --seek-size 4M
stress touch 200
stress unlink 2
stress utime 200
stress xattr 4

claim_equal load_leaves_nothing_behind "$(ls -A /mnt)" ""
claim share_unmounts umount /mnt
plan
