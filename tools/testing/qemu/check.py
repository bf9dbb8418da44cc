#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The scenarios of "make check": each boots guests and claims what must be true.

What guests claim themselves stands in guest/*.sh; what is claimed here is what
can be seen on the host. Runs inside the test root.
"""

import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import check_device
import check_faults
import check_host
import check_machine
import check_package
import check_scripts
import check_stock
import check_system
import check_variants
import guest
import tap
from device import SANITIZED, DeviceShare
from scenario import SCENARIOS, Test, scenario, tmpfs

# These have scenarios of their own, and register them when they are imported.
PARTS = (check_device, check_faults, check_host, check_machine, check_package, check_scripts,
         check_stock, check_system, check_variants)

DEBIAN = guest.CACHE + "/debian"
GUEST_SCRIPTS = os.path.dirname(os.path.abspath(__file__)) + "/guest"

# The selftests that every shape of the ring has to pass.
CORE = ["data", "direct", "mmap", "parallel", "xattr", "links", "special"]

def write(path, content, mode="w"):
    with open(path, mode) as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def checksum(path):
    return hashlib.sha256(read(path)).hexdigest()


# The selftests, on the options of the daemon and the shapes of the ring

# Options of the daemon that add something to test.
CACHED = ["--cache=always", "--writeback", "--xattr", "--posix-acl", "--allow-direct-io",
          "--modcaps=+sys_admin"]


def selftests(test, programs=(), daemon=("--xattr",), device=None, **options):
    env = {"tag2": "other", "expect_log": check_device.SAID,
           "features": f"28={int((device or {}).get('indirect_desc', True))} 34=0"}
    shares = [guest.Share("myfs", test.directory("myfs"), daemon, device),
              guest.Share("other", test.directory("other"), daemon)]
    test.boot(" ".join(["selftests", *programs]), shares, env=env, limit=1200, **options)
    test.claim_equal("share_is_left_empty", os.listdir(test.directory("myfs")), [])


@scenario("selftests")
def selftests_default(test):
    selftests(test)


@scenario("selftests-cached")
def selftests_cached(test):
    selftests(test, daemon=CACHED)


@scenario("selftests-full")
def selftests_full(test):
    # Small, so that it can be full.
    with tmpfs(test.directory("myfs"), "size=60m"):
        selftests(test, ["space"])


def ring_scenarios():
    """A scenario for each shape of the ring that virtiofsd knows; it has no packed one."""
    shapes = {"ring-8": {"queue-size": 8}, "ring-16": {"queue-size": 16},
              "ring-1024": {"queue-size": 1024},
              "ring-direct": {"indirect_desc": False},
              "ring-8-direct": {"queue-size": 8, "indirect_desc": False}}
    for name, device in shapes.items():
        scenario(name)(lambda test, device=device: selftests(test, CORE, device=device))


ring_scenarios()


# The queues, the device and the sessions on a device in memory

# What the suites make the guest's kernel say.
KUNIT_PROVOKED = ("tag <.*>|the tag |the device has no request queue|at least 4 are needed|needs a reset"
                  "|id [0-9]+ out of range|is not a head|probe with driver virtiofs|: probe of .* failed|kobject: "
                  "|the device is gone|not by its driver|suspend would|does not start again"
                  "|debugfs: out of free dentries|reply to opcode|callbacks suppressed|Test should be marked slow"
                  "|does not fit into queue|is not answered for|no answer during unmount")


@scenario("kunit", ours=True)
def kunit(test):
    test.boot("kunit", [], env={"expect_log": KUNIT_PROVOKED}, smp=4, limit=600)


# The module, the device and its tag

@scenario("lifecycle", ours=True)
def lifecycle(test):
    test.boot("lifecycle", [guest.Share("myfs", test.directory())])


@scenario("mounts", ours=True)
def mounts(test):
    test.boot("mounts", [guest.Share("myfs", test.directory(), ["--writeback"])],
              env={"expect_log": "pcieport|virtiofs: tag <urfs> not found"})


@scenario("hotplug")
def hotplug(test):
    test.boot("hotplug", [guest.Share("myfs", test.directory())],
              env={"expect_log": "pcieport"})


@scenario("dead-daemon", ours=True)
def dead_daemon(test):
    test.boot("dead-daemon", [guest.Share("myfs", test.directory()),
                              guest.Share("other", test.directory("other"))],
              env={"expect_log": "pcieport"})


@scenario("tags", ours=True)
def tags(test):
    longest = "grüße-" + "x" * 28
    shares = []
    for index, (tag, name) in enumerate(((longest, "longest"), ("two", "first"),
                                         ("two", "second"), ("line\nfeed", "feed"))):
        directory = test.directory(str(index))
        write(directory + "/name", name)
        shares.append(guest.Share(tag, directory))
    for name, tag, options in (("empty", "", {}), ("queueless", "queueless", {"queues": 0}),
                               ("small", "small", {"ring": 2})):
        shares.append(DeviceShare(tag, test.directory(name), bare=True, **options))
    test.boot("tags", shares, env={"longest": longest,
                                   "expect_log": "tag|probe|no request queue|are needed"})


@scenario("builtin", ours=True)
def builtin(test):
    directory = test.directory()
    write(directory + "/file", "here\n")
    test.boot("builtin", [guest.Share("myfs", directory)], kernel=test.kernel + "-intree",
              env={"expect_log": "virtiofs"})


# The data

@scenario("persistence")
def persistence(test):
    directory = test.directory()
    share = [guest.Share("myfs", directory, ["--xattr"])]
    test.boot("persist-write", share)
    host_finds_what_the_guest_wrote(test, directory)
    write(directory + "/from-host", "made on the host\n")
    write(directory + "/private", "changed on the host\n")
    test.boot("persist-read", share)


def host_finds_what_the_guest_wrote(test, directory):
    def path(name):
        return os.path.join(directory, name)

    def status(name):
        return os.lstat(path(name))

    lines = b"".join(b"%d\n" % n for n in range(1, 20001))
    test.claim_equal("bytes_are_on_the_host", read(path("lines")), lines)
    test.claim_equal("empty_file_is_on_the_host", status("empty").st_size, 0)
    test.claim_equal("hole_reads_as_zeroes", read(path("sparse")).strip(b"\0"), b"end\n")
    test.claim_equal("size_of_sparse_file", status("sparse").st_size, 8 << 20)
    test.claim("sparse_file_is_sparse", status("sparse").st_blocks < 64)
    test.claim_equal("modes_are_on_the_host",
                     [oct(stat.S_IMODE(status(name).st_mode))
                      for name in ("private", "tool", "shared")], ["0o640", "0o4755", "0o1777"])
    test.claim_equal("owner_is_on_the_host", (status("private").st_uid, status("private").st_gid),
                     (1234, 5678))
    test.claim_equal("links_are_one_file_on_the_host",
                     len({status(name).st_ino for name in ("lines", "lines2", "shared/lines3")}), 1)
    test.claim_equal("link_count_is_on_the_host", status("lines").st_nlink, 3)
    test.claim_equal("symlink_is_on_the_host", os.readlink(path("shared/soft")), "../lines")
    test.claim("fifo_is_on_the_host", stat.S_ISFIFO(status("fifo").st_mode))
    test.claim_equal("node_is_on_the_host", status("null").st_rdev, os.makedev(1, 3))
    test.claim_equal("time_is_on_the_host", status("tool").st_mtime_ns, 1000000000 * 10 ** 9)
    test.claim_equal("xattr_is_on_the_host", os.getxattr(path("lines"), "user.note"), b"remember")
    test.claim("directories_are_on_the_host", os.path.isdir(path("a/b/c/d/e/f/g/h")))
    test.claim_equal("name_in_utf8_is_on_the_host", read(path("grüße 世界")), "ü\n".encode())
    test.claim("deleted_is_gone_on_the_host", not os.path.lexists(path("deleted")))
    test.claim("renamed_is_renamed_on_the_host",
               read(path("new")) == b"moved\n" and not os.path.lexists(path("old")))


def checksums(directory):
    """The tree's files by name, for what must not change."""
    return {os.path.relpath(os.path.join(where, name), directory):
            checksum(os.path.join(where, name))
            for where, _, names in os.walk(directory) for name in names
            if not os.path.islink(os.path.join(where, name))}


INSTALLER = """set -e
cd "$(dirname "$0")"
tar -cf - files tools | tar -xf - -C "$1"
"""


@scenario("install")
def install(test):
    directory = test.directory()
    noise = random.Random(26)
    os.makedirs(directory + "/files/deep/er")
    os.makedirs(directory + "/tools")
    for n in range(60):
        where = ("files", "files/deep", "files/deep/er")[n % 3]
        write(f"{directory}/{where}/{n}", noise.randbytes(noise.randrange(200000)), "wb")
    shutil.copy("/usr/bin/busybox", directory + "/tools/busybox")
    os.symlink("busybox", directory + "/tools/sh")
    sums = checksums(directory)
    write(directory + "/SHA256SUMS", "".join(f"{sha}  {name}\n" for name, sha in sums.items()))
    write(directory + "/install.sh", INSTALLER)
    before = checksums(directory)
    test.boot("install", [guest.Share("myfs", directory, ["--readonly"])],
              env={"files": len(sums)}, programs=True)
    test.claim_equal("offered_files_are_unchanged", checksums(directory), before)


@scenario("rootfs", ours=True)
def rootfs(test):
    tree = test.work + "/tree"
    subprocess.run(["cp", "-a", DEBIAN, tree], check=True)
    shutil.copytree(GUEST_SCRIPTS, tree + "/guest")
    shutil.copy("/usr/bin/busybox", tree + "/usr/bin/busybox")
    test.boot("rootfs", [guest.Share("myfs", tree, ["--xattr"])], root="myfs", programs=True,
              kernel=test.kernel + "-intree", env={"rootflags": "wait=60,timeout=600"})
    release = os.listdir(f"{guest.CACHE}/linux/{test.kernel}-intree/install/lib/modules")
    test.claim_equal("host_finds_what_the_system_wrote", read(tree + "/root/note").decode(),
                     f"written by {release[0]}\n")
    test.claim("host_finds_the_user_that_was_added", b"\nguest:" in read(tree + "/etc/passwd"))
    test.claim_equal("host_finds_the_list_of_packages",
                     read(tree + "/root/packages").count(b"\nii "),
                     read(DEBIAN + "/var/lib/dpkg/status").count(b"\nStatus: install ok installed"))


@scenario("stateless")
def stateless(test):
    directory = test.directory()
    for n in range(1, 4):
        test.boot(f"stateless {n}", [guest.Share("myfs", directory)])
    test.claim_equal("host_finds_a_line_of_each_boot", read(directory + "/journal"),
                     b"boot 1\nboot 2\nboot 3\n")
    test.claim_equal("host_finds_the_whole_state", read(directory + "/growing"),
                     read("/usr/bin/busybox") * 3)


@scenario("two-guests")
def two_guests(test):
    directory = test.directory()
    # Each guest has to see at once what the other did: no caching.
    test.finish(*(test.guest(f"two-guests {me} {other}", name=me, smp=1,
                             shares=[guest.Share("myfs", directory, ["--cache=never"])])
                  for me, other in (("a", "b"), ("b", "a"))))
    test.claim_equal("host_counts_what_both_counted",
                     [read(f"{directory}/number.{way}")
                      for way in ("creating", "linking", "renaming")], [b"50\n"] * 3)
    test.claim("locks_are_left_on_the_host",
               os.path.exists(directory + "/token") and not os.path.exists(directory + "/lock"))


@scenario("submounts")
def submounts(test):
    directory = test.directory()
    mounts = [directory + "/sub", directory + "/sub/deeper"]
    os.mkdir(directory + "/plain")
    write(directory + "/plain/file", "plain\n")
    with contextlib.ExitStack() as stack:
        for path in mounts:
            os.mkdir(path)
            stack.enter_context(tmpfs(path, "size=4m"))
            write(path + "/file", os.path.basename(path) + "\n")
        test.boot("submounts", [guest.Share("myfs", directory, ["--announce-submounts"])])
        test.claim_equal("host_finds_the_file_in_the_submount",
                         read(directory + "/sub/written"), b"guest\n")
        test.claim_equal("host_finds_the_moved_file_in_the_submount",
                         read(directory + "/sub/moved"), b"plain\n")
    test.claim("submount_has_left_nothing_below", not os.listdir(directory + "/sub"))


def load(test, ring):
    share = guest.Share("myfs", test.directory(), ["--xattr", "--allow-direct-io"],
                        {"queue-size": ring})
    test.boot("load", [share], images=("base", "load"), limit=1200,
              env={"expect_log": "LOCK_MAND"})


@scenario("load-16")
def load_16(test):
    load(test, 16)


@scenario("load-1024", once=True)
def load_1024(test):
    load(test, 1024)


# The inodes that a guest keeps

@scenario("cache", ours=True)
def cache(test):
    inodes = check_device.asked["inodes"]
    directory = test.directory()
    for n in range(1, 101):
        os.mkdir(f"{directory}/d{n}")
        for m in range(1, inodes // 100 + 1):
            write(f"{directory}/d{n}/f{m}", "x" if m == 1 else "")
    test.boot("cache", [guest.Share("myfs", directory)], limit=600 + inodes // 100,
              env={"files": inodes // 100 * 100, "limit": inodes // 20})


@scenario("writeback", ours=True)
def writeback(test):
    share = guest.Share("myfs", test.directory(), ["--writeback", "--cache=always"])
    test.boot("writeback", [share], limit=600,
              env={"expect_log": "virtiofs: myfs|Buffer I/O error|lost file I/O error report|" + check_faults.BUS})


# Running and reporting

def report(test, outside):
    """A line for the scenario, and the failures with what they said."""
    failed = test.count(tap.FAIL)
    print(f"{'FAIL' if failed else 'ok  '}  {test.kernel:<10} {test.name:<20}"
          f"{test.count(tap.PASS):5} passed {failed:3} failed {test.count(tap.SKIP):3} skipped"
          f" {test.seconds:7.1f} s{''.join(', ' + note for note in test.notes)}", flush=True)
    for result in test.results:
        if result.status == tap.FAIL:
            print(f"      not ok {result.name}")
            for line in filter(None, result.detail):
                print(f"        {line}")
        elif result.status == tap.SKIP:
            print(f"      skipped {result.name}: {' '.join(filter(None, result.detail))}")
    if failed:
        print(f"      logs: {test.log_dir.replace(guest.CACHE, outside)}", flush=True)


def chosen(args):
    """The runs that were asked for, kernel by kernel."""
    names = [name for name, (_, needs) in SCENARIOS.items()
             if re.search(args.only, name) and not re.search(args.but, name)
             and not (needs.get("ours") and args.driver != "ours")]
    return [Test(name, kernel, args.driver) for kernel in args.kernels for name in names
            if (args.each or kernel == args.kernels[0] or not SCENARIOS[name][1].get("once"))
            and (kernel.endswith("-stock") or not SCENARIOS[name][1].get("stock"))]


def stop(*_):
    guest.stopping.set()


def run(test, outside, lock):
    if guest.stopping.is_set():
        return
    test.run()
    with lock:
        report(test, outside)


def main():
    parser = argparse.ArgumentParser(description="Runs the scenarios of make check.")
    parser.add_argument("kernels", nargs="+", metavar="KERNEL")
    parser.add_argument("--only", default="", metavar="REGEX", help="scenarios to run")
    parser.add_argument("--except", dest="but", default="^$", metavar="REGEX",
                        help="scenarios not to run")
    parser.add_argument("--each", action="store_true",
                        help="on each kernel those that one is enough for, too")
    parser.add_argument("--driver", default="ours", choices=("ours", "mainline"))
    parser.add_argument("--accel", default="auto", choices=("auto", "kvm", "tcg"))
    parser.add_argument("--inodes", type=int, default=10000,
                        help="how many files device-forgets and cache have")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at a time")
    parser.add_argument("--outside", default=guest.CACHE,
                        help="what the cache is called outside of the test root")
    parser.add_argument("--fuzz-count", type=int, metavar="N", help="lies of device-fuzz")
    parser.add_argument("--fuzz-seed", type=int, metavar="N", help="what they begin with")
    parser.add_argument("--soak-minutes", type=int, metavar="N", help="how long soak takes")
    parser.add_argument("--list", action="store_true", help="only name the scenarios")
    args = parser.parse_args()
    if args.list:
        print("\n".join(SCENARIOS))
        return 0
    check_device.asked.update(count=args.fuzz_count, seed=args.fuzz_seed,
                              inodes=args.inodes)
    check_faults.asked.update(minutes=args.soak_minutes)
    if any("-debug" in kernel for kernel in args.kernels):
        DeviceShare.program = SANITIZED
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, stop)

    guest.Guest.accelerator = guest.accelerator(args.accel, args.kernels[0])
    tests = chosen(args)
    lock = threading.Lock()
    with ThreadPoolExecutor(args.jobs) as pool:
        for future in [pool.submit(run, test, args.outside, lock) for test in tests]:
            future.result()
    if guest.stopping.is_set():
        print("check: interrupted", file=sys.stderr)
        return 1
    passed, failed, skipped = (sum(test.count(status) for test in tests)
                               for status in (tap.PASS, tap.FAIL, tap.SKIP))
    print(f"check: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
