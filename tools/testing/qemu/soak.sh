#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make soak": a guest at work, while whatever can happen to a device, its
# driver and its mounts happens at random.
#   MINUTES=N          how long
#   KERNELS=, DEBUG=1, VARIANT=  as with check.sh

export ONLY='^soak$' MINUTES="${MINUTES:-10}"
exec "$(dirname "$0")/check.sh"
