# SPDX-License-Identifier: GPL-2.0
"""Where the BTF of a kernel is, and the headers that it comes with."""

import glob
import lzma
import os
import re
import shutil
import struct
import subprocess
import zlib

from btf import Btf, Failure, content

RUNNING = "/sys/kernel/btf/"

# What a compressed file begins with, and what unpacks it from its standard input
PROGRAMS = {b"\x28\xb5\x2f\xfd": "zstd", b"\x02\x21\x4c\x18": "lz4", b"\x04\x22\x4d\x18": "lz4"}


def unpack(blob, path):
    """What is compressed in a file; the file itself if nothing is."""
    try:
        if blob.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=31).decompress(blob)
        if blob.startswith(b"\xfd7zXZ\x00"):
            return lzma.LZMADecompressor().decompress(blob)
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise Failure(f"{path} cannot be unpacked: {error}") from None
    program = PROGRAMS.get(blob[:4])
    if not program:
        return blob
    if not shutil.which(program):
        raise Failure(f"{path} is compressed: install {program}")
    # What follows it is no error here: an image has its size there
    made = subprocess.run([program, "-dc"], input=blob, capture_output=True, check=False)
    if not made.stdout:
        raise Failure(f"{path} cannot be unpacked by {program}")
    return made.stdout


def payload(blob):
    """The compressed kernel in an image for x86; the file itself if it is none."""
    if blob[0x202:0x206] != b"HdrS":
        return blob
    setup, = struct.unpack_from("<B", blob, 0x1f1)
    start, length = struct.unpack_from("<II", blob, 0x248)
    start += (setup + 1) * 512
    return blob[start:start + length]


def read(path):
    """The BTF in a file, whatever it is packed in, or None."""
    with open(path, "rb") as file:
        blob = file.read()
    return content(unpack(payload(blob), path), path)


def first(paths):
    """The first of these files in which there is BTF: what it has and its path, or None."""
    for path in paths:
        if os.path.exists(path):
            blob = read(path)
            if blob:
                return blob, path
    return None


class Kernel:
    """A kernel to build for, from the directory that modules are built in."""

    def __init__(self, kdir):
        self.kdir = kdir
        try:
            # Debian 12 has something else in include/config/kernel.release
            with open(f"{kdir}/include/generated/utsrelease.h") as file:
                self.release = "".join(re.findall(r'UTS_RELEASE "(.*)"', file.read()))
            with open(f"{kdir}/include/config/auto.conf") as file:
                self.config = dict(re.findall(r"^(CONFIG_\w+)=(.*)$", file.read(), re.M))
        except OSError:
            raise Failure(f"{kdir} is no configured kernel: install your kernel's headers package") \
                from None
        self.runs = self.release == os.uname().release
        # Where the headers come with the BTF
        self.own = f"{kdir}/vmlinux"

    def sources(self):
        """Directories of which the build takes public headers."""
        yield self.kdir
        try:
            with open(f"{self.kdir}/Makefile") as file:
                found = re.findall(r"^include\s+(\S+)/Makefile$", file.read(), re.M)
        except OSError:
            found = []
        yield from found
        yield f"{self.kdir}/source"

    def uapi(self):
        """The names of the FUSE protocol's own types, which are public."""
        for source in self.sources():
            path = f"{source}/include/uapi/linux/fuse.h"
            if os.path.exists(path):
                with open(path) as file:
                    return set(re.findall(r"^(?:struct|union|enum) (\w+) \{", file.read(), re.M))
        raise Failure(f"include/uapi/linux/fuse.h is not in {self.kdir}, nor where that points to")

    def find(self, given):
        """The kernel's BTF and the file that it is of."""
        if given:
            found = first([given])
            if not found:
                raise Failure(f"there is no BTF in {given}")
            return found
        # What runs may be older than what is installed under the same name
        running = [RUNNING + "vmlinux"] if self.runs else []
        found = first([self.own, f"/boot/vmlinuz-{self.release}",
                       f"/lib/modules/{self.release}/vmlinuz", *running])
        if not found:
            raise Failure(f"no BTF of Linux {self.release} was found: give KSRC=DIR, the kernel's "
                          "source, or BTF=FILE, its vmlinux")
        return found

    def find_module(self):
        """The same for the FUSE client, where that is a module."""
        modules = f"/lib/modules/{self.release}"
        running = [RUNNING + "fuse"] if self.runs else []
        found = first([*glob.glob(modules + "/kernel/fs/fuse/fuse.ko*"), *running])
        if not found:
            raise Failure(f"fuse.ko is not in {modules}, or has no BTF: install Linux "
                          f"{self.release} itself, not its headers alone")
        return found

    def types(self, given):
        """All types; for each file that they are of the name in /sys/kernel/btf and its BTF; and
        whether they come with the headers."""
        blob, path = self.find(given)
        btf, files, own = Btf(blob, path), [("vmlinux", blob)], path == self.own
        if self.config.get("CONFIG_FUSE_FS") == "m":
            blob, path = self.find_module()
            btf, own = Btf(blob, path, btf), False
            files.append(("fuse", blob))
        return btf, files, own

    def running_types(self):
        """The types of the running kernel, if it is this one and says them, or None."""
        if not self.runs or not os.path.exists(RUNNING + "vmlinux"):
            return None
        btf = Btf(read(RUNNING + "vmlinux"), RUNNING + "vmlinux")
        if self.config.get("CONFIG_FUSE_FS") != "m":
            return btf
        if not os.path.exists(RUNNING + "fuse"):
            return None
        return Btf(read(RUNNING + "fuse"), RUNNING + "fuse", btf)
