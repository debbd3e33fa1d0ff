"""Reads ELF files: what kind of program one is, and which libraries it needs. From the specification of ELF, parts 1 and 2."""

import struct

EM_386 = 3
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH, DT_FLAGS_1 = 0, 1, 5, 15, 29, 0x6FFFFFFB
DF_1_PIE = 0x08000000  # of DT_FLAGS_1: a program, not a library

START = 256  # bytes that tell what kind of file it is

HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
PROGRAM_HEADER = struct.Struct("<IIIIIIII")
DYNAMIC = struct.Struct("<iI")


class NotAProgram(Exception):
    """The file is not an i386 ELF file. The text says what it is instead, and what to do."""


class Elf:
    """An i386 ELF file: its type, interpreter ("" if it has none), needed libraries, and the folders in which it looks for them."""

    def __init__(self, path):
        self.interpreter, self.needed, self.folders, self.is_pie = "", [], [], False
        with path.open("rb") as file:
            start = file.read(START)
            check_kind(start)
            self.data = start + file.read()
        try:
            self.read_headers()
        except (struct.error, ValueError):
            raise NotAProgram("is a damaged ELF file: its headers point past its end") from None

    def read_headers(self):
        header = HEADER.unpack_from(self.data)
        self.type, offset, size, count = header[1], header[5], header[9], header[10]
        segments = [PROGRAM_HEADER.unpack_from(self.data, offset + n * size) for n in range(count)]
        self.loads = [segment for segment in segments if segment[0] == PT_LOAD]
        for kind, start, _, _, length, *_ in segments:
            if kind == PT_INTERP:
                self.interpreter = self.string(start)
            elif kind == PT_DYNAMIC:
                self.read_dynamic(start, length)

    def read_dynamic(self, start, length):
        entries = []
        for at in range(start, start + length, DYNAMIC.size):
            entries.append(DYNAMIC.unpack_from(self.data, at))
            if entries[-1][0] == DT_NULL:
                break
        strings = next((self.offset(value) for tag, value in entries if tag == DT_STRTAB), 0)
        for tag, value in entries:
            if tag == DT_NEEDED:
                self.needed.append(self.string(strings + value))
            elif tag in (DT_RPATH, DT_RUNPATH):
                self.folders += [folder for folder in self.string(strings + value).split(":") if folder]
            elif tag == DT_FLAGS_1:
                self.is_pie = bool(value & DF_1_PIE)

    def offset(self, address):
        """Returns where in the file the byte is that is loaded at this address."""
        for _, offset, virtual, _, length, *_ in self.loads:
            if virtual <= address < virtual + length:
                return address - virtual + offset
        raise ValueError

    def string(self, start):
        return self.data[start : self.data.index(b"\0", start)].decode(errors="surrogateescape")

    def check_program(self):
        """Raises NotAProgram if a kernel cannot start the file."""
        if self.type == ET_DYN and not self.interpreter and not self.is_pie:
            raise NotAProgram("is a shared library, not a program")
        if self.type not in (ET_EXEC, ET_DYN):
            raise NotAProgram("is an object file or a core dump, not a program; link it first")


def check_kind(data):
    if data[:2] == b"#!":
        program = data[2:200].split(b"\n")[0].decode(errors="replace").strip()
        raise NotAProgram(f"is a script for {program}; name that program with APP=, and put the script into the folder of FILES=")
    if data[:4] != b"\x7fELF":
        raise NotAProgram("is not a program: an i386 ELF file is needed")
    if data[4:5] == b"\x02":
        raise NotAProgram("is a 64-bit program; Sluice runs 32-bit ones, so compile it for i386 (i686-linux-gnu-gcc, gcc -m32 or GOARCH=386)")
    if len(data) < HEADER.size or data[5] != 1 or HEADER.unpack_from(data)[2] != EM_386:
        raise NotAProgram("is a program for another CPU; compile it for i386 (i686-linux-gnu-gcc)")
