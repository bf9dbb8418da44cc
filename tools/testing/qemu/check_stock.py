# SPDX-License-Identifier: GPL-2.0
"""The scenarios of kernels as Debian has them: built for without their source, and loaded."""

import os
import re
import shutil
import subprocess
import sys

import guest
from check_host import SOURCE, command, refused_because, write
from check_package import package
from scenario import scenario

sys.path.insert(0, SOURCE + "/tools/btf")

import btf  # noqa: E402
import kernel as btf_kernel  # noqa: E402

# What the packages of a kernel have in /usr is there for the command behind it.
WITH_PACKAGES = ["unshare", "--mount", "--propagation", "unchanged",
                 SOURCE + "/tools/testing/root/with-packages.sh"]


class Stock:
    """A stock kernel that was unpacked, and the driver that was built for it."""

    def __init__(self, test):
        self.log = test.log_dir + "/build.log"
        self.tree = f"{guest.CACHE}/linux/{test.kernel}"
        self.release = os.listdir(self.tree + "/install/lib/modules")[0]
        self.kdir = f"/usr/src/linux-headers-{self.release}"
        # Where its BTF is: with its headers, or in its image, and then that of fuse.ko is apart
        self.has_own = os.path.exists(f"{self.tree}/root{self.kdir}/vmlinux")
        self.btf = f"{self.tree}/root{self.kdir}/vmlinux" if self.has_own else \
            f"{self.tree}/arch/x86/boot/bzImage"
        self.source = f"{guest.CACHE}/linux/{test.kernel.partition('-')[0]}"
        self.built = f"{guest.CACHE}/module/{test.kernel}"
        self.module, = (name for name in os.listdir(self.built) if name.endswith(".ko"))

    def run(self, *words):
        return command([*WITH_PACKAGES, self.tree + "/root", *words], self.log)

    def copy(self, path):
        """The driver's sources, with nothing that was built."""
        shutil.copytree(self.built, path, ignore=shutil.ignore_patterns(
            "*.o", "*.ko", "*.mod*", ".*", "out"))
        return path

    def make(self, path, *words):
        return self.run("make", "-C", path, f"KDIR={self.kdir}", "VERSION=1.0", *words)


def code_of(path):
    """The machine code of an object file, without what a compiler counts, and where among
    the strings one is: the real header has inline functions that nothing calls, with strings."""
    said = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", path], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return re.sub(r"__UNIQUE_ID_\w+|(?<=\.rodata\.str)\S+|<\S+>$", "", said.split("\n", 3)[3],
                  flags=re.M)


def glue_objects(path):
    return sorted(name for name in ["fuse_glue.o", *(f"fuse/{one}" for one in os.listdir(path + "/fuse"))]
                  if name.endswith(".o") and name != "fuse/btf.o")


def same_code(test, one):
    """The header that is made is as good as the kernel's own."""
    other = one.copy(test.work + "/with-source")
    code, said = one.make(other, "modules", f"KSRC={one.source}")
    if code and "is the source of Linux" in said:
        test.skip("machine_code_is_the_same", "the kernel's source is of another version")
        return
    test.claim("driver_is_built_with_the_kernels_source", not code, said[-300:])
    names = glue_objects(other)
    test.claim_equal("both_have_the_same_objects", glue_objects(one.built), names)
    test.claim_at_least("there_are_objects_to_compare", len(names), 10)
    test.claim_equal("machine_code_is_the_same",
                     [name for name in names
                      if code_of(f"{other}/{name}") != code_of(f"{one.built}/{name}")], [])


def changed(blob, types, struct_name, member, shift):
    """BTF in which a member of a struct is so many bits further."""
    number = types.find((btf.STRUCT,), struct_name)
    at = types.type(number).at - len(types.data)
    for i, (name, _, _, _) in enumerate(types.members(number)):
        if name == member:
            at += 12 * i + 8
    # The types are followed by the strings.
    at += len(blob) - len(types.strings)
    offset = int.from_bytes(blob[at:at + 4], "little") + shift
    return blob[:at] + offset.to_bytes(4, "little") + blob[at + 4:]


def refusals(test, one):
    """What no header is made from, and what is said then."""
    blob = btf_kernel.read(one.btf)
    types = btf.Btf(blob, "vmlinux")
    first = len(blob) - len(types.strings) - len(types.data)
    cases = {
        "what_is_no_btf": (b"nothing", "there is no BTF in"),
        "btf_that_is_cut_off": (blob[:len(blob) // 2], "is cut off"),
        "big_endian": (b"\x7fELF\x02\x02" + bytes(100), "not of 64 bits and little-endian"),
        "unknown_kind": (blob[:first + 7] + b"\x1f" + blob[first + 8:], "is not known here"),
        "compressed_nonsense": (b"\x28\xb5\x2f\xfd" + bytes(50), "zstd"),
    }
    # What is wrong with the FUSE client's types, where these are in the same file
    if one.has_own:
        cases |= wrong_types(blob, types)
    for name, (content, wanted) in cases.items():
        path = f"{test.work}/{name}/vmlinux"
        write(path)
        with open(path, "wb") as file:
            file.write(content)
        code, said = one.run(SOURCE + "/tools/btf/fuse_header.py", "--btf", path, one.kdir,
                             test.work + "/made")
        test.claim(f"{name}_is_refused", refused_because(code, said, wanted), said)
    test.claim("nothing_is_made_then", not os.path.exists(test.work + "/made"))


def wrong_types(blob, types):
    return {
        "missing_struct": (blob.replace(b"\0fuse_iqueue\0", b"\0fuse_iqueuX\0"),
                           "struct fuse_iqueue is not in the BTF"),
        "missing_function": (blob.replace(b"\0fuse_len_args\0", b"\0fuse_len_argX\0"),
                             "fuse_len_args() is not in the BTF"),
        "packed_member": (changed(blob, types, "fuse_arg", "value", -16), "is packed"),
        "member_that_overlaps": (changed(blob, types, "fuse_arg", "value", -64), "overlaps"),
        "btf_of_another_kernel": (blob.replace(b"\0writectr\0", b"\0writectX\0"),
                                  "is of another kernel than"),
    }


def altered_header(test, one):
    """The compiler finds what is not as the kernel has it."""
    path = one.copy(test.work + "/altered")
    made = f"{test.work}/headers"
    shutil.copytree(f"{one.built}/out/btf/{one.release}", made)
    with open(made + "/fuse_i.h") as file:
        good = file.read()
    alterations = {
        "bit_field_too_many": ("struct fuse_conn {(.*?)\n(\tunsigned int \\w+:1;)",
                               "struct fuse_conn {\\1\n\tunsigned int bogus:1;\n\\2"),
        "member_too_many": ("struct fuse_inode {\n", "struct fuse_inode {\n\tlong bogus;\n"),
        "member_too_long": ("struct fuse_in_arg {\n\tunsigned int size;",
                            "struct fuse_in_arg {\n\tunsigned long size;"),
    }
    build = ["make", "-C", one.kdir, f"M={path}", f"VIRTIOFS_FUSE_SRC={made}", "fuse/btf.o"]
    code, said = one.run(*build)
    test.claim("header_is_taken_as_it_is", not code, said[-300:])
    for name, (what, by) in alterations.items():
        bad, number = re.subn(what, by, good, count=1, flags=re.S)
        write(made + "/fuse_i.h", bad)
        code, _ = one.run(*build)
        test.claim(f"{name}_is_found_by_the_compiler", number and code)


def running_kernel(test, one):
    """Headers of another build than the one that runs."""
    blob = btf_kernel.read(one.btf)
    renamed = blob.replace(b"\0writectr\0", b"\0writectX\0")
    program = """import os, sys
sys.path.insert(0, sys.argv[1])
import fuse_header, kernel
kernel.RUNNING = sys.argv[2] + "/"
one = kernel.Kernel(sys.argv[3])
one.runs = True
if sys.argv[4] == "image":
    # As if the headers came without
    found = kernel.read(one.own)
    one.find = lambda given: (found, "image")
try:
    fuse_header.make(one, None)
except kernel.Failure as failure:
    sys.exit(f"error: {failure}")
"""
    def made(name, content, source):
        path = f"{test.work}/{name}-{source}"
        write(path + "/vmlinux")
        with open(path + "/vmlinux", "wb") as file:
            file.write(content)
        return one.run(sys.executable, "-B", "-c", program, SOURCE + "/tools/btf", path, one.kdir, source)

    for source in ("headers", "image"):
        code, said = made("same", blob, source)
        test.claim(f"build_that_runs_is_taken_by_its_{source}", not code and not said, said)
    code, said = made("other", renamed, "headers")
    test.claim("headers_of_another_build_than_the_running_one_need_a_reboot",
               not code and "reboot first" in said, said)
    code, said = made("other", renamed, "image")
    test.claim("image_of_another_build_than_the_running_one_is_refused",
               refused_because(code, said, "reboot first"), said)


@scenario("btf", ours=True, stock=True)
def btf_headers(test):
    """The FUSE client's private header, made from the kernel's BTF."""
    one = Stock(test)
    same_code(test, one)
    refusals(test, one)
    altered_header(test, one)
    if one.has_own:
        running_kernel(test, one)


def dkms(test, one):
    """What DKMS runs, with what the package brings."""
    code, said = command(["dpkg-deb", "-x", package(test, "1.2"), test.work + "/package"], one.log)
    test.claim("package_is_unpacked", not code, said)
    source = f"{test.work}/package/usr/src/virtiofs-1.2"
    code, said = one.run("sh", "-c", 'cd "$0" && exec ./dkms-build.sh "$1" 1.2', source, one.kdir)
    test.claim("package_builds_without_the_kernels_source", not code, said[-300:])
    _, version = command(["modinfo", "-F", "version", f"{source}/{one.module}"], one.log)
    test.claim_equal("module_has_the_packages_version", version.strip(), "1.2")


@scenario("stock", ours=True, stock=True)
def stock(test):
    """The module takes the place of a driver that is built in, if that was left out."""
    one = Stock(test)
    # As if it had been built for another build of this kernel
    other = one.copy(test.work + "/other-build")
    made = test.work + "/headers"
    shutil.copytree(f"{one.built}/out/btf/{one.release}", made)
    with open(made + "/fuse_btf.h") as file:
        text = file.read()
    write(made + "/fuse_btf.h", re.sub("0x[0-9a-f]{8}", "0x12345678", text))
    code, said = one.run("make", "-C", one.kdir, f"M={other}", f"VIRTIOFS_FUSE_SRC={made}", "modules")
    test.claim("other_build_is_made", not code, said[-300:])
    states = test.directory("states")
    os.mkdir(states + "/other")
    shutil.copy(f"{other}/{one.module}", states + "/other")
    with open(states + ".cpio", "wb") as archive:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=states, check=True,
                       input=f"other\nother/{one.module}\n".encode(), stdout=archive)
    dkms(test, one)
    directory = test.directory()
    write(directory + "/file", "here\n")
    test.boot("stock", [guest.Share("myfs", directory)], images=("base", states),
              env={"expect_log": "built for another build"})
