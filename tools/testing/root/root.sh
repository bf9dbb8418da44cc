#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Sets up the private test root: a minimal Debian trixie with QEMU, virtiofsd,
# a compiler and the kernel sources, in the cache directory. What was done is
# not done again until its recipe changes; an interrupted run continues.

. "$(dirname "$0")/lib.sh"

SUITE=trixie
BACKPORTS=trixie-backports
OLD=bookworm
HERE=$TOP/tools/testing/root

# host_tools: the only package the machine itself needs is debootstrap.
host_tools()
{
	local before

	command -v debootstrap >/dev/null && return
	before=$(host_packages)
	step host-tools "installing debootstrap" host_tools_install ||
		die "debootstrap could not be installed; is the Debian mirror in reach?"
	# For distclean.sh, to leave the machine as it was.
	LC_ALL=C comm -13 <(echo "$before") <(host_packages) >"$CACHE/host-packages"
}

# host_packages: what is installed on this machine.
host_packages()
{
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' |
		LC_ALL=C sort
}

host_tools_install()
{
	apt-get -q update &&
		DEBIAN_FRONTEND=noninteractive apt-get -qy install \
			--no-install-recommends debootstrap
}

# mirror: the Debian mirror that this machine's apt is configured with.
mirror()
{
	local site

	site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' \
		'Label: Debian' 2>/dev/null | head -n 1)
	if [ -z "$site" ]; then
		apt-get -q update >"$LOGS/apt-update.log" 2>&1 || true
		site=$(apt-get indextargets --format '$(SITE)' \
			'Created-By: Packages' 'Label: Debian' | head -n 1)
	fi
	[ -n "$site" ] || die "apt on this machine knows no Debian mirror in reach (apt-get update said: $(tail -n 1 "$LOGS/apt-update.log"))"
	printf '%s\n' "${site%/}"
}

bootstrap()
{
	local want

	want=$(recipe <(declare -f bootstrap; echo "$SUITE $MIRROR"))
	is_done bootstrap "$want" && return
	rm -rf --one-file-system "$ROOT" "$ROOT.new"
	rm -f "$STAMPS"/*
	step bootstrap "making a Debian $SUITE root" \
		debootstrap --variant=minbase --include=ca-certificates \
		"$SUITE" "$ROOT.new" "$MIRROR" ||
		die "debootstrap failed; is the mirror $MIRROR in reach?"
	mv "$ROOT.new" "$ROOT"
	mark_done bootstrap "$want"
}

# sources: of these suites, and no pin: only what is asked for by "-t $BACKPORTS"
# comes from the backports, and what newer suites do not have from the old one.
sources()
{
	printf 'deb %s %s main\n' "$MIRROR" "$SUITE" "$MIRROR" "$BACKPORTS" "$MIRROR" "$OLD" \
		>"$ROOT/etc/apt/sources.list"
	printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' \
		>"$ROOT/etc/apt/apt.conf.d/90testing"
	in_root apt-get -q update
}

packages_install()
{
	sources &&
		in_root env DEBIAN_FRONTEND=noninteractive apt-get -qy \
			-t "$BACKPORTS" install "${PACKAGES[@]}" &&
		in_root apt-get -q clean
}

packages()
{
	local want

	mapfile -t PACKAGES < <(grep -v '^#' "$HERE/packages")
	want=$(recipe <(declare -f packages_install sources) "$HERE/packages")
	is_done packages "$want" && return
	step packages "installing QEMU, virtiofsd, gcc and tools into it" \
		packages_install || die "the packages could not be installed; run the command again to continue"
	mark_done packages "$want"
}

need_root "$0"
need_debian
need_space "${NEED_MIB:-12000}"
one_at_a_time
host_tools
MIRROR=$(mirror)
bootstrap
packages
