"""Builds: the kernel with a student's files, and the programs that contain them.

Everything but the lab's own files comes from the reference tree, with the objects that are built there
already. So only what the student changed is compiled, and no file of a submission can replace a test.
"""

import fcntl
import hashlib
import importlib.machinery
import importlib.util
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = ["boot", "kernel", "mm", "fs", "drivers", "net", "lib", "vdso", "tools", "Makefile", "linker.ld"]
OBJECTS = SOURCES[:8] + ["names"]
COMPILER_LINES = 20
CROSS = "i686-linux-gnu-"
# The explorer keeps pages where the kernel has them. In a guest these addresses are the guest kernel's own.
POOL_HERE, POOL_IN_GUEST = "0xc0000000u", "0x80000000u"
POOL_FILES = ["mm/direct_map.h", "tests/explore/explore.h"]


class BuildFailed(Exception):
    """Its text is what the compiler said, cut to a screen."""


def limits():
    """A source can make a compiler eat all of the memory or the disk."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (120, 130))
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 20, 256 << 20))


def step(argv, where, seconds=240):
    argv = [str(word) for word in argv]
    try:
        done = subprocess.run(
            argv, cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=seconds, preexec_fn=limits,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"{argv[0]} did not end within {seconds} s")
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise BuildFailed(first_lines(text, where))
    return text


def first_lines(text, where):
    """Returns the compiler's errors first, with paths as the student knows them."""
    text = text.replace(str(where) + "/", "")
    lines = [line[:200] for line in text.splitlines() if not line.startswith("make")]
    errors = [at for at, line in enumerate(lines) if re.search(r"\berror:|undefined reference|multiple definition", line)]
    start = max(0, errors[0] - 1) if errors else 0
    if not errors:  # make may still know which command has failed, and by which signal
        lines += [line[:200] for line in text.splitlines() if line.startswith("make") and "***" in line]
    return "\n".join(lines[start : start + COMPILER_LINES]) or "make failed and said nothing"


def copy(names, source, target):
    present = [source / name for name in names if (source / name).exists()]
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", *map(str, present), str(target)], check=True)


def overlay(tree, texts):
    """Writes the files that differ. An object of a file that does not is not made again."""
    for path, text in texts.items():
        if (tree / path).read_text() != text:
            (tree / path).write_text(text)


def kernel_tree(lab, texts, tree, patch=None):
    """Makes a tree with the reference's sources and objects, and the student's files."""
    copy(SOURCES, lab.top, tree)
    copy(OBJECTS, lab.top / "build", tree / "build")
    copy(["unit"], lab.top / "tests", tree / "tests")
    os.symlink((lab.top / "build/deb").resolve(), tree / "build/deb")
    overlay(tree, texts)
    if patch:
        step(["patch", "-s", "-N", "-F0", "-p1", "-i", patch], tree)
    return tree


def kernel(tree, jobs):
    """Builds the kernel of a tree. Returns its file."""
    step(["make", "-s", f"-j{jobs}", "CI=", "kernel"], tree)
    return tree / "build/sluice.elf"


# --- programs that run in a guest of the reference kernel ---


def unit_program(source, tree, libraries, out):
    """Compiles a unit test, which includes the student's files, as a program of the guest."""
    musl = libraries / "deb/musl/usr"
    lib = musl / "lib/i386-linux-musl"
    include = output([CROSS + "gcc", "-print-file-name=include"])
    libgcc = output([CROSS + "gcc", "-print-libgcc-file-name"])
    flags = "-std=gnu11 -m32 -march=i686 -O1 -g -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables".split()
    flags += ["-D_GNU_SOURCE=", "-D__DEFINED_ssize_t", "-w", "-nostdinc", "-isystem", musl / "include/i386-linux-musl"]
    flags += ["-isystem", include, "-I.", "-include", "lib/types.h"]
    link = "-static -no-pie -nostdlib -Wl,-z,noexecstack,-z,separate-code,--build-id=none".split()
    ends = ["-Wl,--start-group", lib / "libc.a", libgcc, "-Wl,--end-group", lib / "crtn.o"]
    step([CROSS + "gcc", *flags, *link, "-o", out, lib / "crt1.o", lib / "crti.o", source, *ends], tree)
    return out


def output(argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout.strip()


def explorer_module(top):
    """Returns tests/explore/run as a module."""
    path = str(Path(top) / "tests/explore/run")
    loader = importlib.machinery.SourceFileLoader("explore_run", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("explore_run", loader))
    was, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = was
    return module


def explorer_here(lab):
    """Builds the explorer of the student's own tree, for this machine."""
    try:
        return explorer_module(lab.top).build()
    except RuntimeError as error:
        raise BuildFailed(first_lines(str(error), lab.top))


def explorer_for_guests(lab, texts, tree, patch=None):
    """Builds the explorer with the student's files, for a guest of the reference kernel."""
    module = explorer_module(lab.top)
    base = explorer_reference(lab.top, module)
    shutil.copytree(base, tree, symlinks=True)
    overlay(tree, {path: moved(path, text) for path, text in texts.items()})
    if patch:
        step(["patch", "-s", "-N", "-F0", "-p1", "-i", patch], tree)
    try:
        return module.build(tree, tree / "build")
    except RuntimeError as error:
        raise BuildFailed(first_lines(str(error), tree))


def moved(path, text):
    return text.replace(POOL_HERE, POOL_IN_GUEST) if path in POOL_FILES else text


def explorer_reference(top, module):
    """Returns a tree with the reference's explorer for guests, and makes it if the sources have changed."""
    base = top / "build/lab/explore"
    base.parent.mkdir(parents=True, exist_ok=True)
    with open(base.parent / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, mark = fingerprint(top, module.SOURCES), base.parent / "explore.stamp"
        if base.is_dir() and mark.is_file() and mark.read_text() == stamp:
            return base
        shutil.rmtree(base, ignore_errors=True)
        for name in module.SOURCES:
            copy([name], top, (base / name).parent)
        for path in POOL_FILES:
            text = (base / path).read_text()
            if POOL_HERE not in text:
                raise BuildFailed(f"{path} no longer says where the kernel's memory begins")
            (base / path).write_text(moved(path, text))
        module.build(base, base / "build")
        mark.write_text(stamp)
    return base


def fingerprint(top, names):
    """Returns a hash of the names, sizes and times of all files below these folders."""
    whole = hashlib.sha256()
    for name in [*names, "tools/labkit/build.py"]:
        paths = sorted((top / name).rglob("*")) if (top / name).is_dir() else [top / name]
        for path in paths:
            if path.is_file() and "__pycache__" not in path.parts:
                info = path.stat()
                whole.update(f"{path}\0{info.st_size}\0{info.st_mtime_ns}\n".encode())
    return whole.hexdigest()
