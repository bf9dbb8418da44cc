# SPDX-License-Identifier: GPL-2.0
"""The scenarios in which devices go, come, sleep and are reset, and memory is short."""

import os

import check_device
import guest
from device import DeviceShare
from scenario import scenario, tmpfs

# How many events of the scenario soak, unless "make soak" asks for minutes.
SOAK_EVENTS = 25

# What "make soak" asks for.
asked = {"minutes": None}

# What the bus says when a device is pulled out, and QEMU's of tasks that do not sleep.
BUS = "pcieport|pci 0000|PM: |Freezing |task:|OOM killer|random: crng"


@scenario("suspend", ours=True)
def suspend(test):
    other = test.directory("other")
    with open(other + "/note", "w") as note:
        note.write("note\n")
    shares = [guest.Share("myfs", test.directory(), device={"x-pcie-pm-no-soft-reset": True}),
              guest.Share("other", other)]
    test.boot("suspend", shares, limit=120, env={"expect_log": BUS + "|suspend would end the session"})


@scenario("device-reset", ours=True)
def device_reset(test):
    share = DeviceShare("myfs", test.directory(), queues=2, options=["--timeout", "0"])
    check_device.run(test, "device-reset", share, smp=2,
                     env={"expect_log": "was reset, and not by its driver"})


@scenario("device-shutdown", ours=True)
def device_shutdown(test):
    share = DeviceShare("myfs", test.directory(), queues=2, options=["--timeout", "0"])
    check_device.fill(share.directory)
    test.boot("device-shutdown", [share])
    test.claim_equal("device_sees_nothing_forbidden", share.violations(), {})


@scenario("cycles", ours=True)
def cycles(test):
    test.boot("cycles", [guest.Share("myfs", test.directory())], limit=900,
              env={"mounts": 100, "binds": 10, "expect_log": BUS})


@scenario("failures", ours=True)
def failures(test):
    if "-debug" not in test.kernel:
        test.skip("allocations_fail", "only a debug kernel can have them fail")
        return
    test.boot("failures", [guest.Share("myfs", test.directory(), ["--xattr"])])


@scenario("memory")
def memory(test):
    if "-debug" in test.kernel:
        test.skip("memory_is_short", "a debug kernel needs all there is for itself")
        return
    share = guest.Share("myfs", test.directory(), ["--cache=always", "--writeback"])
    test.boot("memory", [share], memory="192M")


@scenario("soak", ours=True)
def soak(test):
    minutes = asked["minutes"] or 0
    directory = test.directory()
    os.mkdir(directory + "/sub")
    with tmpfs(directory + "/sub", "size=4m"):
        with open(directory + "/sub/file", "w") as file:
            file.write("sub\n")
        share = guest.Share("myfs", directory, ["--xattr", "--writeback", "--allow-direct-io",
                                                "--announce-submounts"])
        test.boot("soak", [share], images=("base", "load"), limit=900 + 90 * minutes,
                  env={"events": 0 if minutes else SOAK_EVENTS, "minutes": minutes,
                       "expect_log": BUS + "|virtiofs|smpboot|I/O error"})
