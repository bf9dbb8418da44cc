# SPDX-License-Identifier: GPL-2.0
"""The scenarios with the test device, which can do what an honest daemon does not."""

import os
import random

from device import ABOUT_THE_RING, ABOUT_THE_SERVER, DeviceShare
from scenario import scenario, tmpfs

# What the selftests make the guest's kernel say, as with an honest daemon.
SAID = "tag <.*> not found|Unknown parameter|Invalid ELF header"

# What a device that lies makes the guest's kernel say.
PROVOKED = ("reply to opcode [0-9]+ is|id [0-9]+ out of range|is not a head"
            "|VFS: Lookup of '|callbacks suppressed")

FUZZ_LIES = 4000

# What whoever runs the scenarios asks for.
asked = {"count": None, "seed": None, "inodes": None}


def fill(directory):
    """Files with contents that can be told from any others."""
    noise = random.Random(5)
    for n in range(40):
        with open(f"{directory}/{n}", "wb") as file:
            file.write(noise.randbytes(1 + noise.randrange(300000)))
    os.mkdir(directory + "/dir")
    for n in range(50):
        with open(f"{directory}/dir/entry{n}", "w") as file:
            file.write(f"{n}\n")
    os.mkdir(directory + "/work")


def run(test, script, share, smp=4, **options):
    """Boots a guest on a share of the device, and looks at what the device has seen."""
    fill(share.directory)
    one = test.guest(script, [share], smp=smp, **options)
    test.finish(one)
    test.claim_equal("device_sees_nothing_forbidden", share.violations(), {})
    test.claim_equal("device_has_answered_everything", share.counters.get("in_flight"), 0)
    return share.counters


@scenario("device-queues", ours=True)
def device_queues(test):
    """Each number of queues on each number of CPUs."""
    for cpus in range(1, 9):
        shares = [DeviceShare(f"q{queues}", test.directory(f"{cpus}-q{queues}"), queues=queues)
                  for queues in range(1, 9)]
        shares.append(DeviceShare("few4", test.directory(f"{cpus}-few4"), queues=4,
                                  device={"vectors": 2}))
        test.boot("device-queues", shares, smp=cpus, name=f"cpus-{cpus}")
        for share in shares:
            test.claim_equal(f"{share.tag}_of_{cpus}_cpus_sees_nothing_forbidden",
                             share.violations(), {})


@scenario("device-hiprio", ours=True)
def device_hiprio(test):
    run(test, "device-hiprio", DeviceShare("myfs", test.directory(), queues=1, ring=8))


@scenario("device-forgets")
def device_forgets(test):
    inodes = asked["inodes"]
    share = DeviceShare("myfs", test.directory(), queues=1, ring=128)
    run(test, "device-forgets", share, limit=300 + inodes // 100, env={"inodes": inodes},
        memory="1G" if inodes <= 100000 else "4G")


@scenario("device-submounts", ours=True)
def device_submounts(test):
    share = DeviceShare("myfs", test.directory(), queues=1, options=["--timeout", "0"])
    os.mkdir(share.directory + "/sub")
    with tmpfs(share.directory + "/sub", "size=4m"):
        with open(share.directory + "/sub/file", "wb") as file:
            file.write(random.Random(6).randbytes(300000))
        with open(share.directory + "/sub/sparse", "wb") as file:
            file.truncate(1 << 20)
        run(test, "device-submounts", share, smp=2,
            env={"expect_log": "lost file I/O error report|Buffer I/O error|oom_reaper"})


@scenario("device-blocked", ours=True)
def device_blocked(test):
    share = DeviceShare("myfs", test.directory(), queues=1, ring=8, options=["--timeout", "0"])
    run(test, "device-blocked", share, smp=2, limit=600,
        env={"ring": 8, "expect_log": "virtiofs: myfs: (not responding|responding|opcode)"})


@scenario("device-stats", ours=True)
def device_stats(test):
    share = DeviceShare("myfs", test.directory(), queues=1, ring=8, device={"indirect_desc": False},
                        options=["--timeout", "0"])
    run(test, "device-stats", share, smp=2, env={"expect_log": PROVOKED})


@scenario("device-polls", ours=True)
def device_polls(test):
    share = DeviceShare("myfs", test.directory(), queues=1, options=["--timeout", "3600"])
    run(test, "device-polls", share, smp=2)


@scenario("device-together", ours=True)
def device_together(test):
    """On a CPU that has the queue for itself, and on two that share it."""
    for cpus in (1, 2):
        # However long it takes, no GETATTR is notified of among what is counted.
        share = DeviceShare("myfs", test.directory(f"{cpus}"), queues=1,
                            options=["--timeout", "3600"])
        with open(share.directory + "/big", "wb") as file:
            for _ in range(64):
                file.write(random.randbytes(1 << 20))
        run(test, "device-together", share, smp=cpus, name=f"cpus-{cpus}",
            images=("base", "load"))


@scenario("device-disorder", ours=True)
def device_disorder(test):
    seed = random.randrange(1 << 32)
    test.note(f"seed {seed}")
    share = DeviceShare("myfs", test.directory(), queues=4, options=["--timeout", "0.05"])
    counters = run(test, "device-disorder parallel data", share, env={"seed": seed})
    test.claim_at_least("requests_were_late", counters["late"], 500)
    test.claim_at_least("requests_were_overtaken", counters["overtaking"], 100)


@scenario("device-lies", ours=True)
def device_lies(test):
    for part in ("device-lies", "device-lies-data", "device-lies-session"):
        share = DeviceShare("myfs", test.directory(part), queues=2, misleads=ABOUT_THE_SERVER,
                            options=["--timeout", "0"])
        run(test, part, share, smp=2, name=part, env={"expect_log": PROVOKED})


def knows_in_order(test):
    """To other kernels such a ring is like any."""
    return not test.kernel.startswith("6.12")


BROKEN = {"split": {}, "packed": {"packed": True}, "split-in-order": {"in_order": True},
          "packed-in-order": {"packed": True, "in_order": True}}


@scenario("device-broken", ours=True)
def device_broken(test):
    seed = random.randrange(1 << 32)
    test.note(f"seed {seed}")
    for name, device in BROKEN.items():
        in_order = knows_in_order(test) and "in_order" in device
        share = DeviceShare("myfs", test.directory(name), queues=2, device=device,
                            misleads=ABOUT_THE_RING if in_order else "")
        fill(share.directory)
        test.boot("device-broken", [share], name=name,
                  env={"seed": seed, "expect_log": PROVOKED, "in_order": int(in_order)})


@scenario("device-fuzz", ours=True)
def device_fuzz(test):
    lies = asked["count"] or FUZZ_LIES
    seed = random.randrange(1 << 32) if asked["seed"] is None else asked["seed"]
    test.note(f"seed {seed}")
    share = DeviceShare("myfs", test.directory(), queues=4, options=["--timeout", "0.02"],
                        misleads=ABOUT_THE_SERVER)
    counters = run(test, "device-fuzz", share, limit=1200 + lies // 10,
                   env={"seed": seed, "expect_log": PROVOKED, "lies": lies})
    test.claim_at_least("lies_were_told", counters["lies"], lies)


@scenario("footprint", ours=True)
def footprint(test):
    shares = [DeviceShare(str(ring), test.directory(str(ring)), queues=4, ring=ring)
              for ring in (128, 1024)]
    test.boot("footprint", shares, smp=4, env={"tags": "128 1024"})


# What some servers do not know, so that nothing tells whether it was asked for.
ASKED = ("SYNCFS", "LSEEK", "FALLOCATE", "RENAME2", "TMPFILE", "READDIRPLUS", "SETXATTR",
         "REMOVEXATTR", "FSYNCDIR")


# Not those of access control lists, which the device does not know, nor of locks, of which
# it knows neither those of an open file nor when they wait for each other.
SELFTESTS = ("open data space copy dirs links rename attr perm xattr mmap direct async"
             " parallel hop special fd mount sysfs")


@scenario("device-selftests", ours=True)
def device_selftests(test):
    share = DeviceShare("myfs", test.directory(), queues=4)
    other = DeviceShare("other", test.directory("other"), queues=1)
    test.boot("selftests " + SELFTESTS, [share, other], smp=4, limit=1200,
              env={"tag2": "other", "features": "28=1 29=1 34=0", "expect_log": SAID})
    test.claim_equal("device_sees_nothing_forbidden", share.violations(), {})
    for opcode in ASKED:
        test.claim_at_least(f"device_is_asked_for_{opcode}",
                            share.counters.get(f"op.{opcode}", 0), 1)
    for queue in range(1, 5):
        test.claim_at_least(f"load_reaches_queue_{queue}",
                            share.counters[f"queue.{queue}.requests"], 1)


def ring_device(shape, directory):
    """A device of a shape like packed-64-indirect-inorder-flags, which is its tag as well."""
    packed, size, indirect, *more = shape.split("-")
    return DeviceShare(shape, directory, queues=1, ring=int(size), device={
        "packed": packed == "packed", "indirect_desc": indirect == "indirect",
        "in_order": "inorder" in more, "event_idx": "flags" not in more})


def bare_device(shape, directory):
    """The same on QEMU's other device, which has the features that the daemon has."""
    packed, size, *_ = shape.split("-")
    return DeviceShare(shape, directory, queues=1, ring=int(size), bare=True, options=[
        "--off", "in_order" if packed == "packed" else "packed,in_order"])


def rings(test, programs, shares):
    """Selftests on each of some devices, one after the other."""
    test.boot("rings " + programs, shares, limit=1200, name=shares[0].tag,
              env={"in_order": int(knows_in_order(test)), "expect_log": SAID})
    for share in shares:
        test.claim_equal(f"{share.tag}_sees_nothing_forbidden", share.violations(), {})


@scenario("device-rings", ours=True)
def device_rings(test):
    """Each format of the ring with each size, with and without indirect descriptors."""
    for packed in ("split", "packed"):
        shapes = [f"{packed}-{size}-{indirect}" for size in (8, 16, 128, 1024)
                  for indirect in ("indirect", "direct")]
        rings(test, "data direct", [ring_device(shape, test.directory(shape)) for shape in shapes])
    shapes = [f"{packed}-64-indirect-{more}" for packed in ("split", "packed")
              for more in ("inorder", "flags", "inorder-flags")]
    shares = [ring_device(shape, test.directory(shape)) for shape in shapes]
    shares += [bare_device(shape, test.directory(shape))
               for shape in ("split-128-indirect-bare", "packed-128-indirect-bare")]
    rings(test, "parallel", shares)
