# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# worker.sh KIND FILE: reads and writes a file in its own way until it is
# killed. "reads" and "writes" compare what they read with the files in
# /run/copy, which are on the share as well and nobody writes to; what differs
# stands in /run/wrong.

KIND=$1
FILE=$2
SHARE=/mnt
COPY=/run/copy
WRONG=/run/wrong

# job OPTION...: one fio, as a process its jobs would leave its process group
job()
{
	exec fio --name=job --thread --eta=never --output=/dev/null --filename="$FILE" \
		--size=1M --overwrite=1 --time_based --runtime=36000 "$@"
}

# right COMMAND...: must succeed, unless it is killed, and with it all that are
# here, if one after the other.
right()
{
	"$@"
	code=$?
	[ $code -le 128 ] || exit
	[ $code = 0 ] || echo "$*: exit code $code" >>$WRONG
}

# name: of one of the files in COPY
name()
{
	# shellcheck disable=SC2012 # their names are numbers
	ls $COPY | sed -n "$((1 + $(od -An -N2 -tu2 /dev/urandom) % $(ls $COPY | wc -l)))p"
}

case $KIND in
aio)	job --rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=16 ;;
uring)	job --rw=randrw --bs=8k --direct=1 --ioengine=io_uring --iodepth=16 ;;
direct)	job --rw=randrw --bsrange=4k-256k --direct=1 --ioengine=psync ;;
shared)	job --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=8 \
		--iomem=mmapshared:"$FILE.memory" ;;
mapped)	job --rw=randrw --bs=4k --ioengine=mmap --fsync=64 ;;
cached)	job --rw=randrw --bsrange=512-70k --bs_unaligned=1 --ioengine=psync --fsync=32 ;;
threads) job --rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=4 --numjobs=4 ;;
syncs)	while :; do
		sync -f $SHARE
	done ;;
reads)	while :; do
		one=$(name)
		right cmp "$SHARE/$one" "$COPY/$one"
		right dd if="$SHARE/$one" of="/run/read.$$" bs=64k iflag=direct
		right cmp "/run/read.$$" "$COPY/$one"
	done ;;
writes)	while :; do
		one=$(name)
		right dd if="$COPY/$one" of="$FILE" bs=16k
		right cmp "$FILE" "$COPY/$one"
		right dd if="$COPY/$one" of="$FILE" bs=64k oflag=direct
		right cmp "$FILE" "$COPY/$one"
	done ;;
esac
