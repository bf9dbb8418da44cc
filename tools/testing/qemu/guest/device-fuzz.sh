# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Random lies under load.
# From the kernel's command line: their seed, and how many lies to wait for.

. /guest/lib.sh

HAMMERS=8
ROUND=4
STOP=/run/stop

# A guest that is lied to about nodes and handles writes where it should not, so
# the files are compared with what they are on the host then.
SUMS="find . -type f -exec md5sum {} + | sort | md5sum"

# hammer: the load, for some seconds.
hammer()
{
	rm -f $STOP
	/device/hammer /mnt/work $HAMMERS $STOP &
	sleep $ROUND
	echo 3 >/proc/sys/vm/drop_caches
	touch $STOP
	wait $!
}

# A mount whose root was lied about is of no more use, so each round has its own.
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
