#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""virtiofs-top on a fake tree: its samples, rates and lines. Runs test_program.py as well."""

import importlib.machinery
import importlib.util
import os
import random
import shutil
import sys
import threading
import traceback
import unittest

import test_program
from tree import NONE, OnTree

TOOLS = os.path.dirname(test_program.PROGRAM)


def load_program():
    loader = importlib.machinery.SourceFileLoader("virtiofs_top", test_program.PROGRAM)
    spec = importlib.util.spec_from_loader("virtiofs_top", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


sys.path.insert(0, TOOLS)
import virtiofs_sample as sample    # noqa: E402

top = load_program()


class Compared(OnTree):
    """What is shown of two samples of a tree."""

    def sample(self, seconds=0):
        taken = sample.take_sample(self.tree.sysfs, self.tree.debugfs)
        taken.time = seconds
        return taken

    def lines(self, old, new, view="queues", order="name", width=80):
        return [line for line, _ in top.view_lines(sample.compare(old, new), view, order, width)]


class Samples(Compared):
    def test_all_values_are_read(self):
        self.tree.add(3, "myfs", inodes=7, max_inodes=9, errors=1, oldest_ms=20)
        self.tree.set_queue(3, 1, requests=5, bytes_in=1 << 40)
        self.tree.set_latency(3, READ={4: 2})
        device = self.sample().devices[3]
        self.assertEqual((device.tag, device.state), ("myfs", "running"))
        self.assertEqual(device.values,
                         {"inodes": 7, "max_inodes": 9, "errors": 1, "oldest_ms": 20})
        self.assertEqual([queue.name for queue in device.queues.values()],
                         ["hiprio", "requests.0"])
        self.assertEqual(device.queues[1].values["requests"], 5)
        self.assertEqual(device.queues[1].values["bytes_in"], 1 << 40)
        self.assertEqual(device.latency, {"READ": [0] * 4 + [2] + [0] * 27})

    def test_values_that_cannot_be_read_are_unknown(self):
        self.tree.add(0, "myfs", inodes=NONE)
        self.tree.set_queue(0, 1, requests=NONE, kicks="", backlog="words")
        shutil.rmtree(self.tree.debugfs)
        device = self.sample().devices[0]
        self.assertIsNone(device.values["inodes"])
        self.assertIsNone(device.latency)
        self.assertEqual([device.queues[1].values[name]
                          for name in ("requests", "kicks", "backlog", "in_flight")],
                         [None, None, None, 0])

    def test_device_without_a_tag_is_left_out(self):
        self.tree.add(0, "going")
        self.tree.add(1, "staying")
        os.unlink(self.tree.sysfs + "/0/tag")
        self.assertEqual(list(self.sample().devices), [1])

    def test_lines_of_a_histogram_that_are_none_are_left_out(self):
        self.tree.add(0, "myfs")
        self.tree.put(self.tree.debugfs + "/0/latency", "READ 1 x\nWRITE\n\nopcode-99 3 1 2")
        self.assertEqual(self.sample().devices[0].latency, {"opcode-99": [1, 2]})

    def test_devices_may_come_and_go_while_they_are_read(self):
        self.tree.add(0, "staying")
        over = threading.Event()

        def plug():
            while not over.is_set():
                self.tree.add(1, "passing")
                self.tree.remove(1)
        thread = threading.Thread(target=plug)
        thread.start()
        try:
            samples = [self.sample(n) for n in range(100)]
        finally:
            over.set()
            thread.join()
        self.assertTrue(all(0 in one.devices for one in samples))
        for old, new in zip(samples, samples[1:]):
            self.lines(old, new)


class Rates(Compared):
    def reports(self, change, seconds=2):
        """What is reported of the first device when this has changed."""
        old = self.sample()
        change()
        return sample.compare(old, self.sample(seconds))[0]

    def test_rates_are_per_second(self):
        self.tree.add(0, "myfs", errors=5)
        self.tree.set_queue(0, 1, requests=1000, bytes_out=7)

        def change():
            self.tree.set(0, errors=6)
            self.tree.set_queue(0, 1, requests=1500, bytes_out=4007, interrupts=100, kicks=30,
                                polled=125, in_flight=3, backlog=2)
        report = self.reports(change)
        row = report.queues[1]
        self.assertEqual((row.requests, row.bytes_out, row.bytes_in, row.interrupts, row.kicks),
                         (250, 2000, 0, 50, 15))
        self.assertEqual((row.in_flight, row.backlog), (3, 2))
        self.assertEqual(top.polled_share(row), "25%")
        self.assertEqual(report.errors, 0.5)

    def test_total_is_the_sum_of_the_queues_that_can_be_read(self):
        self.tree.add(0, "myfs", queues=3)
        self.tree.set_queue(0, 3, requests=NONE)

        def change():
            self.tree.set_queue(0, 1, requests=20, in_flight=1)
            self.tree.set_queue(0, 2, requests=40, in_flight=2)
        total = self.reports(change).total
        self.assertEqual((total.requests, total.in_flight), (30, 3))

    def test_counters_that_went_back_count_from_zero(self):
        self.tree.add(0, "myfs")
        self.tree.set_queue(0, 1, requests=1000, bytes_in=10)
        # The bytes of before the restart are no rate, though there are more now.
        row = self.reports(lambda: self.tree.set_queue(0, 1, requests=8, bytes_in=50)).queues[1]
        self.assertEqual((row.requests, row.bytes_in), (4, 25))

    def test_device_that_is_new_has_gauges_but_no_rates(self):
        self.tree.add(0, "old")

        def change():
            self.tree.remove(0)
            self.tree.add(0, "new")
            self.tree.set_queue(0, 1, requests=1000, in_flight=4)
        row = self.reports(change).queues[1]
        self.assertEqual((row.requests, row.in_flight), (None, 4))

    def test_latency_is_that_of_the_interval(self):
        self.tree.add(0, "myfs")
        self.tree.set_latency(0, READ={20: 1000000})
        report = self.reports(lambda: self.tree.set_latency(0, READ={20: 1000000, 10: 100},
                                                            WRITE={12: 300}))
        self.assertEqual([(row.name, row.requests, row.p50) for row in report.opcodes],
                         [("READ", 50, 1536), ("WRITE", 150, 6144)])
        self.assertEqual(report.total.p50, 4096 * (1 + 100 / 300))

    def test_latency_of_a_new_session_counts_from_zero(self):
        self.tree.add(0, "myfs")
        self.tree.set_latency(0, READ={20: 1000})
        report = self.reports(lambda: self.tree.set_latency(0, READ={10: 10}))
        self.assertEqual((report.total.p50, report.opcodes[0].requests), (1536, 5))

    def test_percentiles_are_within_their_bucket(self):
        noise = random.Random(7)
        times = sorted(int(noise.lognormvariate(11, 1.5)) for _ in range(5000))
        buckets = [0] * 32
        for ns in times:
            buckets[ns.bit_length() - 1] += 1
        for part in (0.01, 0.5, 0.9, 0.99):
            true = times[int(len(times) * part) - 1]
            found = sample.percentile(buckets, part)
            self.assertLess(abs(found - true), 1 << true.bit_length() - 1)

    def test_percentile_of_nothing_is_unknown(self):
        self.assertEqual(top.duration(sample.percentile([0] * 32, 0.5)), "-")

    def test_percentile_beyond_the_last_bucket_is_a_bound(self):
        self.assertEqual(top.duration(sample.percentile([0] * 31 + [1], 0.99)), ">2.1s")


class Lines(Compared):
    def test_numbers_are_short_and_right(self):
        self.assertEqual([top.count(n) for n in (0, 0.04, 0.5, 12, 99.94, 99.96, 999, 999.6, 12345,
                                                 999499, 999500, 10 ** 16)],
                         ["0", "0", "0.5", "12", "99.9", "100", "999", "1k", "12.3k",
                          "999k", "1M", "10000T"])
        self.assertEqual([top.duration(ns) for ns in (0, 128, 48100, 1.5e6, 3e10)],
                         ["0ns", "128ns", "48.1us", "1.5ms", "30s"])
        for exponent in range(-20, 150):
            self.assertLessEqual(len(top.count(10 ** (exponent / 10))), 5)

    def busy(self):
        """Two devices between two samples, with numbers as long as they get."""
        self.tree.add(0, "x" * 36, queues=12, state="not responding", oldest_ms=123456,
                      errors=1234, inodes=123456, max_inodes=200000)
        self.tree.add(1, "文件系统")
        old = self.sample()
        self.tree.set(0, errors=99999)
        for queue in range(13):
            self.tree.set_queue(0, queue, **dict.fromkeys(sample.COUNTERS, 99 * 10 ** 9),
                                in_flight=1024, backlog=99999)
        self.tree.set_latency(0, COPY_FILE_RANGE={31: 5}, READ={16: 10 ** 9})
        return old, self.sample(1)

    def test_no_line_is_wider_than_the_terminal(self):
        old, new = self.busy()
        for width in range(1, 130):
            for view in top.VIEWS:
                for line in self.lines(old, new, view, width=width):
                    self.assertLessEqual(sum(map(top.cells, line)), width)

    def test_all_columns_are_there_at_80(self):
        old, new = self.busy()
        titles, *lines = self.lines(old, new)
        self.assertEqual(titles.split(), [title for title, _, _ in top.VIEWS["queues"]])
        for line in lines:
            if line.startswith(" "):
                self.assertEqual(len(line.split()), 11)

    def test_narrow_terminal_has_fewer_but_whole_columns(self):
        old, new = self.busy()
        titles, heading, total, *_ = self.lines(old, new, width=40)
        self.assertEqual(titles.split(), ["REQ/S", "OUT/S", "IN/S", "FLIGHT"])
        self.assertEqual(len(total.split()), 5)

    def test_state_is_before_what_may_be_cut(self):
        old, new = self.busy()
        self.assertIn("x" * 36 + ": not responding, oldest request 123s", self.lines(old, new)[1])

    def test_order_is_by_what_is_asked_for(self):
        for number, tag in enumerate("abc"):
            self.tree.add(number, tag)
        old = self.sample()
        for number, (requests, size, bucket) in enumerate(((5, 300, 9), (7, 200, 11), (6, 900, 4))):
            self.tree.set_queue(number, 1, requests=requests, bytes_in=size)
            self.tree.set_latency(number, READ={bucket: 1})
        new = self.sample(1)
        found = {order: "".join(line[0] for line in self.lines(old, new, order=order)
                                if line[0] in "abc") for order in top.ORDERS}
        self.assertEqual(found, {"name": "abc", "requests": "bca", "bytes": "cab", "P99": "bac"})

    def test_tag_cannot_control_the_terminal(self):
        self.tree.add(0, "a\033[2Jb\u202ec")
        self.assertIn("a?[2Jb?c: running", self.lines(self.sample(), self.sample(1))[1])

    def test_names_are_cut_by_cells_and_not_by_characters(self):
        self.assertEqual([top.fit("文件系统", width) for width in (1, 3, 8)], ["", "文", "文件系统"])
        self.assertEqual(top.fit("gru\u0308n", 3), "gru\u0308")
        self.assertEqual(top.pad("文件", 6), "文件  ")

    def test_device_that_is_not_mounted_says_so(self):
        self.tree.add(0, "myfs", inodes=NONE, max_inodes=NONE, errors=NONE, oldest_ms=NONE)
        self.assertEqual(self.lines(self.sample(), self.sample(1))[1],
                         "myfs: running, not mounted")

    def test_latencies_that_cannot_be_read_are_said(self):
        self.tree.add(0, "myfs")
        shutil.rmtree(self.tree.debugfs)
        self.assertIn("cannot be read", self.lines(self.sample(), self.sample(1), "opcodes")[2])


class Tap(unittest.TestResult):
    """Results as those who look at kernel selftests read them."""

    def say(self, word, test):
        print(f"{word} {self.testsRun} {test.id().rpartition('.')[2]}", flush=True)

    def addSuccess(self, test):
        self.say("ok", test)

    def addFailure(self, test, err):
        for line in "".join(traceback.format_exception(*err)).splitlines():
            print(f"# {line}")
        self.say("not ok", test)
        super().addFailure(test, err)

    def addError(self, test, err):
        self.addFailure(test, err)


def main():
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(module)
                               for module in (sys.modules[__name__], test_program))
    print(f"TAP version 13\n1..{suite.countTestCases()}")
    result = Tap()
    suite.run(result)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
