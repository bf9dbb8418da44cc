# SPDX-License-Identifier: GPL-2.0
"""The measurements: rows by boot, share, driver, round and work; from and to TSV."""

import re

import stats

WHO = ("boot", "share", "driver", "round", "work")

# Times are nanoseconds: of one call at the median and the 99th percentile, and of
# all n together. device_* is what the test device has counted. Instructions are those of all n
# calls; a work that names a place after a space has what was executed there. Functions are those
# that each call passes, without those that the compiler has inlined.
WHAT = ("n", "p50", "p99", "total", "interrupts", "switches", "own", "kicks",
        "device_requests", "device_kicks", "device_interrupts", "device_busy",
        "traced", "workers", "allocations", "device_descriptors", "instructions", "copied",
        "functions")


def fio_fields(report):
    """n, p50, p99 and total of fio's report."""
    job = report["jobs"][0]
    if job["error"]:
        raise ValueError(f"fio failed with error {job['error']}")
    way = max((job["read"], job["write"]), key=lambda one: one["io_bytes"])
    percentiles = way["clat_ns"]["percentile"]
    return {"n": str(way["total_ios"]), "p50": str(percentiles["50.000000"]),
            "p99": str(percentiles["99.000000"]), "total": str(way["runtime"] * 1000000)}


class Table:
    """rows: dictionaries with all of WHO and some of WHAT; about: what a reader should know."""

    def __init__(self, rows=(), about=None):
        self.rows = {}
        self.about = dict(about or {})
        for row in rows:
            self.add(row)

    def add(self, fields):
        """What is told in several pieces becomes one row, whose name is returned."""
        who = tuple(fields[name] for name in WHO)
        self.rows.setdefault(who, {}).update(
            (name, value) for name, value in fields.items() if name in WHAT)
        return who

    def write(self, path):
        with open(path, "w") as file:
            for name, value in self.about.items():
                file.write(f"# {name}: {value}\n")
            file.write("\t".join(WHO + WHAT) + "\n")
            for who, row in self.rows.items():
                file.write("\t".join(who + tuple(row.get(name, "") for name in WHAT)) + "\n")

    # Looking at it: key is boot, share and work

    def keys(self):
        return list(dict.fromkeys((boot, share, work) for boot, share, _, _, work in self.rows))

    def drivers(self, boot=None):
        return list(dict.fromkeys(who[2] for who in self.rows if boot in (None, who[0])))

    def numbers(self, key, driver, what):
        """By round."""
        boot, share, work = key
        return {who[3]: float(row[what]) for who, row in self.rows.items()
                if (who[0], who[1], who[2], who[4]) == (boot, share, driver, work)
                and row.get(what)}

    def median(self, key, driver, what):
        values = self.numbers(key, driver, what).values()
        return stats.median(values) if values else None

    def measure(self, key):
        """What of a work is compared: with several calls at a time, that of all."""
        return "total" if key[2].startswith("fio:") else "p50"

    def ratio(self, key, theirs, ours, what=None):
        what = what or self.measure(key)
        return stats.ratio(self.numbers(key, theirs, what), self.numbers(key, ours, what))

    def places(self, key, driver):
        """For each place the instructions of a call, on the mean of all rounds."""
        boot, share, work = key
        executed, n = {}, {}
        for who, row in self.rows.items():
            name, _, place = who[4].partition(" ")
            if (who[0], who[1], who[2], name) == (boot, share, driver, work) and place:
                executed[place] = executed.get(place, 0) + int(row["instructions"])
                n[who[3]] = int(row["n"])
        return {place: count / sum(n.values()) for place, count in executed.items()}

    def per_call(self, key, driver, what, calls="n"):
        counts = self.numbers(key, driver, what)
        numbers = self.numbers(key, driver, calls)
        each = [count / numbers[one] for one, count in counts.items() if numbers.get(one)]
        return stats.median(each) if each else None


def kept(old, new):
    """The new table, with what the old one has of boots that were not measured anew."""
    now = {who[0] for who in new.rows}
    merged = Table(about=new.about)
    merged.rows = {who: row for who, row in old.rows.items() if who[0] not in now}
    of_old = (f"kept from {old.about.get('command')} with driver {old.about.get('driver')}"
              f" on {old.about.get('host')}")
    for boot in dict.fromkeys(who[0] for who in merged.rows):
        merged.about[boot] = old.about.get(boot, of_old)
    merged.rows.update(new.rows)
    return merged


def read(path):
    about, rows, names = {}, [], None
    with open(path) as file:
        for line in file:
            line = line.rstrip("\n")
            comment = re.match(r"# ([^:]*): (.*)", line)
            if comment:
                about[comment.group(1)] = comment.group(2)
            elif names is None:
                names = line.split("\t")
            else:
                rows.append({name: value for name, value in zip(names, line.split("\t")) if value})
    return Table(rows, about)
