# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Runs what the kernel's command line names with run=, once the kernel's file systems are
# there. The output goes to the verdict port and, unless it is told= otherwise, to
# the console.

mkdir -p /dev/virtio-ports
for port in /sys/class/virtio-ports/*; do
	ln -sf "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done

echo '<6>guest: tests begin' >/dev/kmsg
{
	# shellcheck disable=SC2086,SC2154 # the name of a script and its arguments
	set -- $run
	script=$1
	shift
	echo "# program $script"
	sh "/guest/$script.sh" "$@" 2>/dev/console
	echo "# exit $? $script"
	echo "# program guest"
	sh /guest/aftermath.sh 2>/dev/console
	echo "# exit $? guest"
	echo 'verdict: done'
} | tee "${told:-/dev/console}" >/dev/virtio-ports/org.virtiofs.verdict
