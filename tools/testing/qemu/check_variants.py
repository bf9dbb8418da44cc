# SPDX-License-Identifier: GPL-2.0
"""The scenarios that debug kernels see the most in: tasks that are killed, and no memory."""

import os

import check_device
import check_faults
import guest
from device import DeviceShare
from scenario import scenario, tmpfs

# How many the scenario killing kills, unless it is asked for minutes.
KILLS = 20


def files(directory):
    """Those that nobody writes to, by name."""
    contents = {}
    for name in filter(str.isdigit, os.listdir(directory)):
        with open(f"{directory}/{name}", "rb") as file:
            contents[name] = file.read()
    return contents


@scenario("killing", ours=True)
def killing(test):
    minutes = check_faults.asked["minutes"] or 0
    share = DeviceShare("myfs", test.directory(), queues=2, options=["--timeout", "0"])
    check_device.run(test, "killing", share, smp=2, images=("base", "load"),
                     limit=1200 + 90 * minutes,
                     env={"kills": 0 if minutes else KILLS, "minutes": minutes})
    original = test.directory("original")
    check_device.fill(original)
    test.claim("files_are_unchanged_on_the_host", files(share.directory) == files(original))


@scenario("failures-submounts", ours=True)
def failures_submounts(test):
    if "-debug" not in test.kernel:
        test.skip("allocations_fail", "only a debug kernel can have them fail")
        return
    directory = test.directory()
    os.mkdir(directory + "/sub")
    with open(directory + "/file", "w") as file:
        file.write("root\n")
    with tmpfs(directory + "/sub", "size=4m"):
        with open(directory + "/sub/file", "w") as file:
            file.write("sub\n")
        test.boot("failures-submounts", [guest.Share("myfs", directory, ["--announce-submounts"])])
