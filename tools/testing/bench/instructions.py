# SPDX-License-Identifier: GPL-2.0
"""What the plugin instructions.so has counted: by the part of the kernel."""

import bisect
import re
import subprocess

# A symbol of a function, and the directory of its source, two levels of it at most
SYMBOL = re.compile(r"vmlinux\.a:([^/:]+(?:/[^/:]+)?)\S*:\w+ [tTwW] (\S+)")
FILE = re.compile(r"/[^/]*\.o$")


def read(path):
    """Of each record a dictionary, by the address of a block: how many instructions, how often."""
    found = []
    with open(path) as file:
        for line in file:
            if line == "record\n":
                found.append({})
            else:
                address, count, runs = line.split()
                found[-1][int(address, 16)] = int(count), int(runs)
    return found


def functions(record, symbols, text, calls):
    """How many functions of a module each of so many calls passes, those that were not inlined.
    A call begins a block. symbols is what nm prints of the module, text where it was loaded."""
    return sum(record.get(text + int(address, 16), (0, 0))[1] >= calls
               for address, kind, _ in (line.split() for line in symbols.splitlines())
               if kind in "tT")


def directories(symbols):
    """Of each function its directory, or several, from what nm prints of vmlinux.a."""
    found = {}
    for line in symbols.splitlines():
        symbol = SYMBOL.fullmatch(line)
        if symbol:
            found.setdefault(symbol[2], set()).add(FILE.sub("", symbol[1]))
    return {name: " or ".join(sorted(where)) for name, where in found.items()}


class Kernel:
    """A kernel that was built in a tree. What lies behind it all is the module that is measured."""

    def __init__(self, tree):
        with open(tree + "/System.map") as file:
            symbols = [line.split() for line in file]
        self.functions = sorted((int(address, 16), name) for address, kind, name in symbols
                                if kind in "tTwW")
        [self.end] = [int(address, 16) for address, _, name in symbols if name == "_end"]
        self.directories = directories(subprocess.run(
            ["nm", "-A", "--defined-only", "vmlinux.a"], cwd=tree, check=True, text=True,
            capture_output=True).stdout)

    def place(self, address):
        if not address:
            return "user"
        if address >= self.end:
            return "[virtiofs]"
        at = bisect.bisect(self.functions, (address, "~")) - 1
        return self.directories.get(self.functions[at][1], "unknown") if at >= 0 else "unknown"

    def by_place(self, record):
        places = {}
        for address, (count, _) in record.items():
            place = self.place(address).replace(" ", "_")
            places[place] = places.get(place, 0) + count
        return places
