# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What scripts share in which devices stop, go and come; sourced after lib.sh.

DRIVER=/sys/bus/virtio/drivers/virtiofs

# device TAG: its directory in sysfs; none if it is not there.
device()
{
	for one in /sys/fs/virtiofs/*; do
		[ "$(cat "$one/tag" 2>/dev/null)" != "$1" ] || echo "$one"
	done
}

has_tag()
{
	[ -n "$(device "$1")" ]
}

no_tag()
{
	! has_tag "$1"
}

state()
{
	cat "$(device "$1")/state"
}

# virtio TAG, pci TAG: the device as the virtio and the PCI bus have it.
virtio()
{
	readlink -f "$(device "$1")/device"
}

pci()
{
	dirname "$(virtio "$1")"
}

# ended PID...: are no more, or nothing but their exit codes.
ended()
{
	for one; do
		[ ! -d "/proc/$one" ] || grep -q '^State:.*zombie' "/proc/$one/status" 2>/dev/null ||
			return 1
	done
}

mounted()
{
	grep -q " $1 virtiofs " /proc/mounts
}

# lines PATTERN: how often the kernel has said so since the tests began.
lines()
{
	dmesg | sed '1,/guest: tests begin/d' | grep -Ec "$1"
}
