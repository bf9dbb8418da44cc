#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the benchmark: boots guests, in which guest.sh measures, and writes a table.

Runs inside the test root, where the shared directory is in memory, so that the
host's disk is not what is measured.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../qemu")

import guest
import instructions
import plan
import table
import tap
from device import DeviceShare
from scenario import tmpfs

PROGRAMS = guest.CACHE + "/bench"
LOGS = guest.CACHE + "/logs/bench"
FILE_MIB = 64
PRIORITY = -10

# What mainline says of a daemon that answers as it should
EXPECTED = "response too short"

# What of the kernel's source becomes the tree that is worked on.
SOURCES = re.compile(r".*\.[chS]|Makefile|Kconfig")


CPUS = sorted(os.sched_getaffinity(0))


def has_place(smp):
    """A single vCPU can have a CPU of the host to itself, the first one."""
    return smp == 1 and len(CPUS) > 1


class BenchGuest(guest.Guest):
    """A guest that has the directory by 9p as well, which needs no daemon.

    A single vCPU has its place and all else has its own: to wake up a thread of the same CPU
    is another thing, and where the host puts them is not what is measured.

    counted   the file that gets the instructions that the guest executes; its clock goes by
              them then, and times mean nothing
    """

    def __init__(self, directory, *args, counted=None, **options):
        super().__init__(*args, **options)
        self.directory = directory
        self.counted = counted

    def clock(self):
        return [] if self.counted else super().clock()

    def qemu_command(self, ports):
        command = super().qemu_command(ports) + [
            "-fsdev", f"local,id=fs9p,path={self.directory},security_model=none,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=fs9p,mount_tag=9p"]
        if self.counted:
            command[command.index("tcg,thread=multi")] = "tcg,thread=single"
            command += ["-icount", "shift=0",
                        "-plugin", f"file={PROGRAMS}/instructions.so,out={self.counted}"]
        return command

    def start(self):
        # What is started here inherits it
        os.sched_setaffinity(0, CPUS[1:] if has_place(self.smp) else CPUS)
        super().start()
        if has_place(self.smp):
            [vcpu] = self.monitor("query-cpus-fast")
            os.sched_setaffinity(vcpu["thread-id"], CPUS[:1])


def share(name, directory, group):
    if name == "device":
        return DeviceShare(name, directory, queues=1, options=["--timeout", "0"])
    if name == "queues":
        return DeviceShare(name, directory, queues=4, options=["--timeout", "0"])
    options = [f"--cache={name}", "--allow-direct-io"]
    if group == "tree":
        # There may be more files than the daemon may have open
        options.append("--inode-file-handles=prefer")
    return guest.Share(name, directory, options)


# What the guests find

def make_files(directory):
    with open(directory + "/file", "wb") as file:
        for _ in range(FILE_MIB):
            file.write(os.urandom(1 << 20))
    os.mkdir(directory + "/thousand")
    for n in range(1000):
        open(f"{directory}/thousand/name{n}", "w").close()


def source_files(tree, count):
    """The first so many files of a kernel's source, always the same ones."""
    found = []
    for where, directories, names in os.walk(tree):
        directories[:] = sorted(name for name in directories if name not in (".git", "install"))
        found += [os.path.relpath(f"{where}/{name}", tree) for name in sorted(names)
                  if SOURCES.fullmatch(name) and not name.endswith(".mod.c")]
        if len(found) >= count:
            break
    return found[:count]


def make_tree(directory, kernel, count):
    """A tar of source files, and a git repository with the same ones."""
    tree = f"{guest.CACHE}/linux/{kernel}"
    repository = directory + "/repository"
    names = "\n".join(source_files(tree, count)).encode()
    subprocess.run(["tar", "-cf", directory + "/tree.tar", "-C", tree, "-T", "-"],
                   input=names, check=True)
    os.mkdir(repository)
    subprocess.run(["tar", "-xf", directory + "/tree.tar", "-C", repository], check=True)
    for words in (["init", "-q"], ["add", "-A", "-f"],
                  ["-c", "user.name=bench", "-c", "user.email=bench@localhost",
                   "commit", "-q", "-m", "tree"]):
        subprocess.run(["git", "-C", repository, *words], check=True,
                       stdout=subprocess.DEVNULL)


def make_project(directory):
    """A small project in C: the test device."""
    shutil.copytree("/src/tools/testing/device", directory + "/project")


# What the machine is

def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).partition("\n")[0]


def processor():
    with open("/proc/cpuinfo") as file:
        return re.search(r"model name\s*: (.*)", file.read()).group(1)


def about(args, boots):
    [release] = os.listdir(f"{guest.CACHE}/linux/{args.kernel}/install/lib/modules")
    said = {
        "guest": f"Linux {release}, no KVM (TCG)",
        "host": f"Linux {os.uname().release}, {os.cpu_count()} cores, {processor()}",
        "qemu": first_line("qemu-system-x86_64", "--version"),
        "daemon": first_line(guest.VIRTIOFSD, "--version"),
        "driver": args.revision,
        "load": f"{os.getloadavg()[0]:.1f} on the host before; the benchmark has nice {PRIORITY}",
        "places": "a single vCPU has the first CPU of the host, all else the others"
                  if has_place(1) else "the host's choice",
        "rounds": ", ".join(f"{boot.name} {rounds(args, boot)}" for boot in boots),
        "command": args.command,
    }
    if any(boot.group == "tree" for boot in boots):
        said["files"] = f"{args.files} in the tree"
    return said


def has_polling(kernel):
    module = f"{guest.CACHE}/module/{kernel}/virtiofs.ko"
    parameters = subprocess.run(["modinfo", "-p", module], check=True, capture_output=True,
                                text=True).stdout
    return "poll_us:" in parameters


# Measuring

def rounds(args, boot):
    return min(args.rounds, boot.rounds)


def floor(results, boot, count):
    """What a wake-up costs on the host, while no guest runs; from CPU to CPU, if there are."""
    cpus = [str(cpu) for cpu in CPUS[:2]] if len(CPUS) > 1 else []
    for number in range(1, count + 1):
        line = first_line(PROGRAMS + "/wake", "5000", *cpus)
        results.add({"boot": boot, "share": "host", "driver": "host", "round": str(number),
                     **dict(word.split("=", 1) for word in line.split())})


def take(results, boot, line):
    """A line of the verdict, m with fields, f with fields and fio's report: whose it is."""
    kind, _, rest = line.partition(" ")
    if kind not in ("m", "f"):
        return None
    rest, brace, report = rest.partition(" {")
    fields = {"boot": boot, **dict(word.split("=", 1) for word in rest.split())}
    if kind == "f":
        fields.update(table.fio_fields(json.loads(brace + report)))
    return results.add(fields)


def take_counted(args, results, measured, counted):
    """What was executed belongs to what was measured, one by one."""
    records = instructions.read(counted)
    symbols = subprocess.run(["nm", "--defined-only", f"{guest.CACHE}/module/{args.kernel}/virtiofs.ko"],
                             check=True, text=True, capture_output=True).stdout
    if len(records) != len(measured):
        return [f"{len(measured)} works, but {len(records)} of which instructions were counted"]
    kernel = instructions.Kernel(f"{guest.CACHE}/linux/{args.kernel}")
    for (who, text), record in zip(measured, records):
        row = {"n": results.rows[who]["n"],
               "instructions": str(sum(count for count, _ in record.values()))}
        if who[2] == "ours":
            row["functions"] = str(instructions.functions(record, symbols, text, int(row["n"])))
        results.rows[who] = row
        if (who[1], who[-1]) in plan.PLACES:
            for place, count in kernel.by_place(record).items():
                results.add({**dict(zip(table.WHO, who)), **row, "work": f"{who[-1]} {place}",
                             "instructions": str(count)})
    return []


def run_boot(args, boot, directory, results):
    """Boots one guest; what was wrong with it is returned."""
    def on_line(line):
        who = take(results, boot.name, line)
        if line.startswith("m "):
            text = re.search(r" text=0x(\w+)", line)
            measured.append((who, int(text[1], 16) if text else None))
        if line.startswith("# round"):
            print(f"  {boot.name}: {line[2:]}", flush=True)

    measured = []
    counted = f"{LOGS}/instructions" if boot.group == "instructions" else None
    drivers = ["ours", *(["ours-nopoll"] if has_polling(args.kernel) else []), *boot.rivals]
    env = {"group": boot.group, "rounds": rounds(args, boot), "drivers": " ".join(drivers),
           "shares": " ".join(boot.shares), "count": boot.count, "works": " ".join(boot.works),
           "told": "/dev/null", "expect_log": EXPECTED}
    shares = [share(name, directory, boot.group) for name in boot.shares]
    one = BenchGuest(directory, args.kernel, shares, "bench", LOGS, name=boot.name, env=env,
                     images=boot.images, smp=boot.smp, limit=args.limit, on_line=on_line,
                     counted=counted)
    one.run()
    wrong = [f"{result.name}: {' '.join(result.detail)}" for result in tap.parse(one.lines)
             if result.status == tap.FAIL]
    if counted:
        wrong += take_counted(args, results, measured, counted)
    return [f"{boot.name}: {problem}" for problem in one.problems + wrong]


def run(args, boots, results):
    problems = []
    directory = f"{guest.SCRATCH}/bench-{os.getpid()}"
    os.makedirs(directory)
    try:
        with tmpfs(directory, "size=4g,mode=755"):
            make_files(directory)
            if any(boot.group == "tree" for boot in boots):
                make_tree(directory, args.kernel, args.files)
                make_project(directory)
            for boot in boots:
                if guest.stopping.is_set():
                    problems.append("interrupted")
                    break
                floor(results, boot.name, rounds(args, boot))
                problems += run_boot(args, boot, directory, results)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return problems


def main():
    parser = argparse.ArgumentParser(description="Measures the drivers in guests.")
    parser.add_argument("--kernel", default="7.3")
    parser.add_argument("--quick", action="store_true", help="few works, in a few minutes")
    parser.add_argument("--only", default="", metavar="REGEX", help="boots to measure in")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=20000, help="size of the tree")
    parser.add_argument("--limit", type=int, default=14400, help="seconds for each boot")
    parser.add_argument("--revision", default="unknown", help="what is measured")
    parser.add_argument("--command", default="make bench", help="how to have it again")
    parser.add_argument("--kept", metavar="FILE", help="the table with what is not measured now")
    parser.add_argument("--out", required=True, metavar="FILE", help="the table")
    args = parser.parse_args()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: guest.stopping.set())
    shutil.rmtree(LOGS, ignore_errors=True)
    os.makedirs(LOGS)

    # Other work on this machine disturbs less; what is started here inherits it.
    os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    boots = [boot for boot in (plan.QUICK if args.quick else plan.FULL)
             if re.search(args.only, boot.name)]
    results = table.Table(about=about(args, boots))
    problems = run(args, boots, results)
    if args.kept:
        results = table.kept(table.read(args.kept), results)
    results.write(args.out)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems or not boots else 0


if __name__ == "__main__":
    sys.exit(main())
