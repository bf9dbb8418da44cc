# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# A system with the package, whose root is on the host: what it mounts when it
# starts, and what systemd and udev make of devices that come and go.

. /guest/lib.sh

# active UNIT / inactive UNIT
active()
{
	systemctl --quiet is-active "$1"
}

inactive()
{
	! active "$1"
}

claim_equal first_process_is_systemd "$(cat /proc/1/comm)" systemd
claim_equal root_is_mounted_by_its_tag "$(findmnt -no SOURCE,FSTYPE / | xargs)" "root virtiofs"
claim_equal module_is_the_one_of_the_package \
	"$(cd /sys/module/virtiofs/parameters && echo *)" "poll_us timeout"
claim file_is_written sh -c 'echo here >/root/note && grep -qx here /root/note'

claim mount_unit_is_active soon active srv-myfs.mount
claim_equal mount_unit_mounts_its_tag "$(cat /srv/myfs/file)" myfs
claim line_of_fstab_is_a_unit soon active mnt-extra.mount
claim_equal line_of_fstab_mounts_its_tag "$(cat /mnt/extra/file)" extra

claim host_unplugs_a_device host unplug plugged
claim host_plugs_it_in_again host plug plugged
claim rule_starts_the_service soon active virtiofs-mount@plugged.service
claim_equal service_mounts_the_tag "$(cat /run/virtiofs/plugged/file)" plugged
claim host_unplugs_it_again host unplug plugged
claim rule_stops_the_service soon inactive virtiofs-mount@plugged.service
claim service_unmounts_the_tag sh -c '! mountpoint -q /run/virtiofs/plugged'

virtiofs-top --once --interval 1 >/run/top
cat /run/top >&2
claim virtiofs_top_shows_the_root grep -qE '^ *root: running' /run/top
claim_equal no_unit_has_failed "$(systemctl --failed --no-legend --plain)" ""
plan
