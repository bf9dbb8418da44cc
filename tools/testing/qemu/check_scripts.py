# SPDX-License-Identifier: GPL-2.0
"""Scenarios that are a script in guest/ alone, which says itself what it needs.

A line "# scenario: WORDS" in the head of guest/NAME.sh makes NAME a scenario:

  ours                   it says nothing of mainline's driver
  device[=OPTION,...]    the share myfs is one of the test device, with options of that (timeout:0
                         is --timeout 0); otherwise virtiofsd has it, with --xattr
  queues=N ring=N smp=N limit=N  request queues, entries of a ring, CPUs, seconds at most

"# expect-log: REGEX" are messages in the guest's log that are no complaint.
"""

import glob
import os
import re

import check_device
import guest
from device import DeviceShare
from scenario import scenario

SCRIPTS = os.path.dirname(os.path.abspath(__file__)) + "/guest/*.sh"


def head(path):
    """What a script says of itself: (words, expected log), or (None, None)."""
    with open(path) as file:
        lines = re.match(r"(#.*\n)*", file.read()).group()
    words = re.search(r"^# scenario:(.*)", lines, re.M)
    log = re.search(r"^# expect-log: (.*)", lines, re.M)
    if not words:
        return None, None
    return dict(word.partition("=")[::2] for word in words.group(1).split()), log and log.group(1)


WORDS = {"ours", "device", "queues", "ring", "smp", "limit"}


def register(name, words, log):
    if set(words) - WORDS:
        raise ValueError(f"{name}.sh: unknown words for a scenario: {set(words) - WORDS}")
    env = {"expect_log": log} if log else {}
    numbers = {word: int(words[word]) for word in ("smp", "limit") if word in words}
    shape = {word: int(words[word]) for word in ("queues", "ring") if word in words}

    @scenario(name, **({"ours": True} if "ours" in words else {}))
    def run(test):
        if "device" not in words:
            test.boot(name, [guest.Share("myfs", test.directory(), ["--xattr"])], env=env,
                      **numbers)
            return
        options = [word for option in words["device"].split(",") if option
                   for word in ("--" + option).split(":")]
        check_device.run(test, name, DeviceShare("myfs", test.directory(), options=options,
                                                 **{"queues": 1, **shape}),
                         **{"smp": 2, **numbers}, env=env)


for script in sorted(glob.glob(SCRIPTS)):
    said, expected = head(script)
    if said is not None:
        register(os.path.basename(script)[:-3], said, expected)
