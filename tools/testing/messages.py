#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints the messages of the driver that its administrator's page does not have.

A message is a format string of a call that logs, or a text that a function returns
to one. Each conversion in it stands for any word or two of the page.
"""

import glob
import os
import re

TOP = os.path.realpath(__file__).rsplit("/", 3)[0]
PAGE = TOP + "/Documentation/filesystems/virtiofs-admin.rst"

LOGGING = r"\b(?:pr|dev)_(?:err|warn|notice|info)\w*\(|\b(?:invalfc|errorfc|warnfc|infofc)\("
STRING = r'"((?:[^"\\]|\\.)*)"'
MESSAGE = re.compile(rf"(?:{LOGGING})[^\";]*?{STRING}", re.S)
RETURNED = re.compile(rf"\breturn {STRING};")
CONVERSION = re.compile(r"%[-+ #0]*[\d*.]*(?:ll|l|h|z)*(?:p[A-Z]\w*|[a-zA-Z])")


def messages(source):
    """The messages of a source file, without those that only consist of another one."""
    found = MESSAGE.findall(source)
    found += [text for text in RETURNED.findall(source) if " " in text]
    return [text.removesuffix("\\n") for text in found if CONVERSION.sub("", text).strip("\\n ")]


def is_on(page, message):
    words = [re.escape(part) for part in CONVERSION.split(message)]
    return re.search("``" + "[^`]+?".join(words) + "``", page)


def main():
    with open(PAGE) as file:
        page = " ".join(file.read().split())
    sources = sorted(glob.glob(TOP + "/*.c") + glob.glob(TOP + "/fuse/*.c"))
    total = 0
    for path in sources:
        with open(path) as file:
            for message in messages(file.read()):
                total += 1
                if not is_on(page, message):
                    print(f"{os.path.basename(path)}: {message}")
    if not total:
        print("no message was found in the sources")


if __name__ == "__main__":
    main()
