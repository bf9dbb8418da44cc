# SPDX-License-Identifier: GPL-2.0
"""A terminal with a shell in it, whose keys are pressed and whose screen is read."""

import os
import re
import subprocess
import time

PATIENCE = 20


class Terminals:
    """The server of all terminals: it ends with this process, and they with it."""

    def __init__(self, path):
        self.socket = path + "/tmux"
        self.server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "tmux", "-D",
                                        "-f", "/dev/null", "-S", self.socket],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(self.socket) and time.monotonic() < deadline:
            time.sleep(0.05)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-N", "-S", self.socket, *words], check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def end(self):
        self.server.kill()
        self.server.wait()


class Terminal:
    def __init__(self, terminals, width=80, height=24):
        self.tmux = terminals.tmux
        self.name = self.tmux("new-session", "-d", "-P", "-F", "#{pane_id}", "-x", str(width),
                              "-y", str(height), "env", "-u", "ENV", "PS1=$ ", "sh").strip()

    def type(self, line):
        self.tmux("send-keys", "-t", self.name, "-l", line)
        self.press("Enter")

    def press(self, *keys):
        self.tmux("send-keys", "-t", self.name, *keys)

    def resize(self, width, height):
        self.tmux("resize-window", "-t", self.name, "-x", str(width), "-y", str(height))

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", self.name).rstrip("\n")

    def modes(self):
        """Is the screen the other one, is the cursor seen, does the keypad send codes?"""
        return self.tmux("display-message", "-p", "-t", self.name,
                         "#{alternate_on} #{cursor_flag} #{keypad_flag}").strip()

    def wait(self, true):
        """The screen as soon as this is true of it, or after some time in any case."""
        deadline = time.monotonic() + PATIENCE
        while True:
            text = self.screen()
            if true(text) or time.monotonic() > deadline:
                return text
            time.sleep(0.1)

    def wait_for(self, pattern):
        return self.wait(lambda text: re.search(pattern, text, re.MULTILINE))
