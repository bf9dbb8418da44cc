# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A guest without a disk that keeps its state on a share, mounted as its
# fstab says. stateless.sh BOOT: which boot this is.

. /guest/lib.sh

# The state: a line for each boot, and a file that grows with each.
enter_boot()
{
	echo "boot $1" >>/var/lib/state/journal &&
		seq "$1" | while read -r n; do
			cat /bin/busybox
		done >/var/lib/state/growing.new &&
		mv /var/lib/state/growing.new /var/lib/state/growing
}

claim driver_loads load
mkdir -p /var/lib/state
echo 'myfs /var/lib/state virtiofs rw,nosuid,nodev 0 0' >/etc/fstab
claim fstab_mounts_the_share mount -a
claim_equal earlier_boots_are_found \
	"$(cat /var/lib/state/journal 2>/dev/null | wc -l)" $(($1 - 1))
if [ "$1" -gt 1 ]; then
	claim_equal state_of_the_last_boot_is_whole \
		"$(stat -c %s /var/lib/state/growing)" \
		$(($(stat -L -c %s /bin/busybox) * ($1 - 1)))
fi
claim state_is_kept enter_boot "$1"
# No umount: a guest that is simply switched off must find what it synced.
claim state_is_synced sync
plan
