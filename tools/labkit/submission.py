"""Reads a submission: a folder, a .tar, a .tar.gz or a .zip. Nothing is ever unpacked.

Only the lab's own files are taken, each found by the end of its path, so it does not matter whether a
student hands in single files, a folder or a whole tree. A file that is missing is the starter's.
"""

import gzip
import hashlib
import os
import re
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

FILE_MAX = 1 << 20
ARCHIVE_MAX = 64 << 20
UNPACKED_MAX = 256 << 20
MEMBERS_MAX = 20000


class Refused(Exception):
    """The submission is not graded. The text is for the student."""


class Submission:
    def __init__(self, student, files, hours):
        self.student, self.files, self.hours = student, files, hours

    def digest(self):
        """Returns a hash of the names and texts of its files."""
        whole = hashlib.sha256()
        for name, text in sorted(self.files.items()):
            data = text.encode()
            whole.update(f"{name}\0{len(data)}\0".encode() + data)
        return "sha256:" + whole.hexdigest()


class Counted:
    """A file that refuses to be read beyond UNPACKED_MAX. A small archive can stand for endless bytes."""

    def __init__(self, file):
        self.file, self.left = file, UNPACKED_MAX

    def read(self, size=-1):
        data = self.file.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self.left -= len(data)
        if self.left < 0:
            raise Refused(f"the archive unpacks to more than {UNPACKED_MAX >> 20} MiB")
        return data


def student_of(path):
    return re.sub(r"\.(tar|tgz|tar\.gz|zip)$", "", Path(path).name) or "student"


def read(path, lab):
    """Returns the Submission, or raises Refused."""
    path = Path(path)
    try:
        if path.is_dir():
            found = from_folder(path, lab)
        elif not path.is_file():
            raise Refused(f"{path} is neither a file nor a folder")
        elif path.stat().st_size > ARCHIVE_MAX:
            raise Refused(f"the archive is larger than {ARCHIVE_MAX >> 20} MiB; hand in only the lab's files")
        elif path.stat().st_size == 0:
            raise Refused("the file is empty")
        elif zipfile.is_zipfile(path):
            found = from_zip(path, lab)
        else:
            found = from_tar(path, lab)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, ValueError) as error:
        raise Refused(f"the submission cannot be read: {error}")
    files, hours = {}, None
    for name, candidates in found.items():
        data = shallowest(name, candidates)
        if name == "hours.txt":
            number = re.search(rb"\d{1,4}(\.\d)?", data)
            hours = float(number[0]) if number else None
        else:
            files[name] = text_of(name, data)
    if not files:
        raise Refused("none of the lab's files is in it: " + " ".join(lab.files))
    return Submission(student_of(path), files, hours)


def wanted(name, lab):
    """Returns the lab's file that a member of this name stands for, or None."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    for path in [*lab.files, "hours.txt"]:
        own = path.split("/")
        if parts[-len(own) :] == own:
            if ".." in parts or name.startswith("/"):
                raise Refused(f"the archive has a file with the path {shown(name)}, which leads out of it")
            return path
    return None


def shown(name):
    return "".join(char if char.isprintable() else "?" for char in name)[:200]


def shallowest(name, candidates):
    least = min(depth for depth, _ in candidates)
    best = {data for depth, data in candidates if depth == least}
    if len(best) > 1:
        raise Refused(f"there are {len(best)} different files {name}")
    return best.pop()


def text_of(name, data):
    if len(data) > FILE_MAX:
        raise Refused(f"{name} is larger than {FILE_MAX >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(f"{name} is not UTF-8: line {line} has the byte 0x{data[error.start]:02x}")
    if "\0" in text:
        raise Refused(f"{name} has a NUL byte; it is not a text file")
    return text.replace("\r\n", "\n")


def put(found, path, name, data):
    found.setdefault(path, []).append((name.count("/"), data))


def from_folder(folder, lab):
    found, seen = {}, 0
    for base, folders, names in os.walk(folder, followlinks=False):
        for name in folders + names:
            path = Path(base) / name
            relative = str(path.relative_to(folder))
            seen += 1
            if seen > MEMBERS_MAX:
                raise Refused(f"the folder has more than {MEMBERS_MAX} files")
            target = wanted(relative, lab)
            if not target:
                continue
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode):
                raise Refused(f"{shown(relative)} is not an ordinary file, but {kind_of(mode)}")
            with open(path, "rb") as file:
                put(found, target, relative, file.read(FILE_MAX + 1))
    return found


def kind_of(mode):
    return "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"


def from_tar(path, lab):
    found = {}
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = Counted(gzip.GzipFile(fileobj=raw) if packed else raw)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for number, member in enumerate(tar):
                if number > MEMBERS_MAX:
                    raise Refused(f"the archive has more than {MEMBERS_MAX} files")
                target = wanted(member.name, lab)
                if not target:
                    continue
                if not member.isreg():
                    what = "a link" if member.issym() or member.islnk() else "a folder" if member.isdir() else "a device or a pipe"
                    raise Refused(f"{shown(member.name)} is not an ordinary file, but {what}")
                put(found, target, member.name, tar.extractfile(member).read(FILE_MAX + 1))
                tar.members = []  # the list would grow with the archive
    return found


def from_zip(path, lab):
    found = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS_MAX:
            raise Refused(f"the archive has more than {MEMBERS_MAX} files")
        for member in members:
            target = wanted(member.filename, lab)
            if not target or member.is_dir():
                continue
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
                raise Refused(f"{shown(member.filename)} is not an ordinary file, but {kind_of(mode)}")
            with archive.open(member) as file:
                put(found, target, member.filename, file.read(FILE_MAX + 1))
    return found
