# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# system WHO: a Debian system with systemd, a stock kernel, and a share in its fstab. WHO serves
# the share: the kernel's own driver before that is left out ("kernel"), that of the package
# ("package"), or the kernel's again, when the package has gone ("purged").

. /guest/lib.sh

# The name that the driver has here
if [ -e /sys/module/virtiofs_guest ]; then
	module=virtiofs_guest
else
	module=virtiofs
fi

claim_equal first_process_is_systemd "$(cat /proc/1/comm)" systemd
claim line_of_fstab_is_mounted soon systemctl --quiet is-active mnt.mount
claim_equal share_is_served "$(cat /mnt/file)" here
claim file_is_written sh -c 'echo there >/mnt/written'
claim_equal file_is_on_the_host "$(host sh 'cat written')" there
if [ "$1" = package ]; then
	claim_equal driver_is_that_of_the_package "$(cat /sys/module/$module/version)" 1.0
	claim_equal module_is_the_one_that_modinfo_names "$(cat /sys/module/$module/srcversion)" \
		"$(modinfo -F srcversion $module)"
	claim_equal name_of_the_file_system_leads_to_it "$(modinfo -F name fs-virtiofs)" $module
	virtiofs-top --once --interval 0.5 >/run/top
	claim program_of_the_package_shows_the_share grep -q '^ *myfs: running' /run/top
else
	claim driver_is_the_kernels test ! -e /sys/module/$module/parameters/timeout
fi
if [ "$1" = kernel ]; then
	claim log_says_what_to_do sh -c 'dmesg | grep -q "boot it with initcall_blacklist=virtio_fs_init"'
	# As virtiofs-admin.rst says
	claim file_for_grub_is_copied cp /usr/share/doc/virtiofs-dkms/examples/virtiofs.cfg /etc/default/grub.d/
	claim grub_is_configured update-grub
	cp /boot/grub/grub.cfg /mnt/
fi
claim_equal no_unit_has_failed "$(systemctl --failed --no-legend --plain)" ""
plan
