# SPDX-License-Identifier: GPL-2.0
"""What is measured, and the marks that the results are compared with."""

from collections import namedtuple

# group, works: what guest.sh does; shares: the daemons, by name (bench.py knows them);
# rivals: drivers beside ours; count: quick calls of one kind, or what is like them;
# rounds: the most that are made, where one takes long; images: what the guest boots from
Boot = namedtuple("Boot", "name group works shares rivals count smp rounds images",
                  defaults=(500, 1, 100, ("base", "bench")))

CALLS = ("lookup_missing", "getattr", "open_close", "create_unlink", "mkdir_rmdir",
         "readdir_1000", "read_4k_direct", "write_4k_direct", "read_1m_direct",
         "write_1m_direct", "fsync", "fault_cold", "read_cold")

# What most guests are like: four CPUs, and the one queue that virtiofsd has
ORDINARY = ("lookup_missing", "getattr", "open_close", "create_unlink", "read_4k_direct",
            "write_4k_direct")

# Where the device counts
DEVICE = ("lookup_missing", "getattr", "open_close", "create_unlink", "read_4k_direct",
          "write_4k_direct", "read_1m_direct", "fsync")

# Of fio's jobs the name says all: pattern, block, cache, engine, depth, jobs.
FIO = tuple(f"{pattern}-{block}-{mode}-psync-1-1"
            for mode in ("direct", "buffered")
            for block, patterns in (("4k", ("read", "write", "randread", "randwrite")),
                                    ("1m", ("read", "write")))
            for pattern in patterns) + (
    "randread-4k-buffered-mmap-1-1",
    "randread-4k-direct-io_uring-1-1",
    "randread-4k-direct-io_uring-16-1",
    "randread-4k-direct-io_uring-64-1",
    "randwrite-4k-direct-io_uring-16-1",
    "read-1m-direct-io_uring-16-1",
    "randread-4k-direct-psync-1-4",
    "randread-4k-direct-io_uring-16-4",
)
FIO_QUEUES = ("randread-4k-direct-psync-1-4", "randread-4k-direct-io_uring-16-4")

# The kernel's own driver, as if it were another one: what is said of two that are equal
AGAIN = "mainline-again"
MAINLINE = ("mainline", AGAIN)

# Of a tree, 9p without a cache of names would take hours.
BOTH = (*MAINLINE, "9p")

# Of a guest whose instructions are counted no times are taken.
COUNTED_FIO = ("randread-4k-direct-io_uring-1-1", "randread-4k-direct-io_uring-16-1")

# Of these it is told where they are: share, work
PLACES = (("never", "getattr"), ("auto", "read_4k_direct"), ("never", "fio:" + COUNTED_FIO[1]))

FULL = (
    Boot("ordinary", "calls", ORDINARY, ("never",), MAINLINE, smp=4),
    Boot("calls", "calls", CALLS, ("never", "auto"), BOTH),
    Boot("device", "device", DEVICE, ("device",), MAINLINE, 200),
    Boot("neighbour", "neighbour", ("neighbour",), ("never",), BOTH, 1000),
    Boot("fio", "fio", FIO, ("never", "auto"), BOTH, 1000),
    *(Boot(f"queues-smp{smp}", "fio", FIO_QUEUES, ("never", "queues"), MAINLINE, 2000, smp)
      for smp in (1, 2, 4)),
    Boot("tree", "tree", ("tree",), ("auto",), ("mainline",), rounds=5,
         images=("base", "bench", "compiler")),
    Boot("instructions", "instructions", (*CALLS, *COUNTED_FIO), ("never", "auto"),
         ("mainline",), 1000, rounds=3),
)

QUICK = (
    Boot("ordinary", "calls", ORDINARY, ("never",), ("mainline",), 200, 4),
    Boot("calls", "calls", CALLS, ("never",), ("mainline",), 200),
    Boot("device", "device", ("getattr",), ("device",), ("mainline",), 100),
    Boot("fio", "fio", ("randread-4k-direct-io_uring-16-1",), ("never",), ("mainline",)),
    Boot("instructions", "instructions", (*CALLS, *COUNTED_FIO), ("never",), ("mainline",), 200,
         rounds=1),
)

# The kernel's own driver is what ours is compared with.
SLOWEST = 0.97

# A mark that is a multiple of what no driver can avoid
FLOOR = "floor"

# key: boot, share and work; count: what is counted per call instead of the time, or FLOOR,
# of which a mark is the most, while a ratio's mark is the least
Mark = namedtuple("Mark", "text key wanted count", defaults=(None,))


def never(work):
    return ("calls", "never", work)


def ordinary(work):
    return ("ordinary", "never", work)


def tasks(job, cpus):
    return (f"queues-smp{cpus}", "never", f"fio:randread-4k-direct-{job}-4")


MARKS = (
    *(Mark(f"four CPUs: {work}", ordinary(work), 4.5) for work in ORDINARY),
    Mark("four CPUs: four tasks, 4 KiB read, O_DIRECT", tasks("psync-1", 4), 1.15),
    Mark("four CPUs: four tasks, io_uring, depth 16", tasks("io_uring-16", 4), 1.0),
    Mark("two CPUs: four tasks, 4 KiB read, O_DIRECT", tasks("psync-1", 2), 1.0),
    Mark("two CPUs: four tasks, io_uring, depth 16", tasks("io_uring-16", 2), 1.0),
    Mark("lookup of a missing name", never("lookup_missing"), 3.0),
    Mark("open, close", never("open_close"), 3.0),
    Mark("create, unlink", never("create_unlink"), 2.4),
    Mark("getattr", never("getattr"), 2.9),
    Mark("4 KiB read, O_DIRECT", never("read_4k_direct"), 2.8),
    Mark("4 KiB write, O_DIRECT", never("write_4k_direct"), 2.8),
    Mark("sequential read of a cold file", never("read_cold"), 1.2),
    Mark("fio randread 4 KiB, depth 16, O_DIRECT",
         ("fio", "never", "fio:randread-4k-direct-io_uring-16-1"), 1.3),
    Mark("git status of a large tree", ("tree", "auto", "git_status"), 1.1),
    Mark("getattr on the test device, over the floor", ("device", "device", "getattr"), 1.5, FLOOR),
    *(Mark(f"interrupts per {work}", never(work), 0.01, "interrupts")
      for work in ("getattr", "read_4k_direct", "write_4k_direct")),
    Mark("interrupts per lookup_missing, which is two requests", never("lookup_missing"), 0.02,
         "interrupts"),
    Mark("functions of the driver that a lookup_missing passes",
         ("instructions", "never", "lookup_missing"), 45, "functions"),
)
