#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Claims about the numbers of the benchmark that do not need one to be run."""

import unittest

import instructions
import page
import plan
import stats
import table


class Median(unittest.TestCase):
    def test_odd_number_has_the_middle_one(self):
        self.assertEqual(stats.median([9, 1, 5]), 5)

    def test_even_number_has_the_middle_of_the_middle(self):
        self.assertEqual(stats.median([4, 1, 100, 2]), 3)

    def test_one_outlier_changes_nothing(self):
        self.assertEqual(stats.median([1, 2, 3, 4, 1000]), stats.median([1, 2, 3, 4, 5]))

    def test_nothing_is_refused(self):
        self.assertRaises(ValueError, stats.median, [])


class Ratio(unittest.TestCase):
    def test_more_than_one_says_that_ours_is_faster(self):
        self.assertEqual(stats.ratio({"1": 30, "2": 40, "3": 50}, {"1": 10, "2": 20, "3": 50}),
                         stats.Ratio(2, 1, 3))

    def test_rounds_without_the_other_driver_are_left_out(self):
        self.assertEqual(stats.ratio({"1": 30, "2": 999}, {"1": 10, "3": 1}), stats.Ratio(3, 3, 3))

    def test_without_a_common_round_there_is_none(self):
        self.assertIsNone(stats.ratio({"1": 30}, {"2": 10}))


class Marks(unittest.TestCase):
    def test_the_mark_itself_is_met(self):
        self.assertTrue(stats.met(0.97, 0.97))
        self.assertTrue(stats.met(0.05, 0.05, at_most=True))

    def test_below_and_above_are_missed(self):
        self.assertFalse(stats.met(0.969, 0.97))
        self.assertFalse(stats.met(0.051, 0.05, at_most=True))

    def test_what_was_not_measured_is_missed(self):
        self.assertFalse(stats.met(None, 0.97))


def rows(**times):
    """Measured rows of one work: a list of times for each driver."""
    return [dict(boot="calls", share="never", driver=driver, round=str(number), work="getattr",
                 n="100", p50=str(time), p99=str(2 * time), total=str(100 * time), interrupts="7")
            for driver, several in times.items() for number, time in enumerate(several)]


class Table(unittest.TestCase):
    def setUp(self):
        self.table = table.Table(rows(ours=[10, 10, 10], mainline=[30, 22, 20]))

    def test_ratio_is_of_the_works_own_measure(self):
        key = ("calls", "never", "getattr")
        self.assertEqual(self.table.ratio(key, "mainline", "ours"), stats.Ratio(2.2, 2, 3))

    def test_counts_are_per_call(self):
        key = ("calls", "never", "getattr")
        self.assertEqual(self.table.per_call(key, "ours", "interrupts"), 0.07)
        self.assertIsNone(self.table.per_call(key, "ours", "kicks"))

    def test_marks_are_computed_from_it(self):
        marks = {mark.text: found for mark, found, _ in page.judged(self.table, plan.MARKS)}
        self.assertEqual(marks["getattr"], 2.2)
        self.assertEqual(marks["interrupts per getattr"], 0.07)
        self.assertIsNone(marks["open, close"])

    def test_what_is_slower_is_named(self):
        slower = table.Table(rows(ours=[100] * 3, mainline=[96] * 3))
        self.assertEqual([found for *_, found in page.slower(slower)],
                         [stats.Ratio(0.96, 0.96, 0.96)])
        self.assertEqual(page.slower(self.table), [])

    def test_what_is_slower_in_each_round_is_told_from_noise(self):
        noise = table.Table(rows(ours=[100] * 3, mainline=[90, 96, 100]))
        self.assertIn("1 are (**missed**), 0 of them in each round.", page.marks_part(noise))
        slower = table.Table(rows(ours=[100] * 3, mainline=[90, 95, 96]))
        self.assertIn("| 0.95 (0.90..0.96) | in each round |", page.marks_part(slower))

    def test_noise_is_what_equal_drivers_differ_by(self):
        equal = table.Table(rows(ours=[50] * 3, mainline=[100] * 3, **{plan.AGAIN: [96] * 3}))
        self.assertIn("slower than 0.97 in 1 of 2 comparisons, and 0.96 at the worst.",
                      page.marks_part(equal))
        self.assertNotIn("Mainline itself", page.marks_part(self.table))

    def test_noise_has_no_column(self):
        self.assertEqual(page.shown(table.Table(rows(ours=[1], mainline=[1], **{plan.AGAIN: [1]})),
                                    "calls"), ["ours", "mainline"])

    def test_what_is_not_measured_anew_is_kept(self):
        who = {"share": "auto", "driver": "ours", "round": "1", "work": "copy"}
        old = table.Table([{**who, "boot": "calls", "n": "1"}, {**who, "boot": "tree", "n": "2"}],
                          {"command": "make bench", "driver": "old", "host": "this",
                           "tree": "kept from older"})
        new = table.Table([{**who, "boot": "tree", "n": "3"}], {"driver": "new"})
        both = table.kept(old, new)
        self.assertEqual([both.numbers((boot, "auto", "copy"), "ours", "n")
                          for boot in ("calls", "tree")], [{"1": 1}, {"1": 3}])
        self.assertEqual(both.about, {"driver": "new",
                                      "calls": "kept from make bench with driver old on this"})
        again = table.kept(both, table.Table([{**who, "boot": "fio"}], {"driver": "newest"}))
        self.assertEqual(again.about["calls"], "kept from make bench with driver old on this")
        self.assertEqual(again.about["tree"], "kept from None with driver new on None")


class Places(unittest.TestCase):
    def setUp(self):
        self.key = ("instructions", "never", "getattr")
        who = dict(zip(("boot", "share", "work"), self.key))
        self.table = table.Table(
            {**who, "driver": driver, "round": one, "n": "10", "instructions": count,
             "work": f"getattr {place}".rstrip()}
            for driver, one, place, count in (
                ("ours", "1", "", "1000"), ("ours", "1", "user", "300"),
                ("ours", "1", "[virtiofs]", "5"), ("ours", "1", "mm", "695"),
                ("ours", "2", "", "1000"), ("ours", "2", "user", "100"),
                ("ours", "2", "kernel/sched", "900"),
                ("mainline", "1", "", "1500"), ("mainline", "1", "mm", "1499"),
                ("mainline", "1", "lib", "1")))

    def test_each_is_for_a_call_and_of_all_rounds(self):
        self.assertEqual(self.table.places(self.key, "ours"),
                         {"user": 20, "[virtiofs]": 0.25, "mm": 34.75, "kernel/sched": 45})

    def test_page_has_totals_and_ratio(self):
        self.assertIn("| getattr | never | 100 | 150 | 1.50 |", page.instructions_part(self.table))

    def test_page_has_them_the_largest_first_and_the_small_ones_together(self):
        self.assertIn("| mm | 35 | 150 |\n| kernel/sched | 45 | 0 |\n| user | 20 | 0 |\n"
                      "| [virtiofs] | 0 | 0 |\n| all others | 0 | 0 |",
                      page.instructions_part(self.table))

    def test_times_are_not_compared_with_them(self):
        self.assertEqual(list(page.compared(self.table)), [])


class Instructions(unittest.TestCase):
    def test_functions_have_the_directory_of_their_source(self):
        self.assertEqual(instructions.directories(
            "vmlinux.a:fs/fuse/dev.o:0000 T one\nvmlinux.a:mm/slub.o:0010 t two\n"
            "vmlinux.a:arch/x86/lib/memset_64.o:0000 W three\nvmlinux.a:mm/slub.o:0020 d data\n"
            "vmlinux.a:kernel/fork.o:0000 t two\n"),
            {"one": "fs/fuse", "two": "kernel or mm", "three": "arch/x86"})

    def test_functions_are_those_that_each_call_passes(self):
        record = {0: (9, 9), 0x1010: (10, 5), 0x1020: (2, 1), 0x1034: (7, 7), 0x1040: (5, 5)}
        self.assertEqual(instructions.functions(
            record, "0010 t one\n0020 T two\n0030 t three\n0040 d data\n", 0x1000, 5), 1)


class Fio(unittest.TestCase):
    def test_report_gives_time_and_latencies(self):
        latency = {"N": 4, "percentile": {"50.000000": 11, "99.000000": 99}}
        idle = {"io_bytes": 0, "runtime": 0, "total_ios": 0, "clat_ns": {"N": 0}}
        report = {"jobs": [{"error": 0, "write": idle, "read": {
            "io_bytes": 16384, "runtime": 5, "total_ios": 4, "clat_ns": latency}}]}
        self.assertEqual(table.fio_fields(report),
                         {"n": "4", "p50": "11", "p99": "99", "total": "5000000"})


if __name__ == "__main__":
    unittest.main()
