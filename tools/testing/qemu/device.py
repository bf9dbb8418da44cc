# SPDX-License-Identifier: GPL-2.0
"""A share that the test device serves: it can be late, answer in another order, and lie."""

import re
import socket
import subprocess
import time

import guest

PROGRAM = guest.CACHE + "/device/virtiofs-testdev"
SANITIZED = guest.CACHE + "/device-sanitized/virtiofs-testdev"

# What a guest gets wrong because it was lied to about nodes, handles and names, or
# because its request is where the device goes on scribbling into an earlier reply.
ABOUT_THE_SERVER = "nodeid|handle|forget|argument|no_room"

# Or because it believed that chains had returned which the device has yet to read, as it
# has to where a ring keeps the order: then it makes new ones in their place, and the device
# reads what is half written, or twice. Which queue it is for does not change.
ABOUT_THE_RING = ("ring|chain|empty_descriptor|descriptor_order|address|region|short_header|in_len"
                  "|needless_room|unique|" + ABOUT_THE_SERVER)

# How long to wait for something that a guest is sure to do.
PATIENCE = 60


class DeviceShare(guest.Share):
    """A Share with virtiofs-testdev as its daemon.

    queues is the number of request queues, ring the entries of each. With
    bare=True QEMU's device passes on the daemon's features and configuration
    space as they are. misleads are the kinds of violations, as a regular expression, that
    a guest may commit since the device will lie to it.
    """

    program = PROGRAM

    # Commands whose answer is a block that ends with a line ".".
    BLOCKS = ("help", "counters", "inodes", "parked", "log", "faults")

    def __init__(self, tag, directory, queues=4, ring=128, options=(), device=None, bare=False,
                 misleads=""):
        super().__init__(tag, directory, options, device)
        self.queues = queues
        self.ring = ring
        self.bare = bare
        self.misleads = misleads
        self.control = None
        # As they were when the daemon was stopped.
        self.counters = {}

    def properties(self):
        if self.bare:
            return {"driver": "vhost-user-test-device-pci", "virtio-id": 26,
                    "num_vqs": 1 + self.queues, "config_size": 44, "vq_size": self.ring,
                    **self.device}
        return {"driver": "vhost-user-fs-pci", "tag": self.tag, "queue-size": self.ring,
                "num-request-queues": self.queues, **self.device}

    def start(self, socket_path, log_path):
        self.socket_path = socket_path
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self.process = guest.spawn(
                [self.program, "--socket", socket_path, "--control", socket_path + ".control",
                 "--dir", self.directory, "--tag", self.tag, "--queues", str(self.queues),
                 *self.options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{self.program} does not start, see {log_path}")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(socket_path + ".control")
            self.control = connection.makefile("rw")

    def stop(self, patience=5):
        if self.process and self.process.poll() is None:
            self.counters = self.read_counters()
            self.process.terminate()
        super().stop(patience)

    def complaints(self):
        """What the guest has done that no driver may do; a sanitizer's report."""
        fair = f"^fuzz |^violation ({self.misleads}) " if self.misleads else "^fuzz "
        with open(self.log_path, errors="replace") as log:
            return [line for line in log if not re.search(fair, line)]

    def violations(self):
        """How often the guest did what no driver may do, by kind."""
        return {name: count for name, count in self.counters.items()
                if name.startswith("violation.") and count and
                not re.fullmatch(self.misleads, name.partition(".")[2])}

    def command(self, words):
        """The answer is the rest of an ok line, or a list of lines."""
        self.control.write(words + "\n")
        self.control.flush()
        if words.split()[0] in self.BLOCKS:
            return [line.rstrip("\n") for line in iter(self.control.readline, ".\n")]
        status, _, answer = self.control.readline().strip().partition(" ")
        if status != "ok":
            raise RuntimeError(f"{words}: {answer or 'no answer'}")
        return answer

    def read_counters(self):
        return {name: int(value) for name, value in
                (line.split() for line in self.command("counters"))}

    def count(self, name):
        return self.read_counters().get(name, 0)

    def used(self):
        """The request queues that have had requests since this was asked the last time."""
        counters = self.read_counters()
        self.command("reset")
        return " ".join(str(queue) for queue in range(1, 1 + self.queues)
                        if counters[f"queue.{queue}.requests"])

    def order(self, opcodes):
        """How many inodes were asked for these in another order, of all that were asked
        for each of them."""
        seen = {}
        for line in self.command("log"):
            fields = dict(word.split("=") for word in line.split()[1:])
            if fields["op"] in opcodes:
                seen.setdefault(fields["node"], []).append(opcodes.index(fields["op"]))
        ways = [steps for steps in seen.values() if set(steps) == set(range(len(opcodes)))]
        return f"{sum(steps != sorted(steps) for steps in ways)} of {len(ways)}"

    def ask(self, words):
        """counter NAME, wait NAME NUMBER (until it is so much), order OPCODE..., used,
        or a command of the device."""
        verb, *rest = words.split()
        if verb == "used":
            return self.used()
        if verb == "order":
            return self.order(rest)
        if verb == "counter":
            return str(self.count(rest[0]))
        if verb == "wait":
            return str(self.wait(rest[0], int(rest[1])))
        return str(self.command(words))

    def wait(self, name, least):
        deadline = time.monotonic() + PATIENCE
        while self.count(name) < least:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} is {self.count(name)}, not {least}")
            time.sleep(0.02)
        return self.count(name)
