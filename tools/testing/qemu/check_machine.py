# SPDX-License-Identifier: GPL-2.0
"""The scenarios of guests whose memory, CPUs, interrupts or neighbours are not the usual ones."""

import os

import check_device
import guest
from device import DeviceShare
from scenario import scenario

DIRECT = ["--cache", "never", "--allow-direct-io"]


def boot(test, script, shares, **options):
    """Boots a guest, and looks at what devices for tests have seen."""
    test.boot(script, shares, **options)
    name = options.get("name")
    for share in shares:
        if isinstance(share, DeviceShare):
            test.claim_equal(f"{' '.join(filter(None, (name, share.tag)))}_sees_nothing_forbidden",
                             share.violations(), {})


def pair(test, device=None, daemon=(), queues=2):
    """A share of the daemon, and one of the device."""
    return [guest.Share("myfs", test.directory("myfs"), daemon, device),
            DeviceShare("other", test.directory("other"), queues=queues, device=device)]


# Memory

@scenario("numa")
def numa(test):
    """Four regions of memory, which a daemon maps one by one, whether the guest knows or not."""
    for name, words in (("nodes", []), ("flat", ["numa=off"]), ("daemon", ["numa=off"])):
        share = (guest.Share("myfs", test.directory(name), DIRECT) if name == "daemon" else
                 DeviceShare("myfs", test.directory(name), queues=2))
        boot(test, "numa", [share], name=name, memory="512M", nodes=4, words=words,
             env={"nodes": 1 if words else 4})


@scenario("memory-hotplug")
def memory_hotplug(test):
    boot(test, "memory-hotplug", pair(test, daemon=DIRECT), images=("base", "load"),
         memory="768M,slots=4,maxmem=4G", qemu=[
             "-object", "memory-backend-memfd,id=growing,size=512M,share=on",
             "-device", "virtio-mem-pci,id=grows,memdev=growing,requested-size=0"])


BOUNCE = {"large": "swiotlb=force", "small": "swiotlb=1024,force"}


@scenario("bounce", ours=True)
def bounce(test):
    """Devices that may not see the guest's own memory."""
    for pool, word in BOUNCE.items():
        for ring in ("split", "packed"):
            # A fault of its virtio_ring: descriptors that could not be mapped are not taken back
            if (ring, pool) == ("packed", "small") and test.kernel.split("-")[0] == "6.1":
                test.skip("packed-small", "Linux 6.1 leaves descriptors behind that it has not mapped")
                continue
            device = {"iommu_platform": True, "packed": ring == "packed"}
            name = f"{ring}-{pool}"
            shares = [DeviceShare(tag, test.directory(name + tag), queues=2, device=device)
                      for tag in ("a", "b", "c")]
            boot(test, "serves a b c", shares, name=name, words=[word],
                 env={"mib": 8, "bounced": 1, "expect_log": "swiotlb buffer is full"})


@scenario("memcg", ours=True)
def memcg(test):
    share = DeviceShare("myfs", test.directory(), queues=2, options=["--timeout", "3600"])
    os.mkdir(share.directory + "/many")
    for n in range(1000):
        with open(f"{share.directory}/many/{n}", "w"):
            pass
    check_device.run(test, "memcg", share, smp=2)


@scenario("deadlock-mmap")
def deadlock_mmap(test):
    for name, options in (("through", []), ("writeback", ["--writeback"])):
        share = guest.Share("myfs", test.directory(name),
                            ["--allow-direct-io", "--allow-mmap", "--cache=auto", *options])
        test.boot("deadlock-mmap", [share], name=name, smp=1, images=("base", "load"), limit=100)


# CPUs and interrupts

@scenario("cpus", ours=True)
def cpus(test):
    myfs = DeviceShare("myfs", test.directory("myfs"), queues=4, options=["--timeout", "0"])
    other = guest.Share("other", test.directory("other"), ["--allow-direct-io"])
    boot(test, "cpus", [myfs, other], smp=4, images=("base", "load"),
         env={"expect_log": "smpboot|no longer affine|APIC: Stale"})


@scenario("vectors-0")
def vectors_0(test):
    boot(test, "serves myfs other", pair(test, device={"vectors": 0}), env={"mib": 16})


@scenario("nomsi")
def nomsi(test):
    """Two devices on one interrupt line."""
    shares = pair(test)
    for share, slot in zip(shares, ("10", "14")):
        share.device.update({"bus": "pcie.0", "addr": slot})
    boot(test, "serves myfs other", shares, words=["pci=nomsi"], env={"mib": 16, "line": 1})


@scenario("microvm")
def microvm(test):
    boot(test, "serves myfs other", pair(test), machine="microvm", env={"mib": 16})


@scenario("reboot")
def reboot(test):
    share = guest.Share("myfs", test.directory(), ["--cache=always", "--writeback"])
    test.boot("reboot", [share], reboots=True, limit=600)
    with open(share.directory + "/boots") as boots:
        test.claim_equal("guest_boots_three_times", boots.read().count("\n"), 3)


# Neighbours

MODULES = {"selinux": "selinux", "smack": "SMACK64"}


@scenario("labels", ours=True)
def labels(test):
    for module, label in MODULES.items():
        share = DeviceShare("myfs", test.directory(module), queues=1, options=["--timeout", "0"])
        check_device.run(test, f"labels {label}", share, smp=2, name=module,
                         words=[f"lsm={module}"], env={"security": module, "expect_log": "virtiofs: "})


@scenario("overlay")
def overlay(test):
    lower = guest.Share("lower", test.directory("lower"))
    upper = guest.Share("upper", test.directory("upper"), ["--xattr", "--modcaps=+sys_admin"])
    check_device.fill(lower.directory)
    test.boot("overlay", [lower, upper], env={"expect_log": "overlayfs: "})
