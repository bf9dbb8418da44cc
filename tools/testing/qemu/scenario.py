# SPDX-License-Identifier: GPL-2.0
"""What a scenario is: a name, and a function that boots guests and claims what must be true."""

import contextlib
import os
import shutil
import subprocess
import threading
import time

import guest
import tap

LOGS = guest.CACHE + "/logs/check"

SCENARIOS = {}


def scenario(name, **needs):
    """Registers a scenario. needs: ours=True, if it says nothing of mainline's driver;
    once=True, if one kernel is enough for what it says; stock=True, if it is for kernels as
    Debian has them."""
    def register(function):
        SCENARIOS[name] = (function, needs)
        return function
    return register


@contextlib.contextmanager
def tmpfs(path, options):
    """A file system on path, in the private mount name space of this run."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


class Test:
    """One run of a scenario on one kernel: its directories, guests and results."""

    def __init__(self, name, kernel, driver):
        self.name = name
        self.kernel = kernel
        self.driver = driver
        self.log_dir = f"{LOGS}/{kernel}/{name}"
        self.work = f"{guest.SCRATCH}/check-{os.getpid()}-{kernel}-{name}"
        self.results = []
        self.notes = []
        self.boots = 0
        self.seconds = 0

    def directory(self, name="share"):
        path = f"{self.work}/{name}"
        os.makedirs(path, exist_ok=True)
        return path

    def claim(self, name, true, detail=""):
        self.results.append(tap.Result(tap.PASS if true else tap.FAIL, f"host: {name}", [detail]))

    def claim_equal(self, name, found, wanted):
        self.claim(name, found == wanted, f"found {found!r}, wanted {wanted!r}")

    def claim_at_least(self, name, found, wanted):
        self.claim(name, found >= wanted, f"found {found}, wanted at least {wanted}")

    def note(self, text):
        """What a person has to know to have the same run again."""
        self.notes.append(text)

    def skip(self, name, reason):
        self.results.append(tap.Result(tap.SKIP, f"host: {name}", [reason]))

    def guest(self, run, shares, kernel=None, name=None, **options):
        """A guest, not yet booted; name is for its log files."""
        self.boots += 1
        return guest.Guest(kernel or self.kernel, shares, run, self.log_dir,
                           name=name or f"boot{self.boots}", driver=self.driver, **options)

    def boot(self, run, shares, **options):
        """Boots a guest, waits until it is off and takes down its results."""
        self.finish(self.guest(run, shares, **options))

    def finish(self, *guests):
        """Runs guests side by side."""
        threads = [threading.Thread(target=one.run) for one in guests[1:]]
        for thread in threads:
            thread.start()
        guests[0].run()
        for thread in threads:
            thread.join()
        for one in guests:
            self.results += tap.parse(one.lines)
            self.claim(f"{one.name}_ends_well", not one.problems, "; ".join(one.problems))
            for index, share in enumerate(one.shares):
                said = share.complaints()
                self.claim(f"{one.name}_daemon_{index}_reports_no_error", not said, str(said[:3]))

    def count(self, status):
        return sum(result.status == status for result in self.results)

    def run(self):
        start = time.monotonic()
        try:
            shutil.rmtree(self.log_dir, ignore_errors=True)
            os.makedirs(self.log_dir)
            os.makedirs(self.work)
            SCENARIOS[self.name][0](self)
        except Exception as error:  # an error of one scenario is not the end of the others
            self.claim("scenario_comes_to_its_end", False, f"{type(error).__name__}: {error}")
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
        self.seconds = time.monotonic() - start
