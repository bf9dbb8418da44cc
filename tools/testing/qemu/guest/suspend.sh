# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# The guest sleeps and wakes up: with a device that the virtio core does not reset
# for that, while it is in use; with any other, while it is not.

. /guest/lib.sh
. /guest/faults.sh

# nap: all that a sleep is to the drivers and the bus; the delay is how long the
# rest of it would last.
nap()
{
	nap_taken=0
	echo platform >/sys/power/pm_test
	echo freeze >/sys/power/state || nap_taken=1
	echo none >/sys/power/pm_test
	return $nap_taken
}

# claim_nap NAME: Linux 6.1 resets devices for a sleep that need no reset.
claim_nap()
{
	case $(uname -r) in
	6.1.*)	claim_refused "no_$1" 'busy|error' nap ;;
	*)	claim "$1" nap ;;
	esac
}

claim driver_loads load
if [ ! -e /sys/power/pm_test ]; then
	skip guest_sleeps "the kernel has no test of sleeping (CONFIG_PM_DEBUG)"
	plan
	exit
fi
echo 0 >/sys/module/suspend/parameters/pm_test_delay

mkdir -p /run/nowhere
mount -t virtiofs -o wait=600 nowhere /run/nowhere >&2 &
waiter=$!
sleep 1
claim guest_takes_a_nap_while_a_mount_waits nap
kill -9 $waiter
wait $waiter
claim share_mounts mount_share

exec 3>/mnt/open
echo before >&3
dd if=/dev/urandom of=/mnt/busy bs=64k count=64 2>/dev/null &
writer=$!
for n in 1 2 3; do
	claim_nap "guest_takes_nap_$n"
	echo "after $n" >&3
done
claim writer_has_noticed_nothing wait $writer
claim_equal file_is_on_the_host "$(md5sum </mnt/busy)" "$(host sh 'md5sum <busy')"
claim_equal open_file_went_on "$(host sh 'md5sum <open')" \
	"$(printf 'before\nafter 1\nafter 2\nafter 3\n' | md5sum)"
claim_equal state_is_running "$(state myfs)" running

claim other_share_mounts mount_share other /run/other
claim_refused no_nap_while_a_session_would_end 'busy|error' nap
claim log_names_it log_has 'suspend would end the session, unmount tag <other> first'
claim_equal other_share_is_served "$(cat /run/other/note)" note
claim other_share_unmounts umount /run/other
claim_nap guest_takes_another_nap
claim other_share_mounts_again mount_share other /run/other
claim_equal other_share_is_served_again "$(cat /run/other/note)" note
claim other_share_unmounts_again umount /run/other
exec 3>&-
claim share_unmounts umount /mnt
claim share_mounts_again mount_share
claim_equal file_is_as_it_was "$(md5sum </mnt/busy)" "$(host sh 'md5sum <busy')"
claim share_unmounts_again umount /mnt
plan
