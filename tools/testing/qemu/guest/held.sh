# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What scripts share in which the device keeps requests of tasks that are killed; sourced
# after lib.sh.

# begin_held OPCODE NAME COMMAND...: the device keeps what the command, which is pid, asks.
begin_held()
{
	op=$1
	name=$2
	shift 2
	asked=$(host device myfs counter "op.$op")
	host device myfs fault "op=$op count=all hold" >&2
	"$@" >/dev/null 2>&1 &
	pid=$!
	claim "$name: device_has_the_request" host device myfs wait "op.$op" $((asked + 1))
}

# kill_while_held OPCODE NAME COMMAND...: the same, until the command is gone.
kill_while_held()
{
	begin_held "$@"
	kill -9 $pid
	claim "$name: task_is_killed" soon ended $pid
	wait $pid
}
