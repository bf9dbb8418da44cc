# SPDX-License-Identifier: GPL-2.0
"""virtiofs-top as a program on a fake tree: its text, and its screen in a terminal."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from terminal import Terminal, Terminals
from tree import Load, OnTree

PROGRAM = os.path.realpath(__file__).rsplit("/", 3)[0] + "/virtiofs-top"


def wait_until_ready(pid):
    """Until the program catches SIGTERM: it has begun its work then."""
    for _ in range(200):
        with open(f"/proc/{pid}/status") as status:
            caught = int(re.search(r"SigCgt:\s*(\w+)", status.read()).group(1), 16)
        if caught & 1 << signal.SIGTERM - 1:
            return
        time.sleep(0.05)


def screen_rate(text, name):
    """What the first column has of a queue, or -1."""
    found = re.search(rf"^ {name} +([\d.]+)(k?) ", text, re.MULTILINE)
    return float(found.group(1)) * (1000 if found.group(2) else 1) if found else -1


class Once(OnTree):
    """The program without a screen."""

    def start(self, *options, **more):
        return subprocess.Popen([sys.executable, "-B", PROGRAM, *self.tree.options(), *options],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, **more)

    def run_program(self, *options, **more):
        with self.start(*options, **more) as program:
            said, _ = program.communicate(timeout=20)
        return program.returncode, said

    def test_once_prints_rates_of_queues_and_opcodes(self):
        self.tree.add(0, "myfs")
        load = Load(self.tree, 0, 1, requests=1000)
        load.start()
        self.addCleanup(load.stop)
        self.tree.set_latency(0, GETATTR={10: 5})
        # On a busy host the load may not run for a while
        code, said = self.run_program("--once", "--interval", "3")
        self.assertEqual(code, 0, said)
        self.assertAlmostEqual(screen_rate(said, "requests.0"), 1000, delta=300)
        self.assertRegex(said, r"(?m)^ GETATTR +0 ")

    def test_program_without_a_terminal_prints_and_ends(self):
        self.tree.add(0, "myfs")
        code, said = self.run_program("--interval", "0.1")
        self.assertEqual(code, 0, said)
        self.assertIn("myfs: running", said)
        self.assertNotIn("\033", said)

    def test_no_device_is_said(self):
        self.assertIn("there is no virtiofs device",
                      self.run_program("--once", "--interval", "0.1")[1])
        shutil.rmtree(self.tree.sysfs)
        self.assertIn("there is no virtiofs device",
                      self.run_program("--once", "--interval", "0.1")[1])

    def test_tag_beyond_the_locale_is_no_error(self):
        self.tree.add(0, "grüße")
        code, said = self.run_program("--once", "--interval", "0.1",
                                      env={**os.environ, "PYTHONIOENCODING": "ascii"})
        self.assertEqual((code, "gr??e: running" in said), (0, True), said)

    def test_signals_end_it_in_silence(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.start("--once", "--interval", "30") as program:
                self.addCleanup(program.kill)
                wait_until_ready(program.pid)
                program.send_signal(number)
                said, _ = program.communicate(timeout=20)
            self.assertEqual((program.returncode, said), (128 + number, ""))

    def test_reader_that_ends_early_is_no_error(self):
        program = self.start("--once", "--interval", "0.1")
        program.stdout.close()
        self.assertEqual(program.wait(20), -signal.SIGPIPE)

    def test_intervals_that_are_none_are_refused(self):
        for value in ("-1", "nan", "soon"):
            code, said = self.run_program("--interval=" + value)
            self.assertEqual(code, 2, said)
            self.assertNotIn("Traceback", said)


class Screen(OnTree):
    """The program in a terminal."""

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="virtiofs-top-")
        cls.terminals = Terminals(cls.place)

    @classmethod
    def tearDownClass(cls):
        cls.terminals.end()
        shutil.rmtree(cls.place)

    def start(self, *options, width=80, height=24, environment=""):
        self.terminal = Terminal(self.terminals, width, height)
        self.addCleanup(self.terminal.tmux, "kill-pane", "-t", self.terminal.name)
        before, self.pid_file, self.after = (f"{self.directory}/{name}"
                                             for name in ("before", "pid", "after"))
        words = " ".join([sys.executable, "-B", PROGRAM, *self.tree.options(), *options])
        script = self.directory + "/script"
        with open(script, "w") as file:
            file.write(f"stty -g >{before}\n"
                       f"{environment} sh -c 'echo $$ >{self.pid_file}; exec {words}'\n"
                       f"echo ended with $?\nstty -g >{self.after}\ncmp {before} {self.after} && "
                       "echo terminal restored\n")
        self.terminal.type(". " + script)
        return self.terminal

    def pid(self):
        with open(self.pid_file) as file:
            return int(file.read())

    def assert_ended(self, code):
        text = self.terminal.wait_for("^terminal restored")
        self.assertRegex(text, rf"(?m)^ended with {code}$")
        self.assertRegex(text, r"(?m)^terminal restored$")
        self.assertNotIn("Traceback", text)
        self.assertEqual(self.terminal.modes(), "0 1 0")

    def test_rates_on_the_screen_are_right(self):
        self.tree.add(0, "myfs", queues=2, inodes=12)
        loads = [Load(self.tree, 0, 1, requests=1000, bytes_in=4e6),
                 Load(self.tree, 0, 2, requests=300, bytes_in=9e6)]
        for load in loads:
            load.start()
            self.addCleanup(load.stop)
        terminal = self.start("--interval", "1")

        def right(text):
            return all(abs(screen_rate(text, name) / rate - 1) < 0.2 for name, rate in
                       (("requests.0", 1000), ("requests.1", 300), ("total", 1300)))
        text = terminal.wait(right)
        self.assertTrue(right(text), text)
        self.assertIn("myfs: running, 0 errors (0/s), 12 inodes", text)
        for load in loads:
            load.stop()
        self.assertRegex(terminal.wait_for("^ requests.0 +0 "), r"(?m)^ requests.0 +0 ")

    def test_q_ends_it_and_restores_the_terminal(self):
        self.tree.add(0, "myfs")
        terminal = self.start("--interval", "60")
        terminal.wait_for("^myfs: ")
        self.assertEqual(terminal.modes().split()[:2], ["1", "0"])
        # Black on white or white on black is not the program's to say.
        self.assertNotRegex(terminal.tmux("capture-pane", "-e", "-p", "-t", terminal.name),
                            r"\033\[[34]\d")
        terminal.press("q")
        self.assert_ended(0)

    def test_signals_end_it_and_restore_the_terminal(self):
        self.tree.add(0, "myfs")
        for number in (signal.SIGINT, signal.SIGTERM):
            terminal = self.start("--interval", "60")
            terminal.wait_for("^myfs: ")
            if number == signal.SIGINT:
                terminal.press("C-c")
            else:
                os.kill(self.pid(), number)
            self.assert_ended(128 + number)

    def test_terminal_of_any_size_is_used(self):
        self.tree.add(0, "myfs", queues=30)
        terminal = self.start("--interval", "60")
        terminal.wait_for("^myfs: ")
        for width, height in ((40, 10), (3, 1), (1, 2), (100, 40)):
            terminal.resize(width, height)
            text = terminal.wait(lambda text: width < 40 or
                                 re.search("^ requests", text, re.MULTILINE) and
                                 ("requests.29" in text) == (height == 40) and
                                 ("P99" in text) == (width == 100))
        self.assertRegex(text, r"BACKLOG.* P99\n")
        self.assertIn("\n requests.29 ", text)
        self.assertRegex(text, r"\nq quit")
        terminal.press("q")
        self.assert_ended(0)

    def test_long_lists_are_scrolled(self):
        self.tree.add(0, "myfs", queues=30)
        terminal = self.start("--interval", "60")
        self.assertNotIn("requests.29", terminal.wait_for("^myfs: "))
        terminal.press(*["Down"] * 40)
        text = terminal.wait_for(r"requests\.29")
        self.assertRegex(text, r"\n requests.29 .*\nq quit")
        self.assertIn("REQ/S", text.splitlines()[0])
        terminal.press("Up")
        self.assertNotIn("requests.29", terminal.wait(lambda text: "requests.29" not in text))

    def test_devices_appear_and_vanish(self):
        self.tree.add(0, "first")
        terminal = self.start("--interval", "0.2")
        terminal.wait_for("^first: ")
        self.tree.add(1, "second")
        self.assertRegex(terminal.wait_for("^second: "), r"(?m)^second: running")
        self.tree.remove(0)
        self.assertNotIn("first: ", terminal.wait(lambda text: "first: " not in text))
        self.tree.remove(1)
        self.assertIn("there is no virtiofs device", terminal.wait_for("^there is no"))
        self.tree.add(2, "third")
        self.assertRegex(terminal.wait_for("^third: "), r"(?m)^third: running")

    def test_keys_change_view_and_order(self):
        self.tree.add(0, "myfs", queues=2)
        self.tree.set_latency(0, LOOKUP={10: 5})
        load = Load(self.tree, 0, 2, requests=1000)
        load.start()
        self.addCleanup(load.stop)
        terminal = self.start("--interval", "0.5")
        self.assertRegex(terminal.wait_for("^ requests.1 "), r"\n hiprio .*\n requests.0 .*\n req")
        terminal.press("o")
        text = terminal.wait_for("^ LOOKUP ")
        self.assertRegex(text, r"\n total .*\n LOOKUP ")
        self.assertNotIn("requests.0", text)
        terminal.press("o", "s")
        busiest_first = r"\n total .*\n requests.1 .*\n hiprio "
        self.assertRegex(terminal.wait_for(busiest_first), busiest_first)
        self.assertIn("by requests", terminal.screen())

    def test_dumb_terminal_gets_text(self):
        self.tree.add(0, "myfs")
        for name in ("dumb", "unknown"):
            self.start("--interval", "0.1", environment=f"TERM={name}")
            self.assert_ended(0)
            self.assertIn("myfs: running", self.terminal.screen())
