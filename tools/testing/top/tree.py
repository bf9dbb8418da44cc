# SPDX-License-Identifier: GPL-2.0
"""A tree of files like those of the driver, with devices that do what is asked for."""

import os
import shutil
import tempfile
import threading
import time
import unittest

NONE = object()     # the value of a file that cannot be read

OF_DEVICE = {"state": "running", "inodes": 0, "max_inodes": 0, "errors": 0, "oldest_ms": 0}
OF_QUEUE = ("requests", "in_flight", "backlog", "polled", "interrupts", "kicks", "bytes_out",
            "bytes_in")


class Tree:
    def __init__(self, path):
        self.sysfs = path + "/sysfs"
        self.debugfs = path + "/debugfs"
        self.aside = path + "/aside"
        for directory in (self.sysfs, self.debugfs, self.aside):
            os.makedirs(directory)

    def options(self):
        return ["--sysfs", self.sysfs, "--debugfs", self.debugfs]

    def put(self, path, value):
        """A file whose readers find the old text or the new one, and nothing between."""
        new = f"{self.aside}/{threading.get_ident()}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if value is NONE:
            if os.path.exists(path):
                os.unlink(path)
            os.mkdir(path)
            return
        with open(new, "w") as file:
            file.write(f"{value}\n" if value != "" else "")
        os.replace(new, path)

    def set(self, number, **values):
        for name, value in values.items():
            self.put(f"{self.sysfs}/{number}/{name}", value)

    def set_queue(self, number, queue, **values):
        for name, value in values.items():
            self.put(f"{self.sysfs}/{number}/mqs/{queue}/{name}", value)

    def set_latency(self, number, **histograms):
        """Histograms by opcode, each by bucket."""
        lines = []
        for name, histogram in histograms.items():
            buckets = [histogram.get(k, 0) for k in range(32)]
            lines.append(" ".join(map(str, [name, sum(buckets), *buckets])))
        self.put(f"{self.debugfs}/{number}/latency", "\n".join(lines))

    def add(self, number, tag, queues=1, **values):
        """A device, which is whole before it is seen."""
        whole = f"{self.sysfs}/{number}"
        hidden = f"new-{number}"
        self.set(hidden, tag=tag, **{**OF_DEVICE, **values})
        for queue in range(queues + 1):
            name = f"requests.{queue - 1}" if queue else "hiprio"
            self.set_queue(hidden, queue, name=name, cpu_list="0, 1", **dict.fromkeys(OF_QUEUE, 0))
        self.set_latency(number)
        os.rename(f"{self.sysfs}/{hidden}", whole)

    def remove(self, number):
        gone = f"{self.aside}/{number}"
        os.rename(f"{self.sysfs}/{number}", gone)
        shutil.rmtree(gone)
        shutil.rmtree(f"{self.debugfs}/{number}")


class Load(threading.Thread):
    """Makes a queue's counters grow by so much a second until it is stopped."""

    def __init__(self, tree, number, queue, **rates):
        super().__init__(daemon=True)
        self.tree = tree
        self.place = number, queue
        self.rates = rates
        self.over = threading.Event()

    def run(self):
        start = time.monotonic()
        while not self.over.wait(0.02):
            seconds = time.monotonic() - start
            self.tree.set_queue(*self.place, **{name: int(rate * seconds)
                                                for name, rate in self.rates.items()})

    def stop(self):
        self.over.set()
        self.join()


class OnTree(unittest.TestCase):
    """What has a tree of its own."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="virtiofs-top-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.tree = Tree(self.directory)
