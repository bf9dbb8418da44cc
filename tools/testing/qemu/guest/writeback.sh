# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Data that only the guest has yet, while the daemon is stopped: who waits for them, and
# what ends that.

. /guest/lib.sh
. /guest/faults.sh

# feed MIB: so many are written to the open file, which stays open.
feed()
{
	fed=$(($(stat -c %s /run/fed) + ($1 << 20)))
	head -c $(($1 << 20)) /dev/urandom >&4
	soon has_size $fed
}

has_size()
{
	[ "$(stat -c %s /run/fed)" = "$1" ]
}

claim driver_loads load
claim share_mounts mount_share
mkfifo /run/feed
: >/run/fed
tee /run/fed </run/feed >/mnt/open &
writer=$!
exec 4>/run/feed

claim data_are_written feed 4
claim daemon_stops host stop-daemon myfs
claim more_is_written_meanwhile feed 8
sync &
syncing=$!
sleep 2
claim sync_waits_for_the_daemon test -d /proc/$syncing
case $(uname -r) in
6.*)
	skip suspend_comes_back "with this kernel nothing ends its wait for the data" ;;
*)
	echo freeze 2>/run/said >/sys/power/state &
	claim suspend_comes_back soon ended $!
	claim it_says_why grep -Eq 'busy|error' /run/said ;;
esac
claim sync_still_waits test -d /proc/$syncing
claim daemon_goes_on host cont-daemon myfs
claim sync_ends_then soon ended $syncing
claim_equal host_has_all_data "$(host sh 'md5sum <open')" "$(md5sum </run/fed)"

# With a daemon that is stopped the abort's reset would wait for it, in the host.
claim daemon_dies host kill-daemon myfs
claim still_more_is_written feed 2
sync &
syncing=$!
sleep 2
claim sync_waits_for_the_dead_daemon test -d /proc/$syncing
claim connection_is_aborted sh -c "echo 1 >$(device myfs)/abort"
claim sync_ends_with_the_connection soon ended $syncing
exec 4>&-
claim writer_ends soon ended $writer
claim dead_mount_unmounts umount /mnt
plan
