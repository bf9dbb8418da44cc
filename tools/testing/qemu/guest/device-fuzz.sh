# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Random lies under load.
# From the kernel's command line: their seed, and how many lies to wait for.

. /guest/lib.sh

HAMMERS=8
ROUND=15
STOP=/run/stop

# A guest that is lied to about nodes and handles writes where it should not, so
# the files are compared with what they are on the host then.
SUMS="find . -type f -exec md5sum {} + | sort | md5sum"

# hammer: the load, for some seconds. A guest that believes there is no such directory
# does not ask again, so it is made to forget.
hammer()
{
	rm -f $STOP
	/device/hammer /mnt/work $HAMMERS $STOP &
	for _ in $(seq $ROUND); do
		sleep 1
		echo 7 >/proc/sys/vm/drop_caches
	done
	touch $STOP
	wait $!
}

# What a guest believes of the files that it has open stays, so each round has its own mount.
rounds()
{
	while [ "$(host device myfs counter lies)" -lt "$lies" ]; do
		hammer && umount /mnt && mount_share || return 1
	done
}

claim driver_loads load
claim share_mounts mount_share
claim device_lies \
	host device myfs fuzz seed="$seed" share=60 with=header,payload,timing
claim rounds_come_to_their_end rounds
claim device_is_honest_again host device myfs honest
claim share_unmounts umount /mnt
claim share_mounts_again mount_share
claim_equal guest_sees_what_the_host_has "$(cd /mnt && eval "$SUMS")" "$(host sh "$SUMS")"
claim share_unmounts_again umount /mnt
plan
