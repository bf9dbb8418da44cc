#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Guests and the daemons that serve them.

A Share is a directory of the host with the daemon that serves it; a Guest is
a QEMU with a test kernel and some shares. A guest reports over a virtio-serial
port (the verdict port) and asks for deeds on the host over another one (the
control port). Knows nothing of what is tested. Runs inside the test root.
"""

import argparse
import ctypes
import functools
import json
import mmap
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

CACHE = "/cache"
SCRATCH = CACHE + "/run"
VIRTIOFSD = "/usr/libexec/virtiofsd"
DONE = "verdict: done"

# What a healthy kernel never prints, whatever the test.
SPLAT = re.compile(
    r"BUG:|WARNING:|Oops|KASAN|Kernel panic|general protection|Call Trace"
    r"|INFO: task .* blocked|INFO: rcu.*stall|possible (circular|recursive) locking"
    r"|inconsistent lock state|suspicious RCU usage|sleeping function called"
    r"|refcount_t:|list_(add|del) corruption|ODEBUG|UBSAN|soft lockup")

# What programs say on the console, in words that a kernel uses as well.
CHATTER = re.compile(r"stress-ng: (info|warn): ")

# What the daemon says of itself that is not an error of this driver.
COMPLAINT = re.compile(r" (ERROR|WARN) ")

# What a guest's CPU is.
ACCELERATORS = {
    # An interrupt while the kernel identifies a CPU with five levels of page
    # tables is a false alarm of KASAN's.
    "tcg": ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"],
    "kvm": ["-accel", "kvm", "-cpu", "host,la57=off"],
}

# So many seconds may a kernel take under KVM until it misses its root; a second is usual.
PROBE_PATIENCE = 15

# Set by whoever wants all guests of this process to end.
stopping = threading.Event()


# A daemon holds a file descriptor for each file that its guest knows.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def spawn(command, **kwargs):
    """Starts a program that does not outlive this process, even if killed."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], **kwargs)


def kvm_fault(kernel):
    """What is wrong with KVM here, or None. That /dev/kvm opens is not enough: there are hosts
    that emulate a guest's kernel, one instruction after another."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
               "-no-reboot", *ACCELERATORS["kvm"], "-m", "256M",
               "-kernel", f"{CACHE}/linux/{kernel}/arch/x86/boot/bzImage",
               "-append", "console=ttyS0 panic=-1", "-serial", "stdio"]
    process = spawn(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL)
    try:
        said, _ = process.communicate(timeout=PROBE_PATIENCE)
    except subprocess.TimeoutExpired:
        end(process)
        return f"a guest did not boot in {PROBE_PATIENCE} seconds"
    return None if b"Unable to mount root fs" in said else "a guest did not boot"


def accelerator(choice, kernel):
    """The name of what guests run on: choice is auto, kvm or tcg."""
    if choice != "auto":
        return choice
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    known = f"{CACHE}/kvm-fault-{kernel}"
    if os.path.exists(known):
        with open(known) as file:
            before, _, fault = file.read().partition(" ")
    else:
        before = fault = None
    if before != boot:
        fault = kvm_fault(kernel) or ""
        with open(known, "w") as file:
            file.write(f"{boot} {fault}")
    if fault:
        print(f"guests are emulated, without KVM: {fault}", file=sys.stderr, flush=True)
    return "tcg" if fault else "kvm"


@functools.cache
def tsc_khz():
    """The rate of this CPU's clock, which emulated CPUs have as well."""
    with mmap.mmap(-1, mmap.PAGESIZE,
                   prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as code:
        # rdtsc; shl $32, %rdx; or %rdx, %rax; ret
        code.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))
        page = ctypes.c_char.from_buffer(code)
        rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(page))
        since, ticks = time.monotonic_ns(), rdtsc()
        time.sleep(0.5)
        took, ticks = time.monotonic_ns() - since, rdtsc() - ticks
        del page
    return ticks * 1000000 // took


def end(process, patience=0):
    """Ends one process that was started here; gives it some seconds first."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Share:
    """A directory, its tag and its virtiofsd.

    options are the daemon's, device the properties of QEMU's device, such as
    {"queue-size": 16, "packed": True}.
    """

    def __init__(self, tag, directory, options=(), device=None):
        self.tag = tag
        self.directory = directory
        self.options = list(options)
        self.device = dict(device or {})
        self.generation = 0
        self.process = None
        self.socket_path = None
        self.log_path = None

    def start(self, socket_path, log_path):
        """Starts the daemon; QEMU can connect as soon as this returns."""
        self.socket_path = socket_path
        self.log_path = log_path
        if os.path.exists(socket_path):
            os.unlink(socket_path)
        with socket.socket(socket.AF_UNIX) as listener, open(log_path, "ab") as log:
            listener.bind(socket_path)
            listener.listen(1)
            self.process = spawn(
                [VIRTIOFSD, "--fd", str(listener.fileno()), "--shared-dir", self.directory,
                 "--sandbox", "none", "--rlimit-nofile", "0", *self.options],
                pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, patience=5):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            end(self.process, patience)

    def complaints(self):
        """What the daemon has reported as an error."""
        with open(self.log_path, errors="replace") as log:
            return [line for line in log if COMPLAINT.search(line)]

    def properties(self):
        """The properties of QEMU's device, its character device left out."""
        return {"driver": "vhost-user-fs-pci", "tag": self.tag, **self.device}

    def ask(self, words):
        """A daemon that can be asked has a class of its own."""
        raise ValueError(f"the daemon of {self.tag} takes no commands: {words}")


class Qmp:
    """QEMU's machine protocol, as much of it as plugging needs."""

    def __init__(self, sock):
        sock.settimeout(60)
        self.file = sock.makefile("rw")
        self.events = []
        json.loads(self.file.readline())
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        json.dump({"execute": command, "arguments": arguments}, self.file)
        self.file.write("\n")
        self.file.flush()
        while True:
            message = self.message()
            if "error" in message:
                raise RuntimeError(message["error"]["desc"])
            if "return" in message:
                return message["return"]
            self.events.append(message)

    def message(self):
        line = self.file.readline()
        if not line:
            raise RuntimeError("QEMU is gone")
        return json.loads(line)

    def wait_event(self, name, device):
        def wanted(event):
            return event.get("event") == name and event.get("data", {}).get("device") == device

        while not any(wanted(event) for event in self.events):
            self.events.append(self.message())
        self.events = [event for event in self.events if not wanted(event)]


class Guest:
    """One QEMU. run() boots it, serves it until it is off, and ends everything.

    run       what the guest's init shall run: a script below guest/ and its arguments
    env       further variables for the guest's scripts
    images    the parts of the initramfs, besides the kernel's own, by name or by path; with
              root=TAG instead the guest boots from that share, without an initramfs or
              with initrd=PATH, init is the first process there then
    disk      a file with a file system to boot from, with image=PATH and initrd=PATH of its kernel
    memory    as QEMU's -m takes it, with slots=N,maxmem=SIZE if more may be plugged in
    nodes     so many NUMA nodes have equal parts of the memory, each in a file of its own
    machine   q35, or microvm: devices on virtio-mmio, no PCI, no MSI
    words     further words for the kernel's command line
    qemu      further arguments for QEMU
    reboots   the guest may reboot; any other one is over then
    programs  programs are run from a share: the emulator does not see that a daemon
              writes to memory, and goes on with what it has translated of a page's
              earlier content, unless the guest itself clears the page in between
    on_line   called with each line of the verdict port as it comes
    console   None: into a log file only; "stdio": a person's terminal
    limit     seconds before a hang is assumed, more for a debug kernel; 0: no limit
    """

    # Of all guests, see ACCELERATORS.
    accelerator = "tcg"

    def __init__(self, kernel, shares, run, log_dir, name="guest", env=None, images=("base",),
                 root=None, disk=None, image=None, initrd=None, init="/guest/init", programs=False, smp=2, memory="1G",
                 nodes=1, machine="q35", words=(), qemu=(), reboots=False,
                 limit=300, on_line=None, console=None, driver="ours"):
        self.kernel = kernel
        self.shares = list(shares)
        self.env = {"run": run, **(env or {})}
        self.log_dir = log_dir
        self.name = name
        self.images = images
        self.root = root
        self.disk = disk
        self.image = image or f"{CACHE}/linux/{kernel}/arch/x86/boot/bzImage"
        self.initrd = initrd
        self.init = init
        self.programs = programs
        self.smp = smp
        self.memory = memory
        self.nodes = nodes
        self.machine = machine
        self.words = words
        self.qemu = qemu
        self.reboots = reboots
        self.limit = limit * (4 if re.search("-(?!intree)", kernel) else 1) or float("inf")
        self.on_line = on_line
        self.console = console
        self.driver = driver
        self.lines = []
        self.problems = []
        self.process = None
        self.scratch = None
        self.qmp = None
        self.host_commands = {
            "sh": self.host_sh,
            "device": self.host_device,
            "kill-daemon": self.host_kill_daemon,
            "stop-daemon": self.host_stop_daemon,
            "cont-daemon": self.host_cont_daemon,
            "pause-daemon": self.host_pause_daemon,
            "pause-guest": self.host_pause_guest,
            "restart-daemon": self.host_restart_daemon,
            "unplug": self.host_unplug,
            "plug": self.host_plug,
            "open-files": self.host_open_files,
            "qmp": self.host_qmp,
        }

    # Booting

    def log_path(self, what):
        return f"{self.log_dir}/{self.name}.{what}.log"

    def initramfs(self):
        kernel = self.kernel + ("-mainline" if self.driver == "mainline" else "")
        path = self.scratch + "/initramfs"
        with open(path, "wb") as out:
            for part in (*self.images, kernel):
                with open(os.path.join(CACHE, "image", part + ".cpio"), "rb") as archive:
                    shutil.copyfileobj(archive, out, 1 << 20)
        return path

    def clock(self):
        """What the kernel is told of its clock: on a busy host an emulated CPU may not run
        while the kernel measures it, which then is in error by a factor of fifty."""
        return [f"tsc_early_khz={tsc_khz()}"] if Guest.accelerator == "tcg" else []

    def has_built_in(self):
        """Has it the kernel's own driver built in, where that is not in its place?"""
        return self.kernel.endswith("-stock") and \
            os.path.exists(f"{CACHE}/module/{self.kernel}/virtiofs_guest.ko")

    def command_line(self):
        words = ["console=ttyS0", "panic=-1", "panic_on_warn=1", "oops=panic",
                 "no_timer_check", "tsc=reliable", *self.clock(),
                 # So that the log still has its begin when the tests are over.
                 "log_buf_len=4M", *self.words]
        if self.has_built_in() and self.driver == "ours" and not self.disk:
            words += ["initcall_blacklist=virtio_fs_init"]
        if self.machine == "microvm":
            # It has no other way to end.
            words += ["reboot=t", "off=reboot"]
        if self.console == "stdio":
            words += ["quiet", "loglevel=3", "told=/dev/null"]
        if self.programs:
            words += ["init_on_alloc=1"]
        if self.root:
            words += [f"root={self.root}", "rootfstype=virtiofs", "rw", f"init={self.init}"]
        if self.disk:
            words += ["root=/dev/vda", "rw"]
        words += [f'{key}="{value}"' for key, value in self.env.items()]
        return " ".join(words)

    def device_options(self, index, share):
        """The character device and the device of one share."""
        chardev = {"id": f"chardev{index}.{share.generation}"}
        device = {"bus": f"slot{index}", **share.properties(), "id": f"share{index}",
                  "chardev": chardev["id"]}
        if self.machine == "microvm":
            del device["bus"]
            device["driver"] = device["driver"].replace("-pci", "-device")
        return chardev, device

    def machine_options(self):
        """The machine, its memory, and the ports that go on when the guest has slept."""
        if self.machine == "microvm":
            options = ["-machine", "microvm,acpi=off",
                       "-global", "virtio-mmio.force-legacy=false",
                       "-device", "virtio-serial-device"]
        else:
            options = ["-machine", "q35", "-device", "pcie-root-port,id=ports,chassis=100",
                       "-device", "virtio-serial-pci,bus=ports,x-pcie-pm-no-soft-reset=on"]
        size, unit = re.match(r"(\d+)([MG])", self.memory).groups()
        part = int(size) * {"M": 1, "G": 1024}[unit] // self.nodes
        for node in range(self.nodes):
            options += ["-object", f"memory-backend-memfd,id=mem{node},size={part}M,share=on"]
            if self.nodes > 1:
                options += ["-numa", f"node,memdev=mem{node}"]
        if self.nodes == 1:
            options[1] += ",memory-backend=mem0"
        return options

    def qemu_command(self, ports):
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            *ACCELERATORS[Guest.accelerator], "-smp", str(self.smp), "-m", self.memory,
            "-kernel", self.image,
            "-append", self.command_line(), *self.machine_options(), *self.qemu]
        if not self.reboots:
            command += ["-no-reboot"]
        if self.disk:
            command += ["-drive", f"file={self.disk},format=raw,if=virtio"]
        if self.initrd or not self.root:
            command += ["-initrd", self.initrd or self.initramfs()]
        for port in ("verdict", "control"):
            command += [
                "-chardev", f"socket,id={port},fd={ports[port].fileno()}",
                "-device", f"virtserialport,chardev={port},name=org.virtiofs.{port}"]
        command += ["-chardev", f"socket,id=qmp,fd={ports['qmp'].fileno()}",
                    "-qmp", "chardev:qmp"]
        log = self.log_path("console")
        if self.console == "stdio":
            command += ["-chardev", f"stdio,id=console,signal=off,logfile={log}"]
        else:
            command += ["-chardev", f"file,id=console,path={log}"]
        command += ["-serial", "chardev:console"]
        for index, share in enumerate(self.shares):
            chardev, device = self.device_options(index, share)
            if device.get("bus") == f"slot{index}":
                command += ["-device", f"pcie-root-port,id=slot{index},chassis={index + 1}"]
            command += ["-chardev", f"socket,id={chardev['id']},path={share.socket_path}",
                        "-device", json.dumps(device)]
        return command

    def start_share(self, index, share):
        share.generation += 1
        share.start(f"{self.scratch}/{index}.{share.generation}", self.log_path(f"daemon{index}"))

    def start(self):
        os.makedirs(self.log_dir, exist_ok=True)
        self.scratch = f"{SCRATCH}/{os.getpid()}-{id(self):x}"
        os.makedirs(self.scratch)
        for index, share in enumerate(self.shares):
            self.start_share(index, share)
        pairs = {port: socket.socketpair() for port in ("verdict", "control", "qmp")}
        ports = {port: pair[1] for port, pair in pairs.items()}
        self.ports = {port: pair[0] for port, pair in pairs.items()}
        with open(self.log_path("qemu"), "wb") as log:
            self.process = spawn(
                self.qemu_command(ports), pass_fds=[port.fileno() for port in ports.values()],
                stdin=None if self.console == "stdio" else subprocess.DEVNULL,
                stdout=None if self.console == "stdio" else log, stderr=log)
        for port in ports.values():
            port.close()

    # Serving

    def serve(self):
        """Until QEMU ends: takes down the verdict, does what the guest asks for."""
        deadline = time.monotonic() + self.limit
        pidfd = os.pidfd_open(self.process.pid)
        rest = {"verdict": b"", "control": b""}
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ, None)
            for port in rest:
                selector.register(self.ports[port], selectors.EVENT_READ, port)
            while not stopping.is_set():
                left = deadline - time.monotonic()
                if left <= 0:
                    self.problems.append(f"guest was not off after {self.limit} s")
                    break
                # All that a port holds is read before the end is believed.
                events = [key for key, _ in selector.select(min(left, 1))]
                ended = events and all(key.data is None for key in events)
                for key in events:
                    if key.data and not self.read_port(key.data, rest):
                        selector.unregister(key.fileobj)
                if ended:
                    break
        os.close(pidfd)

    def read_port(self, port, rest):
        """Takes what came over one port; False at its end."""
        try:
            data = self.ports[port].recv(65536)
        except ConnectionResetError:
            data = b""
        *lines, rest[port] = (rest[port] + data).split(b"\n")
        for line in lines:
            line = line.decode(errors="replace").rstrip("\r")
            if port == "control":
                self.answer(line)
            else:
                self.lines.append(line)
                if self.on_line:
                    self.on_line(line)
        return bool(data)

    def answer(self, line):
        try:
            reply = "ok " + self.host(line)
        except Exception as error:  # whatever it is, the guest waits for an answer
            reply = f"error {error}"
        with open(self.log_path("control"), "a") as log:
            log.write(f"{line}\n    {reply}\n")
        reply = reply.splitlines()[0].rstrip()
        try:
            self.ports["control"].sendall(reply.encode() + b"\n")
        except OSError:
            pass  # the guest is gone; its verdict says why

    # What a guest may ask for: "host COMMAND ARGUMENTS"

    def host(self, line):
        word, _, rest = line.partition(" ")
        if word != "host":
            raise ValueError(f"not a host command: {line}")
        command, _, argument = rest.strip().partition(" ")
        if command not in self.host_commands:
            raise ValueError(f"unknown host command: {command}")
        return self.host_commands[command](argument.strip()) or ""

    def share(self, tag):
        for index, share in enumerate(self.shares):
            if share.tag == tag:
                return index, share
        raise ValueError(f"no share with the tag {tag}")

    def host_sh(self, script):
        """Runs a shell command in the (first) shared directory."""
        done = subprocess.run(["sh", "-c", script], cwd=self.shares[0].directory, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{done.returncode} {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.partition("\n")[0]

    def host_device(self, argument):
        """Has the daemon of a share do something, if it is one that can be told."""
        tag, _, words = argument.partition(" ")
        return self.share(tag)[1].ask(words)

    def host_open_files(self, tag):
        """How many descriptors the daemon has."""
        return str(len(os.listdir(f"/proc/{self.share(tag)[1].process.pid}/fd")))

    def host_kill_daemon(self, tag):
        self.share(tag)[1].stop(patience=0)

    def host_stop_daemon(self, tag):
        self.share(tag)[1].process.send_signal(signal.SIGSTOP)

    def host_cont_daemon(self, tag):
        self.share(tag)[1].process.send_signal(signal.SIGCONT)

    def host_pause_daemon(self, argument):
        """Stops the daemon for some seconds, however the guest is doing then."""
        tag, seconds = argument.split()
        process = self.share(tag)[1].process
        process.send_signal(signal.SIGSTOP)
        threading.Timer(float(seconds), process.send_signal, [signal.SIGCONT]).start()

    def host_restart_daemon(self, tag):
        """A new daemon; QEMU only turns to it when the device is plugged anew."""
        index, share = self.share(tag)
        share.stop(patience=0)
        self.start_share(index, share)

    def host_pause_guest(self, seconds):
        """Stops the machine for some seconds, while its clock goes on."""
        self.process.send_signal(signal.SIGSTOP)
        threading.Timer(float(seconds), self.process.send_signal, [signal.SIGCONT]).start()

    def monitor(self, command, **arguments):
        if not self.qmp:
            self.qmp = Qmp(self.ports["qmp"])
        return self.qmp(command, **arguments)

    def host_qmp(self, argument):
        """A command of QEMU's, with its arguments in JSON."""
        command, _, words = argument.partition(" ")
        return json.dumps(self.monitor(command, **json.loads(words or "{}")))

    def host_unplug(self, tag):
        """Asks the guest to let go of the device; does not wait for it."""
        index, _ = self.share(tag)
        self.monitor("device_del", id=f"share{index}")

    def host_plug(self, tag):
        """Plugs an unplugged device in again, with a new daemon."""
        index, share = self.share(tag)
        self.monitor("query-status")
        self.qmp.wait_event("DEVICE_DELETED", f"share{index}")
        old, _ = self.device_options(index, share)
        self.monitor("chardev-remove", id=old["id"])
        self.host_restart_daemon(tag)
        chardev, device = self.device_options(index, share)
        address = {"type": "unix", "data": {"path": share.socket_path}}
        backend = {"type": "socket", "data": {"addr": address, "server": False}}
        self.monitor("chardev-add", id=chardev["id"], backend=backend)
        self.monitor("device_add", **device)

    # Ending

    def stop(self):
        if self.process:
            end(self.process)
            for port in self.ports.values():
                port.close()
        for share in self.shares:
            share.stop()
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
        with open(self.log_path("verdict"), "w") as log:
            log.writelines(line + "\n" for line in self.lines)

    def judge(self):
        """What was wrong with the run as such, besides what the tests say."""
        with open(self.log_path("console"), errors="replace") as console:
            splats = [line.strip() for line in console
                      if SPLAT.search(line) and not CHATTER.search(line)]
        if splats:
            self.problems.append(f"the guest's kernel complained: {splats[0]}")
        if self.process.returncode:
            with open(self.log_path("qemu"), errors="replace") as log:
                self.problems.append(
                    f"QEMU ended with {self.process.returncode}: {log.read().strip()[-300:]}")
        if DONE not in self.lines:
            self.problems.append(f"no '{DONE}' from the guest")

    def run(self):
        try:
            self.start()
            self.serve()
        finally:
            self.stop()
        self.judge()
        return not self.problems


def main():
    parser = argparse.ArgumentParser(description="Boots one guest and prints its verdict port.")
    parser.add_argument("--kernel", default="7.3")
    parser.add_argument("--share", action="append", default=[], metavar="TAG=DIR")
    parser.add_argument("--daemon", action="append", default=[], metavar="OPTION",
                        help="an option for the daemons (--daemon=--cache=always)")
    parser.add_argument("--device", action="append", default=[], metavar="PROPERTY=VALUE",
                        help="a property of QEMU's devices (--device queue-size=16, packed=true)")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--images", default="base", help="parts of the initramfs (base,load)")
    parser.add_argument("--driver", default="ours", choices=("ours", "mainline"))
    parser.add_argument("--accel", default="auto", choices=("auto", "kvm", "tcg"))
    parser.add_argument("--smp", type=int, default=2)
    parser.add_argument("--limit", type=int, default=600, help="seconds before a hang is assumed, 0: none")
    parser.add_argument("--logs", default=CACHE + "/logs/guest")
    parser.add_argument("--programs", action="store_true",
                        help="programs will be run from a share")
    parser.add_argument("--stdio", action="store_true", help="the guest's console on this terminal")
    parser.add_argument("run", nargs="*", default=["hello"], metavar="SCRIPT [ARGUMENT]",
                        help="a script below guest/")
    args = parser.parse_args()
    Guest.accelerator = accelerator(args.accel, args.kernel)

    def pairs(words):
        return dict(word.split("=", 1) for word in words)

    def tell(line):
        if line != DONE:
            print(line, flush=True)

    device = {key: json.loads(value)
              for key, value in pairs(args.device).items()}
    shares = [Share(tag, directory, args.daemon, device)
              for tag, directory in pairs(args.share).items()]
    guest = Guest(args.kernel, shares, " ".join(args.run), args.logs, env=pairs(args.env),
                  images=args.images.split(","), smp=args.smp, limit=args.limit,
                  driver=args.driver, programs=args.programs,
                  console="stdio" if args.stdio else None,
                  on_line=None if args.stdio else tell)
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    if not args.stdio:
        signal.signal(signal.SIGINT, lambda *_: stopping.set())
    guest.run()
    for problem in guest.problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if guest.problems else 0


if __name__ == "__main__":
    sys.exit(main())
