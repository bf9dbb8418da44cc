# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Common ground of the test scripts: where things lie, how messages look, how
# a step is done once, and how a command runs inside the private test root.
# Knows nothing of kernels or guests.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
CACHE=${VIRTIOFS_CACHE:-/var/cache/virtiofs-testing}
ROOT=$CACHE/root
STAMPS=$CACHE/stamps
LOGS=$CACHE/logs

say()
{
	printf '%s\n' "$*"
}

warn()
{
	printf 'warning: %s\n' "$*" >&2
}

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# need_root WHAT: mounting, chroot and debootstrap take root.
need_root()
{
	[ "$(id -u)" -eq 0 ] || die "$1 must be run as root (it sets up a Debian root and runs QEMU in it)"
}

# need_debian: the Debian root is made by this machine's means, from its mirror.
need_debian()
{
	command -v apt-get >/dev/null ||
		die "this is no Debian-like machine: there is no apt-get"
}

# need_space MIB: free space is asked for once, before anything is begun.
need_space()
{
	local want=$1 have dir=$CACHE

	while [ ! -d "$dir" ]; do
		dir=$(dirname "$dir")
	done
	have=$(df --output=avail -m "$dir" | tail -n 1 | tr -d ' ')
	[ "$have" -ge "$want" ] ||
		die "too little disk: $dir has $have MiB free, $want MiB are needed (VIRTIOFS_CACHE=DIR puts the cache elsewhere)"
}

# one_at_a_time: two runs must not build in the cache at the same time. Who
# has the lock exports VIRTIOFS_LOCKED for the scripts that it calls.
one_at_a_time()
{
	mkdir -p "$CACHE" "$STAMPS" "$LOGS"
	[ -z "${VIRTIOFS_LOCKED:-}" ] || return 0
	export VIRTIOFS_LOCKED=1
	exec 9>"$CACHE/lock"
	if ! flock -n 9; then
		say "waiting for another run that uses $CACHE"
		flock 9
	fi
}

# recipe FILE...: a short name for the contents of what a step is made from.
recipe()
{
	cat "$@" | sha256sum | cut -c 1-16
}

# is_done NAME RECIPE / mark_done NAME RECIPE: a step is done when its stamp
# holds the recipe that it was done with.
is_done()
{
	[ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]
}

mark_done()
{
	echo "$2" >"$STAMPS/$1"
}

# reason LOG CODE: what a step has failed of, if it is the machine's fault.
reason()
{
	if grep -q 'No space left on device' "$1" 2>/dev/null; then
		warn "the disk is full: $CACHE has $(df --output=avail -m "$CACHE" | tail -n 1 | tr -d ' ') MiB free"
	elif [ "$2" -eq 137 ] || grep -qE 'Killed signal terminated|Cannot allocate memory' "$1"; then
		warn "memory ran short: a program was killed, or got none"
	elif grep -qE 'Could not resolve|Failed to fetch|Unable to connect|Connection failed' "$1"; then
		warn "the mirror does not answer"
	fi
}

# step LOG TEXT CMD...: run one long step, its output in a log file, its
# progress (elapsed time and the size of the log) on a terminal or, else,
# a line when it begins and one when it ends.
step()
{
	local log=$LOGS/$1.log text=$2 pid start now rc=0

	shift 2
	start=$SECONDS
	[ -t 1 ] || say "  $text ..."
	# In a process group of its own, which ends with this script.
	set -m
	"$@" >"$log" 2>&1 </dev/null 9>&- &
	pid=$!
	set +m
	trap 'kill -TERM -- "-$pid" 2>/dev/null; exit 130' INT TERM
	if [ -t 1 ]; then
		while kill -0 "$pid" 2>/dev/null; do
			printf '\r  %s ... %d:%02d, %d lines of log' "$text" \
				$(((SECONDS - start) / 60)) \
				$(((SECONDS - start) % 60)) "$(wc -l <"$log")"
			sleep 1
		done
		printf '\r\033[K'
	fi
	wait "$pid" || rc=$?
	trap - INT TERM
	now=$((SECONDS - start))
	if [ "$rc" -ne 0 ]; then
		tail -n 15 "$log" | sed 's/^/    /' >&2
		warn "the whole log is in $log"
		reason "$log" "$rc"
		return "$rc"
	fi
	say "  $text: done in ${now} s"
}

# in_root CMD...: run a command inside the test root. The mounts are made in
# a mount namespace of its own, so they go away with the command, however it
# ends. The cache is /cache there, this source tree /src, and the directory
# in $SHARE, if any, /share.
in_root()
{
	(become_in_root "$@")
}

# become_in_root CMD...: the same in place of the calling script, so that a
# signal sent to the script reaches the command.
become_in_root()
{
	export ROOT CACHE TOP SHARE=${SHARE:-}
	exec unshare --mount --propagation private \
		/bin/bash "$TOP/tools/testing/root/enter.sh" "$@"
}
