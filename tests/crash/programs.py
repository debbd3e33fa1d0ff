"""Programs as workloads of tests/crash: two processes of sqlite, and git, which change one file system at the same time.

The guest plays SCRIPT on two CPUs. Each program writes a mark to the disk when it has been told that a transaction or a commit
lasts. The number of a mark is STEP times the number of the program, plus that of the transaction. After a crash

- each database must be one that sqlite finds nothing wrong with, with the rows of all transactions up to the last mark, and at
  most those of one more, as a whole;
- the repository must be one that git finds nothing wrong with, with all commits up to the last mark.
"""

import re
import sqlite3
import subprocess
from pathlib import Path

import check
import image

STEP = 1000
ROWS = 40  # in a transaction, each of ROW bytes
ROW = 60
DATABASES = {1: "persist", 2: "wal"}  # number: journal mode
GIT = 3
TRANSACTIONS, COMMITS = 12, 6
MARK = "printf 'mark %d ' $(({step} + {number})) | dd of=/dev/vdb bs=4096 seek={place} conv=sync,notrunc,fsync status=none"


def mark(program, number, place):
    return MARK.format(step=program * STEP, number=number, place=place // 4096 + 2 * program)


def sqlite_script(program, mode, place):
    """Returns the input of sqlite3."""
    lines = [f"pragma journal_mode={mode};", "pragma synchronous=extra;", "create table t(n integer, text text);", "create index i on t(text);"]
    row = f"select {{n}}, hex(randomblob({ROW // 2})) from generate_series(1, {ROWS})"
    for number in range(1, TRANSACTIONS + 1):
        lines += ["begin;", f"insert into t {row.format(n=number)};", f"delete from t where n = {number - 4};", "commit;", ".shell " + mark(program, number, place)]
    return "\n".join(lines) + "\n"


def script(place):
    """Returns the script of the guest. `place` is where on the disk the marks go.

    Each program has a block for its marks that is not beside another one, so that it is written by itself.
    """
    lines = ["export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/tmp LC_ALL=C", "mount -t ext3 /dev/vdb /mnt || exit 1", "cd /mnt", "mkdir repository"]
    for program, mode in DATABASES.items():
        lines += [f"sqlite3 /mnt/{mode}.db <<'END' >/dev/null &", sqlite_script(program, mode, place) + "END"]
    lines += [
        "git config --global user.email a@b; git config --global user.name name; git config --global core.fsync all",
        "git config --global init.defaultBranch main; git config --global gc.auto 0",
        "cd repository; git init -q .; sync",
        *(f"seq {number} 200 >file-{number}; git add . && git commit -qm {number} && git rev-parse HEAD && {mark(GIT, number, place)}" for number in range(1, COMMITS + 1)),
        "cd /; wait; umount /mnt",
    ]
    return "\n".join(lines) + "\n"


def marks(entries):
    """Returns {program: the last transaction that was promised}."""
    last = {}
    for entry in entries:
        if type(entry) is int:
            last[entry // STEP] = max(last.get(entry // STEP, 0), entry % STEP)
    return last


def wrong_database(file, promised):
    """Returns what is wrong with a database, or None."""
    if not file.exists():
        return f"{file.name} is not there, and should have transaction {promised}" if promised else None
    connection = sqlite3.connect(file)
    try:
        said = connection.execute("pragma integrity_check").fetchall()
        if said != [("ok",)]:
            return f"the integrity check of {file.name} says {said[0][0]}"
        if not connection.execute("select 1 from sqlite_master where name = 't'").fetchall():
            return f"{file.name} has no table" if promised else None
        rows = dict(connection.execute("select n, count(*) from t group by n").fetchall())
    except sqlite3.DatabaseError as error:
        return f"sqlite says of {file.name}: {error}"
    finally:
        connection.close()
    last = max(rows, default=0)
    if not promised <= last <= promised + 1:
        return f"{file.name} has transaction {last}, and should have {promised} or one more"
    if rows != {number: ROWS for number in range(max(1, last - 3), last + 1)}:
        return f"{file.name} has a part of a transaction: {rows}"
    return None


def git(folder, *words):
    argv = ["git", "-c", "safe.directory=*", "-C", str(folder), *words]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def wrong_repository(folder, promised, commits):
    """Returns what is wrong with the repository, whose commits have these names, or None."""
    if not promised:
        return None
    # A file that was being written under another name may be left, and what nothing leads to.
    fsck = git(folder, "fsck", "--full", "--strict", "--no-dangling", *commits[:promised])
    if fsck.returncode or re.search(r"^(error|fatal|missing|broken)", fsck.stdout, re.M):
        return f"git fsck with {promised} commits says {fsck.stdout.strip()}"
    return None


def judge(file, folder, promised, commits):
    """Judges an image that a crash has left, and unpacks it into a folder. Returns what is wrong, or None."""
    fault = check.repaired(file)
    if fault:
        return fault
    for path, (kind, _, data) in image.Image(Path(file).read_bytes()).tree().items():
        if kind == "d":
            (folder / path).mkdir(exist_ok=True)
        elif kind == "f":
            (folder / path).write_bytes(data)
    for program, mode in DATABASES.items():
        fault = fault or wrong_database(folder / f"{mode}.db", promised.get(program, 0))
    return fault or wrong_repository(folder / "repository", promised.get(GIT, 0), commits)
