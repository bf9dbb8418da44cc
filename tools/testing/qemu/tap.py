# SPDX-License-Identifier: GPL-2.0
"""Reads the results of tests (TAP as kernel selftests write it) off a verdict port.

Each program's output stands between "# program NAME" and "# exit CODE NAME".
"""

import re
from collections import namedtuple

PASS, FAIL, SKIP = "passed", "failed", "skipped"
KSFT_SKIP = 4

# detail: lines that say why, for a person
Result = namedtuple("Result", "status name detail")

RESULT = re.compile(r"(ok|not ok)\b\s*(\d+)?\s*(?:- )?(.*)")
DIRECTIVE = re.compile(r"\s*# (SKIP|XFAIL|XPASS|TODO|error)\b\s*(.*)")
PLAN = re.compile(r"1\.\.(\d+)(?:\s*# SKIP\s*(.*))?$")
BEGIN = re.compile(r"# program (\S+)$")
END = re.compile(r"# exit (\d+) (\S+)$")
DETAIL_LINES = 12


class Program:
    """What one program has said so far."""

    def __init__(self, name):
        self.name = name
        self.results = []
        self.plan = None
        self.skip_reason = ""
        self.detail = []

    def add(self, status, name, detail=()):
        self.results.append(Result(status, f"{self.name}: {name}", list(detail)))

    def take(self, line):
        result, plan = RESULT.match(line), PLAN.match(line)
        if result:
            self.take_result(result.group(1), result.group(3))
        elif plan:
            self.plan = int(plan.group(1))
            self.skip_reason = plan.group(2) or ""
        elif line.startswith("#"):
            self.detail.append(line)

    def take_result(self, word, text):
        directive = DIRECTIVE.search(text)
        name = text[:directive.start()] if directive else text
        status, detail = PASS, []
        if directive and directive.group(1) in ("SKIP", "XFAIL"):
            status, detail = SKIP, [directive.group(2)]
        elif word == "not ok":
            status, detail = FAIL, self.detail[-DETAIL_LINES:]
        self.add(status, name.strip() or "unnamed", detail)
        self.detail = []

    def finish(self, code):
        """The program ended; code None: it did not come to its end."""
        found = len(self.results)
        failed = any(result.status == FAIL for result in self.results)
        if code is None:
            self.add(FAIL, "program_comes_to_its_end", self.detail[-DETAIL_LINES:])
        elif code == KSFT_SKIP and not found:
            self.add(SKIP, "program", [self.skip_reason] + self.detail[-1:])
        elif code not in (0, KSFT_SKIP) and not failed:
            self.add(FAIL, f"program_exits_without_error (exit code {code})", self.detail)
        elif not found:
            self.add(FAIL, "program_says_something")
        elif self.plan is not None and self.plan != found:
            self.add(FAIL, f"all_planned_tests_report ({found} of {self.plan})")
        return self.results


def programs(lines):
    """What the suites of a kernel with KUnit have said, as that of programs."""
    reason = ""
    for line in lines:
        # A test with parameters is skipped for the reason that its last one gives
        inner = re.match(r" {8}ok \d+ .* # SKIP (.*)", line)
        reason = inner.group(1) if inner else reason
        subtest = re.match(r"    # Subtest: (\S+)$", line)
        if subtest:
            yield f"# program {subtest.group(1)}"
        elif re.match(r"(ok|not ok) \d+ ", line):
            yield "# exit 0 suite"
        elif re.match(r"    \S", line):
            yield f"{line[4:]} {reason}" if line.endswith("# SKIP") else line[4:]


def parse(lines):
    """The results of all programs in a verdict."""
    results, program = [], None
    for line in lines:
        begin, finish = BEGIN.match(line), END.match(line)
        if begin:
            if program:
                results += program.finish(None)
            program = Program(begin.group(1))
        elif finish and program:
            results += program.finish(int(finish.group(1)))
            program = None
        elif program:
            program.take(line)
    if program:
        results += program.finish(None)
    return results
