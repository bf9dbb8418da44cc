#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make fuzz": a guest at work while its device lies at random.
#   COUNT=N    how many lies
#   SEED=N     what they begin with, for the same ones again
#   KERNELS=, DEBUG=1  as with check.sh

export ONLY='^device-fuzz$' COUNT="${COUNT:-10000}" SEED
exec "$(dirname "$0")/check.sh"
