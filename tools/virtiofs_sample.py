# SPDX-License-Identifier: GPL-2.0
"""Samples of what the virtiofs driver tells in sysfs and debugfs, and the rates between two.

Knows nothing of how they are shown.
"""

import math
import os
import time
from dataclasses import dataclass, field

COUNTERS = ("requests", "polled", "interrupts", "kicks", "bytes_out", "bytes_in")
GAUGES = ("in_flight", "backlog")
OF_DEVICE = ("inodes", "max_inodes", "errors", "oldest_ms")


# Samples

@dataclass
class Queue:
    name: str
    values: dict    # by the file's name; None: cannot be read


@dataclass
class Device:
    tag: str
    state: str
    values: dict
    queues: dict    # by number
    latency: dict   # histograms by opcode; None: cannot be read


@dataclass
class Sample:
    time: float = 0
    devices: dict = field(default_factory=dict)     # by number


def read(*path):
    """The text of a file, fit for a terminal whatever a host has put into it, or None."""
    try:
        with open(os.path.join(*path), "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    return "".join(char if char.isprintable() or char == "\n" else "?"
                   for char in text.rstrip("\n"))


def read_numbers(directory, names):
    values = {}
    for name in names:
        text = read(directory, name)
        values[name] = int(text) if text and text.isdecimal() else None
    return values


def numbered(directory):
    """The entries of a directory that are numbers, in their order."""
    try:
        return sorted(int(name) for name in os.listdir(directory) if name.isdecimal())
    except OSError:
        return []


def read_latency(path):
    text = read(path)
    if text is None:
        return None
    words = (line.split() for line in text.splitlines())
    return {line[0]: [int(word) for word in line[2:]] for line in words
            if len(line) > 2 and all(word.isdecimal() for word in line[1:])}


def read_queue(directory):
    name = read(directory, "name")
    return Queue(name or os.path.basename(directory), read_numbers(directory, COUNTERS + GAUGES))


def read_device(directory, latency):
    """A device, or None if it is going away."""
    tag = read(directory, "tag")
    if tag is None:
        return None
    queues = {number: read_queue(f"{directory}/mqs/{number}")
              for number in numbered(directory + "/mqs")}
    return Device(tag, read(directory, "state") or "state not known",
                  read_numbers(directory, OF_DEVICE), queues, read_latency(latency))


def take_sample(sysfs, debugfs):
    sample = Sample(time.monotonic())
    for number in numbered(sysfs):
        device = read_device(f"{sysfs}/{number}", f"{debugfs}/{number}/latency")
        if device:
            sample.devices[number] = device
    return sample


# Rates

@dataclass
class Row:
    """What is shown of a queue, of an opcode, or of a device in total."""
    name: str
    requests: float = None
    polled: float = None
    interrupts: float = None
    kicks: float = None
    bytes_out: float = None
    bytes_in: float = None
    in_flight: int = None
    backlog: int = None
    p50: float = None   # ns
    p99: float = None


@dataclass
class Report:
    device: Device
    errors: float   # per second
    total: Row
    queues: list
    opcodes: list


def growth(old, new):
    """By how much counters have grown. If one went back, all of them began anew."""
    pairs = list(zip(old, new))
    if any(None not in pair and pair[1] < pair[0] for pair in pairs):
        return new
    return [None if None in pair else pair[1] - pair[0] for pair in pairs]


def percentile(buckets, part):
    """Within a bucket of 2^k to 2^(k+1) ns they are taken to be spread evenly."""
    wanted = sum(buckets) * part
    for k, count in enumerate(buckets):
        if count and count >= wanted:
            # The last bucket has whatever took longer.
            return math.inf if k == 31 else 2 ** k * (1 + wanted / count)
        wanted -= count
    return None


def per_second(value, seconds):
    return None if value is None else value / seconds


def add(values):
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def queue_row(old, new, seconds):
    before = old.values if old else {}
    grown = growth([before.get(name) for name in COUNTERS], [new.values[name] for name in COUNTERS])
    row = Row(new.name, in_flight=new.values["in_flight"], backlog=new.values["backlog"])
    for name, value in zip(COUNTERS, grown):
        setattr(row, name, per_second(value, seconds))
    return row


def opcode_rows(old, new, seconds):
    """A row for each opcode, and the histogram of all together."""
    rows, together = [], [0] * 32
    if old is None or new is None:
        return rows, together
    for name, buckets in new.items():
        grown = growth(old.get(name, [0] * len(buckets)), buckets)
        rows.append(Row(name, requests=sum(grown) / seconds, p50=percentile(grown, 0.5),
                        p99=percentile(grown, 0.99)))
        together = [a + b for a, b in zip(together, grown)]
    return sorted(rows, key=lambda row: row.name), together


def compare_device(old, new, seconds):
    if old is None or old.tag != new.tag:
        old = Device(new.tag, "", {}, {}, None)
    queues = [queue_row(old.queues.get(number), queue, seconds)
              for number, queue in new.queues.items()]
    opcodes, together = opcode_rows(old.latency, new.latency, seconds)
    total = Row("total", p50=percentile(together, 0.5), p99=percentile(together, 0.99))
    for name in COUNTERS + GAUGES:
        setattr(total, name, add(getattr(row, name) for row in queues))
    errors, = growth([old.values.get("errors")], [new.values["errors"]])
    return Report(new, per_second(errors, seconds), total, queues, opcodes)


def compare(old, new):
    """A report for each device that there is now."""
    return [compare_device(old.devices.get(number), device, new.time - old.time)
            for number, device in new.devices.items()]
