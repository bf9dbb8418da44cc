# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Random lies under load.
# From the kernel's command line: their seed, and how many lies to wait for.

. /guest/lib.sh

HAMMERS=8
ROUND=15
STOP=/run/stop

# A guest that is lied to about nodes and handles writes where it should not, so the files are
# compared with what they are on the host then. Where links are said to lead, it makes files
# whose names may have any bytes.
NAMES="find . -print0 | LC_ALL=C sort -z | md5sum"
CONTENTS="find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cat | md5sum"

# hammer: the load, for some seconds. A guest that believes there is no such directory
# does not ask again, so it is made to forget.
hammer()
{
	rm -f $STOP
	/device/hammer /mnt/work $HAMMERS $STOP &
	for _ in $(seq $ROUND); do
		sleep 1
		echo 3 >/proc/sys/vm/drop_caches || return 1
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
# Not a line in the log for each
echo 4 >/proc/sys/vm/drop_caches
claim rounds_come_to_their_end rounds
claim device_is_honest_again host device myfs honest
claim share_unmounts umount /mnt
claim share_mounts_again mount_share
claim_equal guest_sees_the_names_on_the_host \
	"$(cd /mnt && eval "$NAMES")" "$(host sh "$NAMES")"
claim_equal guest_sees_the_contents_on_the_host \
	"$(cd /mnt && eval "$CONTENTS")" "$(host sh "$CONTENTS")"
claim share_unmounts_again umount /mnt
plan
