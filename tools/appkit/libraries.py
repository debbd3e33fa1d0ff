"""Finds the libraries that a dynamic program needs, and puts them into the tree of its image.

1. The dynamic linker and the C library must fit together. So what the tree itself lacks comes from one sysroot.
2. A library has the same path in the tree as in the sysroot, because the program's dynamic linker looks there. The tree has no
   ld.so.cache. So a library from a folder of /etc/ld.so.conf is put into /lib, where every dynamic linker looks.
"""

import errno
import os
import re
import shutil
from pathlib import Path

from appkit.elf import Elf, NotAProgram

# The folders in which dynamic linkers look: Debian's of glibc and musl, and those of other distributions.
FOLDERS = [
    "/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu", "/lib/i386-linux-musl", "/usr/lib/i386-linux-musl",
    "/lib32", "/usr/lib32", "/lib", "/usr/lib",
]  # fmt: skip
LINKS_MAX = 40


class Missing(Exception):
    """A library is not there. The text says which, and what needs it."""


def inside(root, path):
    """Returns where a path of a guest whose root is `root` lies on this machine. Links are followed inside the root."""
    parts, place, links = str(path).split("/")[::-1], [], 0
    while parts:
        part = parts.pop()
        here = root.joinpath(*place, part)
        if part == "..":
            place = place[:-1]
        elif part not in ("", ".") and here.is_symlink():
            links += 1
            if links > LINKS_MAX:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(here))
            target = os.readlink(here)
            place = [] if target.startswith("/") else place
            parts += target.split("/")[::-1]
        elif part not in ("", "."):
            place.append(part)
    return root.joinpath(*place)


def library(path):
    """Returns the i386 ELF file with this path, or None if there is none."""
    try:
        return Elf(path) if path.is_file() else None
    except NotAProgram:
        return None


def put(tree, path, found):
    """Copies a library to this path in the guest, unless there is a file."""
    target = inside(tree, path)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, target)
        target.chmod(0o755)  # because the dynamic linker is executed


def add_libraries(tree, sysroots, path, source):
    """Adds all libraries that the file `source` needs, which has this path in the guest. Raises Missing if one is not there.

    Returns the sysroot that was used. It is the first one that has the program's dynamic linker.
    """
    elf = Elf(source)
    sysroot = add_interpreter(tree, sysroots, path, elf.interpreter) if elf.interpreter else sysroots[0]
    program = own_folders(elf, path, source)
    waiting, seen = [(path, source, elf)], set()
    while waiting:
        path, source, elf = waiting.pop(0)
        # The folders of a program with the older DT_RPATH count for its libraries, too.
        folders = own_folders(elf, path, source) + program
        for name in elf.needed:
            if name in seen:
                continue
            seen.add(name)
            place = next((place for place in places(tree, sysroot, name, folders) if library(place[1])), None)
            if not place:
                raise Missing(f"{path} needs the library {name}")
            put(tree, *place)
            waiting.append((*place, Elf(place[1])))
    return sysroot


def add_interpreter(tree, sysroots, path, interpreter):
    for sysroot in sysroots:
        for root in (tree, sysroot):
            if library(inside(root, interpreter)):
                put(tree, interpreter, inside(root, interpreter))
                return sysroot
    raise Missing(f"{path} needs the dynamic linker {interpreter}")


def own_folders(elf, path, source):
    """Returns the folders that a file names: the path of each in the guest, and where it is on this machine if it is beside the file."""
    found = []
    for folder in elf.folders:
        beside, is_beside = re.subn(r"^\$(ORIGIN|{ORIGIN})", "", folder)
        if is_beside:
            found.append((os.path.normpath(f"{os.path.dirname(path)}/{beside}"), source.resolve().parent / beside.lstrip("/")))
        else:
            found.append((folder, None))
    return found


def places(tree, sysroot, name, folders):
    """Yields the paths that a library may have in the guest, each with the file on this machine."""
    usual = [("", None)] if "/" in name else [(folder, None) for folder in FOLDERS]
    for folder, source in folders + usual:
        path = f"{folder}/{name}"
        if source:
            yield path, source / name
        yield path, inside(tree, path)
        yield path, inside(sysroot, path)
    for folder in configured(sysroot):
        yield f"/lib/{name}", inside(sysroot, f"{folder}/{name}")


def configured(sysroot):
    """Returns the folders that the configuration of a sysroot's dynamic linker names."""
    folders = []
    for file in [sysroot / "etc/ld.so.conf", *sorted(sysroot.glob("etc/ld.so.conf.d/*.conf"))]:
        if file.is_file():
            lines = [line.strip() for line in file.read_text(errors="replace").splitlines()]
            folders += [line for line in lines if line.startswith("/")]
    return folders
