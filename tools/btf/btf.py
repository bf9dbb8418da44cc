# SPDX-License-Identifier: GPL-2.0
"""Reads BTF, the types that a kernel says of itself. Knows nothing of FUSE.

See Documentation/bpf/btf.rst of the kernel for the format. The only dependency is Python 3.9.
"""

import struct

(VOID, INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC,
 FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64) = range(20)

# Bytes behind a type: so many, and so many for each of its members
EXTRA = {INT: (4, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8),
         FUNC_PROTO: (0, 8), VAR: (4, 0), DATASEC: (0, 12), DECL_TAG: (4, 0), ENUM64: (0, 12)}

QUALIFIERS = (VOLATILE, CONST, RESTRICT, TYPE_TAG)
NAMED = (STRUCT, UNION, ENUM, ENUM64, FUNC, TYPEDEF)

MAGIC = b"\x9f\xeb\x01"


class Failure(Exception):
    """What a person is told, in one line."""


def elf_section(blob, wanted, path):
    """The content of a section of an ELF file, or None."""
    if blob[4:6] != b"\x02\x01":
        raise Failure(f"{path} is not of 64 bits and little-endian: its BTF is not understood")
    offset, = struct.unpack_from("<Q", blob, 40)
    size, number, names = struct.unpack_from("<HHH", blob, 58)
    sections = [struct.unpack_from("<IIQQQQ", blob, offset + i * size) for i in range(number)]
    strings = sections[names][4]
    for name, kind, _, _, start, length in sections:
        end = blob.index(b"\0", strings + name)
        # Of the kind "no bits" there is none in the file
        if blob[strings + name:end] == wanted.encode() and kind != 8:
            return blob[start:start + length]
    return None


def content(blob, path):
    """The BTF in a file's content: an ELF file, or BTF as /sys/kernel/btf has it. Or None."""
    if blob.startswith(MAGIC):
        return blob
    if blob.startswith(b"\x7fELF"):
        return elf_section(blob, ".BTF", path)
    return None


class Type:
    """A type: its kind, the offset of its name, and what the format has of it."""

    __slots__ = ("kind", "name", "flag", "number", "size", "at")

    def __init__(self, name, info, size, at):
        self.kind = info >> 24 & 0x1f
        self.number = info & 0xffff
        self.flag = info >> 31
        self.name = name
        # Of a pointer, a function and a qualifier: the type that it is made from
        self.size = size
        self.at = at


class Btf:
    """All types of a kernel; those of a module go on where those of the kernel, its @base, end."""

    def __init__(self, blob, path, base=None):
        try:
            magic, version, _, head, types, types_size, strings, strings_size = \
                struct.unpack_from("<HBBIIIII", blob)
        except struct.error:
            raise Failure(f"the BTF of {path} is cut off") from None
        if (magic, version) != (0xeb9f, 1):
            raise Failure(f"the BTF of {path} is not of version 1 and little-endian")
        self.data = blob[head + types:head + types + types_size]
        self.strings = blob[head + strings:head + strings + strings_size]
        if len(self.data) != types_size or len(self.strings) != strings_size:
            raise Failure(f"the BTF of {path} is cut off")
        self.base = base
        self.first_id = base.first_id + len(base.types) if base else 1
        self.first_string = base.first_string + len(base.strings) if base else 0
        self.types = []
        self.index = {}
        self.read(path)

    def read(self, path):
        at = 0
        while at < len(self.data):
            name, info, size = struct.unpack_from("<III", self.data, at)
            one = Type(name, info, size, at + 12)
            if not VOID < one.kind <= ENUM64 or info & 0x60ff0000:
                raise Failure(f"the BTF of {path} has a kind of type ({info:#x}) that is not known here")
            if name and one.kind in NAMED:
                key = one.kind, self.string(name)
                self.index.setdefault(key, []).append(self.first_id + len(self.types))
            self.types.append(one)
            once, each = EXTRA.get(one.kind, (0, 0))
            at += 12 + once + each * one.number

    def string(self, offset):
        if offset < self.first_string:
            return self.base.string(offset)
        offset -= self.first_string
        return self.strings[offset:self.strings.index(b"\0", offset)].decode()

    def owner(self, number):
        return self if number >= self.first_id else self.base.owner(number)

    def type(self, number):
        owner = self.owner(number)
        return owner.types[number - owner.first_id]

    def name(self, number):
        owner = self.owner(number)
        return owner.string(owner.types[number - owner.first_id].name)

    def unpack(self, number, form, offset=0):
        owner = self.owner(number)
        return struct.unpack_from("<" + form, owner.data, self.type(number).at + offset)

    def members(self, number):
        """Of a struct or union: name, type, offset in bits, and bits of a bit field or 0."""
        owner, one = self.owner(number), self.type(number)
        for i in range(one.number):
            name, kind, offset = self.unpack(number, "III", 12 * i)
            bits = 0
            if one.flag:
                bits, offset = offset >> 24, offset & 0xffffff
            yield owner.string(name), kind, offset, bits

    def parameters(self, number):
        """Of a function's type: name and type; both empty for what is left open."""
        owner = self.owner(number)
        for i in range(self.type(number).number):
            name, kind = self.unpack(number, "II", 8 * i)
            yield owner.string(name), kind

    def values(self, number):
        """Of an enum: name and value."""
        owner, one = self.owner(number), self.type(number)
        for i in range(one.number):
            if one.kind == ENUM64:
                name, low, high = self.unpack(number, "III", 12 * i)
                yield owner.string(name), high << 32 | low
            else:
                name, value = self.unpack(number, "Ii" if one.flag else "II", 8 * i)
                yield owner.string(name), value

    def find(self, kinds, name):
        """The type of that name, or None."""
        found = [number for kind in kinds for number in self.index.get((kind, name), [])]
        if not found and self.base:
            return self.base.find(kinds, name)
        if len(found) > 1:
            raise Failure(f"{name} means {len(found)} things in the kernel's BTF")
        return found[0] if found else None

    def plain(self, number, through=QUALIFIERS):
        """The type without its qualifiers."""
        while number and self.type(number).kind in through:
            number = self.type(number).size
        return number

    def layout(self, number):
        """Size and lowest alignment, in bytes."""
        number = self.plain(number, (*QUALIFIERS, TYPEDEF))
        if not number:
            return 0, 1
        one = self.type(number)
        if one.kind == PTR:
            return 8, 8
        if one.kind == ARRAY:
            element, _, count = self.unpack(number, "III")
            size, align = self.layout(element)
            return size * count, align
        if one.kind in (STRUCT, UNION):
            return one.size, max([self.layout(kind)[1] for _, kind, _, _ in self.members(number)],
                                 default=1)
        if one.kind in (INT, ENUM, ENUM64, FLOAT):
            return one.size, one.size
        raise Failure(f"the type {self.name(number) or number} of the kernel's BTF has no size")
