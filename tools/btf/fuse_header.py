#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes the private header of a kernel's FUSE client, out of the types that the kernel says.

usage: fuse_header.py [--btf FILE] KERNEL-DIRECTORY OUTPUT-DIRECTORY

KERNEL-DIRECTORY is the one that modules are built in. It has the public headers, but not fs/fuse.
The compiler checks each offset, size and bit field of what is written here.
"""

import argparse
import os
import struct
import sys
import zlib

from btf import (ARRAY, CONST, ENUM, ENUM64, FLOAT, FUNC, FUNC_PROTO, FWD, INT, PTR, RESTRICT,
                 STRUCT, TYPEDEF, TYPE_TAG, UNION, VOLATILE, Failure)
from kernel import Kernel

# What the driver uses, and what only some kernels have of it
STRUCTS = ("fuse_in_arg", "fuse_arg", "fuse_args", "fuse_args_pages", "fuse_forget_link",
           "fuse_req", "fuse_io_args", "fuse_io_priv", "fuse_iqueue_ops", "fuse_iqueue", "fuse_inode", "fuse_mount", "fuse_conn",
           "fuse_fs_context", "fuse_submount_lookup")
SOME_STRUCTS = ("fuse_chan", "fuse_page_desc", "fuse_folio_desc")
ENUMS = ("fuse_req_flag",)
FUNCTIONS = ("fuse_len_args", "fuse_request_end", "fuse_simple_background", "fuse_conn_init",
             "fuse_free_conn", "fuse_send_init", "fuse_fill_super_common", "fuse_mount_remove",
             "fuse_mount_destroy", "fuse_conn_destroy", "fuse_init_fs_context_submount")
SOME_FUNCTIONS = ("fuse_get_unique", "fuse_request_assign_unique", "fuse_iqueue_init",
                  "fuse_chan_new", "fuse_dax_cancel_work", "fuse_vdax_cancel_work")

INCLUDES = ("backing-dev", "build_bug", "fs", "fs_context", "fuse", "idr", "kref", "list", "mm",
            "mount", "mutex", "pid_namespace", "rbtree", "refcount", "rwsem", "spinlock",
            "user_namespace", "wait", "workqueue")

# BTF has neither macros nor inline functions.
INLINES = """\
/* With no WRITE on its way, writectr of an inode whose WRITEs are kept back */
#define FUSE_NOWRITE	INT_MIN

/* Declared by all, and there in kernels that have DAX; then the BTF has to agree */
void fuse_dax_cancel_work(struct fuse_conn *fc);
void fuse_vdax_cancel_work(struct fuse_conn *fc);

static inline struct fuse_mount *get_fuse_mount_super(struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct fuse_mount *get_fuse_mount(struct inode *inode)
{
	return get_fuse_mount_super(inode->i_sb);
}

static inline struct fuse_conn *get_fuse_conn_super(struct super_block *sb)
{
	return get_fuse_mount_super(sb)->fc;
}

static inline struct fuse_conn *get_fuse_conn(struct inode *inode)
{
	return get_fuse_mount(inode)->fc;
}

static inline struct fuse_inode *get_fuse_inode(const struct inode *inode)
{
	return container_of(inode, struct fuse_inode, inode);
}

static inline u64 get_node_id(struct inode *inode)
{
	return get_fuse_inode(inode)->nodeid;
}
"""

WORDS = {STRUCT: "struct", UNION: "union", CONST: "const", VOLATILE: "volatile",
         RESTRICT: "restrict"}


def round_up(number, unit):
    return -(-number // unit) * unit


class Header:
    """C that is made of a kernel's types.

    types: definitions, each behind those that it has by value
    forward: what only pointers lead to
    checks: claims about them for the compiler
    bits: the same for bit fields: struct, member, offset and number of bits
    """

    def __init__(self, btf, public):
        self.btf = btf
        self.public = public
        self.types = []
        self.forward = set()
        self.checks = []
        self.bits = []
        self.defined = set()

    def is_private(self, name):
        return name.startswith("fuse_") and name not in self.public

    # Declarations

    def declare(self, number, name, whole=True, path=(), base=0):
        """A declaration of that name. If it is of a whole thing and not of a pointer to it, the
        types that it needs are defined. Path and base are for what is in a struct."""
        if not number:
            return f"void {name}".rstrip()
        kind = self.btf.type(number).kind
        of = self.btf.type(number).size
        if kind == TYPE_TAG:
            return self.declare(of, name, whole, path, base)
        if kind in (CONST, VOLATILE, RESTRICT):
            return self.declare_qualified(number, name, whole, path, base)
        if kind == PTR:
            target = self.btf.plain(of)
            in_brackets = target and self.btf.type(target).kind in (ARRAY, FUNC_PROTO)
            return self.declare(of, f"(*{name})" if in_brackets else f"*{name}", False)
        if kind == ARRAY:
            element, _, count = self.btf.unpack(number, "III")
            return self.declare(element, f"{name}[{count}]", whole)
        if kind == FUNC_PROTO:
            parameters = [self.declare(one, word, False) if one else "..."
                          for word, one in self.btf.parameters(number)]
            return self.declare(of, f"{name}({', '.join(parameters) or 'void'})", False)
        return f"{self.specifier(number, whole, path, base)} {name}".rstrip()

    def declare_qualified(self, number, name, whole, path, base):
        one = self.btf.type(number)
        word = WORDS[one.kind]
        target = self.btf.plain(one.size)
        if target and self.btf.type(target).kind == PTR:
            return self.declare(one.size, f"{word} {name}".rstrip(), whole, path, base)
        return f"{word} {self.declare(one.size, name, whole, path, base)}"

    def specifier(self, number, whole, path, base):
        kind, name = self.btf.type(number).kind, self.btf.name(number)
        if kind in (STRUCT, UNION):
            if not name:
                return self.body(number, path, base)
            if whole:
                self.define(number)
            else:
                self.forward.add(f"{WORDS[kind]} {name}")
            return f"{WORDS[kind]} {name}"
        if kind == FWD:
            self.forward.add(f"{'union' if self.btf.type(number).flag else 'struct'} {name}")
            return f"{'union' if self.btf.type(number).flag else 'struct'} {name}"
        if kind in (ENUM, ENUM64):
            if not name:
                return "enum { " + ", ".join(f"{v} = {n}" for v, n in self.btf.values(number)) + " }"
            self.define(number)
            return f"enum {name}"
        if kind == TYPEDEF:
            self.define(number)
        if kind in (INT, FLOAT, TYPEDEF):
            return name
        raise Failure(f"the kernel's BTF has a type of kind {kind} where none is expected")

    # Definitions

    def define(self, number):
        """Define what is private to the FUSE client, once."""
        kind, name = self.btf.type(number).kind, self.btf.name(number)
        if not self.is_private(name) or number in self.defined:
            return
        self.defined.add(number)
        if kind == TYPEDEF:
            text = "typedef " + self.declare(self.btf.type(number).size, name)
        elif kind in (ENUM, ENUM64):
            values = "".join(f"\t{word} = {value},\n" for word, value in self.btf.values(number))
            text = f"enum {name} {{\n{values}}}"
        else:
            text = self.body(number, (name,), 0) + " __no_randomize_layout"
            self.checks.append(f"sizeof({WORDS[kind]} {name}) == {self.btf.type(number).size}")
        self.types.append(text + ";\n")

    def body(self, number, path, base):
        """A struct or union with its members. What they are in, and where in bits, if checked."""
        one, name = self.btf.type(number), self.btf.name(number)
        lines = [f"{WORDS[one.kind]} {name}".rstrip() + " {"]
        end = 0
        for member, kind, offset, bits in self.btf.members(number):
            size, _ = self.btf.layout(kind)
            inner = (*path, member) if path and member else path
            if one.kind == STRUCT:
                lines += self.gap(".".join(inner or (member,)), end, offset, kind, bits)
            text = self.declare(kind, member, True, inner, base + offset)
            lines += f"{text}{f':{bits}' if bits else ''};".split("\n")
            if path and member:
                self.check(inner, base + offset, bits, size)
            end = offset + (bits or 8 * size)
        if one.kind == STRUCT:
            lines += self.padding(round_up(end, 8 * self.btf.layout(number)[1]), end, 8 * one.size)
        return "\n\t".join(lines) + "\n}"

    def gap(self, what, end, offset, kind, bits):
        """What is to be put before a member, so that it comes where it is in the kernel."""
        size, align = self.btf.layout(kind)
        natural = end if bits else round_up(end, 8 * align)
        # A bit field does not go over the end of what its type has room for
        if bits and end // (8 * size) != (end + bits - 1) // (8 * size):
            natural = round_up(end, 8 * size)
        if offset < end:
            raise Failure(f"{what} of the FUSE client overlaps what is before it")
        if offset < natural:
            raise Failure(f"{what} of the FUSE client is packed, which is not understood here")
        return self.padding(natural, end, offset)

    @staticmethod
    def padding(natural, end, offset):
        if offset == natural:
            return []
        # An alignment, which BTF does not say
        bits = -end % 8
        lines = [f"unsigned char :{bits};"] if bits else []
        count = (offset - end - bits) // 8
        lines += [f"unsigned char __pad{end}[{count}];"] if count else []
        rest = (offset - end - bits) % 8
        return lines + ([f"unsigned char :{rest};"] if rest else [])

    def check(self, path, offset, bits, size):
        struct_name, member = path[0], ".".join(path[1:])
        if bits:
            if offset % 8 + bits > 8:
                raise Failure(f"the bit field {'.'.join(path)} of the FUSE client is longer than a "
                              "byte, which is not understood here")
            self.bits.append((struct_name, member, offset, bits))
            return
        self.checks.append(f"offsetof(struct {struct_name}, {member}) == {offset // 8}")
        self.checks.append(f"sizeof_field(struct {struct_name}, {member}) == {size}")

    # What is used

    def find(self, kinds, names, some=()):
        """The types of these names, without those of the second that there are not."""
        for name in (*names, *some):
            number = self.btf.find(kinds, name)
            if number:
                yield name, number
            elif name in names:
                what = name + "()" if FUNC in kinds else f"{WORDS.get(kinds[0], 'enum')} {name}"
                raise Failure(f"{what} is not in the BTF of this kernel, so its FUSE client is none "
                              "that this driver knows")

    def text(self):
        """The header, with all that the driver uses."""
        structs = dict(self.find((STRUCT,), STRUCTS, SOME_STRUCTS))
        for number in (*structs.values(), *dict(self.find((ENUM, ENUM64), ENUMS)).values()):
            self.define(number)
        functions = [self.declare(self.btf.type(number).size, name, False)
                     for name, number in self.find((FUNC,), FUNCTIONS, SOME_FUNCTIONS)]
        return "\n".join((
            "/* Made from the kernel's BTF by fuse_header.py */",
            "#ifndef _FS_FUSE_I_H", "#define _FS_FUSE_I_H", "",
            *(f"#include <linux/{name}.h>" for name in INCLUDES), "",
            *(f"{name};" for name in sorted(self.forward)), "",
            *self.types,
            *(f"{function};" for function in functions), "",
            INLINES,
            *(f"static_assert({check});" for check in self.checks), "",
            "#define FUSE_BTF_BITS(check) \\",
            *(f"\tcheck({', '.join(map(str, one))}) \\" for one in self.bits), "",
            "#endif", ""))


def write(path, text):
    """Write a file, but leave it alone if it is the same, for make's sake."""
    try:
        with open(path) as file:
            if file.read() == text:
                return
    except OSError:
        pass
    with open(path, "w") as file:
        file.write(text)


def make(kernel, given):
    """What the files have that the driver includes."""
    public = kernel.uapi()
    btf, blobs, own = kernel.types(given)
    header = Header(btf, public).text()
    if given and os.path.exists(kernel.own) and \
            Header(kernel.types(kernel.own)[0], public).text() != header:
        raise Failure(f"{given} is of another kernel than {kernel.kdir}")
    running = kernel.running_types()
    if running and Header(running, public).text() != header:
        said = f"the Linux {kernel.release} that runs is another build than"
        if not own:
            raise Failure(f"{said} what was found of it: reboot first")
        print(f"note: {said} its headers: reboot first, before the module is loaded",
              file=sys.stderr)
    built = "".join(f'\t{{ "/sys/kernel/btf/{name}", {zlib.crc32(blob):#010x} }}, \\\n'
                    for name, blob in blobs)
    return {"fuse_i.h": header,
            "fuse_btf.h": f"/* Made from the kernel's BTF by fuse_header.py */\n"
                          f"#define FUSE_BTF_OF_HEADERS {own:d}\n"
                          f"#define FUSE_BTF_FILES \\\n{built}\n",
            # All is in the first, but here the Makefile looks for this
            "dev.h": "/* fuse_chan_new() */\n" if "fuse_chan_new(" in header else "",
            "fuse_dev_i.h": ""}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--btf", help="a file with the kernel's BTF")
    parser.add_argument("kdir", help="the directory that modules are built in")
    parser.add_argument("output", help="the directory to write to")
    asked = parser.parse_args()
    try:
        files = make(Kernel(asked.kdir), asked.btf)
        os.makedirs(asked.output, exist_ok=True)
        for name, text in files.items():
            write(f"{asked.output}/{name}", text)
    except (Failure, OSError) as failure:
        sys.exit(f"error: {failure}")
    except (IndexError, ValueError, struct.error, AttributeError, RecursionError):
        sys.exit(f"error: the BTF of Linux in {asked.kdir} is damaged")


if __name__ == "__main__":
    main()
