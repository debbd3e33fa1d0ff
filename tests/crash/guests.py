"""Disks and guests for tests of the journal from outside (tests/guest-tool/journal and replay), and the frame of such a program.

    usage: PROGRAM [--os linux] [--kernel FILE] [--seed N] [CASE]
"""

import argparse
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import check
from journal import Wrong

PARSER = argparse.ArgumentParser()
PARSER.add_argument("--os", choices=["sluice", "linux"], default="sluice")
PARSER.add_argument("--kernel", type=Path)
PARSER.add_argument("--seed", type=int, default=1)
PARSER.add_argument("case", nargs="?")
OPTIONS = PARSER.parse_args()

TOP = Path(__file__).resolve().parent.parent.parent
RANDOM = random.Random(OPTIONS.seed)
TOOLS = {**os.environ, "PATH": check.PATH, "LC_ALL": "C"}
DISKS = {1024: 6144, 4096: 2560}  # size of a block, and how many there are
BEYOND = 65536  # bytes of the disk behind the file system
UNWRITTEN = b"\xdb"
SECONDS = 60  # for a guest


def make_disk(folder, size, name="disk", files=()):
    """Makes an ext3 image. `files` are commands for debugfs."""
    path, blocks = Path(folder) / f"{name}-{size}", DISKS[size]
    path.write_bytes(UNWRITTEN * (size * blocks + BEYOND))
    options = ["-q", "-F", "-t", "ext3", "-b", size, "-J", f"size={size // 1024}", "-m", 0]
    options += ["-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", path, blocks]
    tool(["mke2fs", *options])
    if files:
        debugfs(path, *files)
    return path


def debugfs(path, *commands):
    tool(["debugfs", "-w", "-f", "-", path], "\n".join(commands) + "\n")


def tool(words, script=""):
    done = subprocess.run([str(word) for word in words], input=script, capture_output=True, text=True, errors="replace", env=TOOLS)
    if done.returncode:
        raise OSError(f"{words[0]} has failed: {done.stderr[-300:]}")


def command(words, argv):
    words = ["--os", OPTIONS.os, "--timeout", SECONDS, *(["--kernel", OPTIONS.kernel] if OPTIONS.kernel else []), *words]
    return [str(word) for word in [TOP / "tools/guest", *words, "--", *argv]]


def guest(words, argv, script=""):
    """Runs a program in a guest. Returns (its exit status, its output, what tools/guest says)."""
    done = subprocess.run(command(words, argv), input=script, capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout, done.stderr


def ended(status, out, said):
    """Raises an error if a guest has not ended with status 0."""
    if status:
        first = re.search(r"^guest: (.*?)( \(log: .*)?$", said, re.M)
        lines = [first[1] if first else f"the guest's script ended with status {status}"]
        lines += ["it had printed: " + out.strip().splitlines()[-1][-200:]] if out.strip() else []
        raise AssertionError("\n".join(lines + said.splitlines()[-30:]))


def recorded(path, number=0):
    """Returns the options for a disk whose writes are recorded in FILE.log."""
    log = Path(f"{path}.log")
    log.touch()
    node = f"driver=blklogwrites,node-name=recorded{number},log-sector-size=512"
    node += f",file.driver=file,file.filename={path},log.driver=file,log.filename={log}"
    device = f"virtio-blk-pci,disable-legacy=on,drive=recorded{number},write-cache=on,discard=off,write-zeroes=off"
    return ["--qemu", f"-blockdev {node} -device {device}"]


def content(path):
    return bytearray(path.read_bytes())


def equal(got, wanted, what):
    assert got == wanted, f"{what} is {got}, and should be {wanted}"


def run(cases, beyond_linux=()):
    """Carries out the cases, which raise an error if they fail. Prints TAP, and ends the program.

    `beyond_linux` are cases of what Sluice promises and Linux does not.
    """
    cases = [*cases, *(beyond_linux if OPTIONS.os == "sluice" else ())]
    cases = [case for case in cases if OPTIONS.case in (None, case.__name__)]
    if not cases:
        PARSER.error(f"there is no case {OPTIONS.case}")
    failed = 0
    for number, case in enumerate(cases, 1):
        name, wrong = case.__name__.replace("_", " "), None
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
            try:
                case(folder)
            except (AssertionError, Wrong, ValueError, IndexError, struct.error, OSError) as error:
                wrong = str(error) or repr(error)
        failed += wrong is not None
        print(f"ok {number} - {name}" if wrong is None else f"not ok {number} - {name}", flush=True)
        if wrong:
            print("\n".join("# " + line for line in wrong.splitlines()))
    print(f"1..{len(cases)}")
    sys.exit(failed > 0)
