"""Workloads of tests/crash, and the model of what they leave on a file system.

A workload is a list of sequences. Each plays in a folder of its own, which first gets the files of SETUP and
is synced. At its end everything is synced again. After some more sequences the folder is removed, so that
blocks are used again. A sequence is text: operations of user/test/crash_work.c without their seeds, joined by "; ".

The model of a sequence knows for each moment what the file system has (Model.history, Node.versions), and what has been
promised to last (Model.promises).
"""

import itertools
import random
from dataclasses import dataclass, field

SETUP = ["write a 0 6000", "write b 0 700", "mkdir d", "sync"]

# The operations that sequences of one and two are made of. Most of them say in which file or folder a call of
# fsync must find them.
OPERATIONS = [
    "create c",
    "write c 0 3000",
    "write d/e 0 5000",
    "write a 6000 5000",
    "write a 1000 2500",
    "write a 20000 500",
    "write a 60000 9000",
    "write a 300000 3000",
    "store a 900 2000",
    "truncate a 2500",
    "truncate a 0",
    "truncate a 9000",
    "punch a 1000 3500",
    "unlink a",
    "link a c",
    "symlink a l",
    "symlink " + "long-" * 20 + " l",
    "rename a c",
    "rename a b",
    "rename a d/a",
    "rename d g",
    "mkdir f",
    "rmdir d",
]
# Files that are open when they lose their last name.
HELD = [
    "hold a; unlink a; sync; release",
    "hold a; unlink a; fsync .; release; sync",
    "hold a; rename b a; sync; release; fsync .",
    "hold a; write c 0 5000; rename c a; fsync a; release; write c 0 5000; fsync c",
    "hold a; unlink a; sync; write c 0 9000; fsync c; release; write c 9000 9000; fsync c",
    "write a 300000 3000; sync; hold a; unlink a; sync; release; write c 0 90000; fsync c",
]
# Metadata blocks that become blocks of files while the journal may still have copies of them.
REUSED = [
    "rmdir d; sync; write c 0 9000; fsync c",
    "mkdir d/f; sync; rmdir d/f; rmdir d; fsync .; write c 0 3000; fdatasync c",
    "write a 60000 9000; sync; truncate a 0; sync; write c 0 30000; fsync c",
    "write a 300000 3000; sync; unlink a; sync; write c 0 50000; fsync c; mkdir f; sync",
    "write a 60000 9000; sync; truncate a 100; write b 0 40000; fsync b; truncate b 0; mkdir f; fsync .; rmdir f; write b 0 9000; fsync b",
]
# Writes without the page cache: room behind the end, in holes and in blocks of other files, and what is in the cache already.
DIRECT = [
    "direct c 0 8192; fsync c",
    "direct c 0 61440; sync; direct c 4096 512; direct c 65536 4608; fdatasync c",
    "direct c 512 512; direct c 8192 12288; fsync c",
    "direct a 6144 10240; fsync a",
    "write a 1000 2500; direct a 2048 1024; write a 60000 9000; fsync a; direct a 20480 8192; fsync a",
    "truncate a 30000; direct a 8192 4096; store a 9000 2000; direct a 12288 4096; sync",
    "direct a 8192 40960; truncate a 9000; direct c 0 20480; fsync c; direct a 16384 8192; fsync a",
    "write a 300000 3000; sync; unlink a; sync; direct c 0 65536; fsync c; mkdir f; sync",
    "hold a; unlink a; sync; release; direct c 0 65536; direct c 69632 512; fsync c",
]
# Holes: their edges in the middle of blocks and pages, and blocks and indirect blocks of theirs that another file or a folder gets.
PUNCHED = [
    "punch a 500 2000; fdatasync a; write a 700 100; punch a 0 4096; fsync a",
    "store a 900 2000; punch a 1024 2048; store a 1500 700; fsync a",
    "write a 60000 9000; sync; punch a 1000 66000; fsync a; write c 0 60000; fsync c",
    "write a 300000 3000; sync; punch a 20000 290000; write b 0 50000; fsync b; mkdir f; fsync a",
    "write a 300000 3000; sync; punch a 0 400000; sync; write c 0 90000; fsync c; write a 290000 9000; fsync a",
    "direct c 0 20480; punch c 4096 8192; direct c 8192 4096; fsync c",
]
# Extended attributes in inodes and in blocks of their own, and such blocks that become blocks of files.
ATTRIBUTES = [
    "xset a n 20; fsync a; xset a n 30; fsync a; xremove a n; fsync a",
    "xset a n 600; fsync a; xset a m 300; fsync a; xremove a n; fsync a; xremove a m; sync",
    "xset d n 700; sync; xremove d n; sync; write c 0 9000; fsync c",
    "xset a n 600; sync; unlink a; sync; write c 0 30000; fsync c",
    "xset a n 600; sync; hold a; unlink a; sync; release; write c 0 30000; fsync c",
    "xset a n 600; write c 0 3000; xset c n 500; rename c a; fsync a; write b 0 20000; fsync b",
    "xset a n 600; sync; xremove a n; write b 0 20000; fsync b; xset a n 700; fsync a; mkdir f; sync",
    "create c; xset c n 600; hold c; unlink c; sync; release; mkdir f; xset f n 700; fsync f",
]
PATHS = ["a", "b", "c", "d/a", "d/e", "f/a", "g/a"]
FOLDERS = ["d", "f", "g", "d/f"]
LONGEST = 70000
FOLDERS_KEPT = 8  # before the oldest folder is removed


class Invalid(Exception):
    """The operation would fail."""


@dataclass(eq=False)
class Node:
    """A file, a folder or a symbolic link, as long as it lives."""

    kind: str
    text: str = ""  # of a symbolic link
    versions: list = field(default_factory=list)  # of a file's bytes: (number of the operation, bytes), in order


def pattern(at, n, seed):
    """The bytes that crash_work writes."""
    words = range(at // 8, (at + n + 7) // 8)
    return "".join([f"{seed & 0xFFF:03x}{word:05x}" for word in words]).encode()[at % 8 : at % 8 + n]


class Model:
    """A sequence's folder. An operation that would fail raises Invalid and changes nothing.

    Each operation has a number. The numbers of a sequence grow, but others may lie between them.
    """

    def __init__(self, folder):
        self.folder = folder
        self.names = {"": Node("d")}  # path: Node. Replaced, not changed, by each operation that changes a name
        self.attributes = {}  # Node: {name: value}, of extended attributes. Replaced by each operation that changes one
        self.history = [(-1, self.names, self.attributes)]  # both after each operation with this number
        self.held = None
        self.touched = {}  # Node: the last operation that changed it or a name of it
        self.born = {}  # Node: the operation that gave it its first name
        # For each operation that persists: its number, the one whose names and the one whose bytes have been promised,
        # and the same for the bytes of single files.
        self.promises = [(-1, -1, -1, {})]

    def do(self, number, line, seed=0):
        """Carries out an operation. Returns whether it has used the seed."""
        call, *words = line.split()
        writes = call in ("write", "store", "direct", "xset")
        getattr(self, call)(number, *words, *([seed] if writes else []))
        self.history.append((number, self.names, self.attributes))
        return writes

    def promised(self, number):
        """Returns the last entry of promises that operation `number` or an older one has made."""
        return next(promise for promise in reversed(self.promises) if promise[0] <= number)

    def names_between(self, first, last):
        """Yields names and attributes as they were after operation `first`, or the last one before it, and up to operation `last`."""
        start = max(i for i, (number, _, _) in enumerate(self.history) if number <= first)
        for number, names, attributes in self.history[start:]:
            if number <= max(first, last):
                yield names, attributes

    # Names.

    def node(self, path, *kinds):
        node = self.names.get(path)
        if not node or node.kind not in kinds:
            raise Invalid(path)
        return node

    def folder_of(self, path):
        return path.rpartition("/")[0]

    def change_names(self, number, add=(), remove=()):
        for path, node in add:
            self.node(self.folder_of(path), "d")
            self.born.setdefault(node, number)
        for path, node in [*add, *((path, self.names[path]) for path in remove)]:
            for changed in (node, self.names.get(self.folder_of(path))):
                self.touched[changed] = number
        gone = set(remove)
        self.names = {path: node for path, node in self.names.items() if path not in gone} | dict(add)

    def add(self, number, path, node):
        if path in self.names:
            raise Invalid(path)
        self.change_names(number, [(path, node)])

    def create(self, number, path):
        self.add(number, path, Node("f", versions=[(number, b"")]))

    def mkdir(self, number, path):
        self.add(number, path, Node("d"))

    def symlink(self, number, text, path):
        self.add(number, path, Node("l", text))

    def link(self, number, old, new):
        self.add(number, new, self.node(old, "f"))

    def unlink(self, number, path):
        self.node(path, "f", "l")
        self.change_names(number, remove=[path])

    def inside(self, path):
        return [name for name in self.names if name.startswith(path + "/")]

    def rmdir(self, number, path):
        self.node(path, "d")
        if self.inside(path):
            raise Invalid(path)
        self.change_names(number, remove=[path])

    def rename(self, number, old, new):
        node, over = self.node(old, "f", "d", "l"), self.names.get(new)
        if new.startswith(old + "/") or node is over or over and (node.kind == "d" or over.kind == "d"):
            raise Invalid(new)
        moved = [(new + name[len(old) :], self.names[name]) for name in self.inside(old)]
        if over:
            self.touched[over] = number
        self.change_names(number, [(new, node), *moved], [old, *self.inside(old)])

    # Bytes.

    def change(self, number, node, data):
        # A write that leaves the size, soon after another one, need not change the inode.
        if len(data) != len(node.versions[-1][1]):
            self.touched[node] = number
        node.versions.append((number, data))

    def write(self, number, path, at, n, seed, must_exist=False):
        at, n, seed = int(at), int(n), int(seed)
        if path not in self.names and not must_exist:
            self.create(number, path)
        node = self.node(path, "f")
        old = node.versions[-1][1]
        if must_exist and at + n > len(old):
            raise Invalid(path)
        new = old[:at].ljust(at, b"\0") + pattern(at, n, seed) + old[at + n :]
        self.change(number, node, new)

    def store(self, number, path, at, n, seed):
        self.write(number, path, at, n, seed, must_exist=True)

    def direct(self, number, path, at, n, seed):
        if int(at) % 512 or int(n) % 512:
            raise Invalid(path)
        self.write(number, path, at, n, seed)

    def truncate(self, number, path, size):
        node = self.node(path, "f")
        self.change(number, node, node.versions[-1][1][: int(size)].ljust(int(size), b"\0"))

    def punch(self, number, path, at, n):
        node = self.node(path, "f")
        old = node.versions[-1][1]
        inside = len(old[int(at) : int(at) + int(n)])
        self.change(number, node, old[: int(at)] + bytes(inside) + old[int(at) + inside :])

    def xset(self, number, path, name, n, seed):
        node = self.node(path, "f", "d")
        self.annotate(number, node, {**self.attributes.get(node, {}), f"user.{name}": pattern(0, int(n), int(seed))})

    def xremove(self, number, path, name):
        node = self.node(path, "f", "d")
        old = self.attributes.get(node, {})
        if f"user.{name}" not in old:
            raise Invalid(name)
        self.annotate(number, node, {key: value for key, value in old.items() if key != f"user.{name}"})

    def annotate(self, number, node, attributes):
        self.attributes = {**self.attributes, node: attributes}
        self.touched[node] = number

    def hold(self, number, path):
        if self.held:
            raise Invalid(path)
        self.held = self.node(path, "f")

    def release(self, number):
        if not self.held:
            raise Invalid("nothing is held")
        self.held = None

    # Promises. A commit takes all changes of names that came before it, so one that has a change has the older ones.

    def promise(self, number, names, node=None):
        _, names_kept, all_kept, kept = self.promises[-1]
        if node:
            self.promises.append((number, max(names_kept, names), all_kept, {**kept, node: number}))
        else:
            self.promises.append((number, number, number, {}))

    def sync(self, number):
        self.promise(number, number)

    def fsync(self, number, path):
        node = self.node(path.removesuffix("/."), "f", "d")
        self.promise(number, self.touched[node], node)

    def fdatasync(self, number, path):
        node = self.node(path, "f")
        self.promise(number, self.born[node], node)


# --- sequences ---


def tried(lines):
    """Returns the model after these operations in the folder "x"."""
    model = Model("x")
    for number, line in enumerate(["mkdir x", *(placed(line, "x") for line in [*SETUP, *lines])]):
        model.do(number, line)
    return model


def placed(line, folder):
    """Returns the operation with its paths in the folder."""
    call, *words = line.split()
    paths = {"symlink": [1], "link": [0, 1], "rename": [0, 1], "sync": [], "release": []}.get(call, [0])
    words = [f"{folder}/{word}" if i in paths else word for i, word in enumerate(words)]
    return " ".join([call, *words])


def persisting(lines, rng):
    """Returns an operation that persists something that the last of the lines has changed."""
    model, words = tried(lines), lines[-1].split()
    path = words[-1] if words[0] in ("link", "rename", "symlink") else words[1]
    choices = ["sync", "fsync ."]
    node = model.names.get("x/" + path)
    if node and node.kind in "fd":
        choices += [f"fsync {path}"] * 2
    if node and node.kind == "f":
        choices += [f"fdatasync {path}"]
    return rng.choice(choices)


def is_valid(lines):
    try:
        tried(lines)
    except Invalid:
        return False
    return True


def one():
    """All operations, each with each way to persist it, and what single operations do not show."""
    yield from HELD + REUSED + DIRECT + PUNCHED + ATTRIBUTES
    for line in OPERATIONS:
        model, words = tried([line]), line.split()
        path = words[-1] if words[0] in ("link", "rename", "symlink") else words[1]
        for last in [f"fsync {path}", f"fdatasync {path}", "fsync .", "sync"]:
            if is_valid([line, last]):
                yield f"{line}; {last}"


def two(rng):
    """All pairs of operations, each with one way to persist them that is drawn, and often one between them."""
    for pair in itertools.product(OPERATIONS, repeat=2):
        if is_valid(pair):
            between = [persisting(pair[:1], rng)] if rng.random() < 0.4 else []
            yield "; ".join([pair[0], *between, pair[1], persisting(pair, rng)])


def drawn(rng, steps=25):
    """A longer sequence of operations that are drawn."""
    lines = []
    while len(lines) < steps:
        path, other = rng.choice(PATHS), rng.choice(PATHS)
        at = rng.choice([0, rng.randrange(3000), rng.randrange(LONGEST // 2)])
        line = rng.choice(
            [f"write {path} {at} {rng.randrange(1, 9000)}"] * 4
            + [f"store {path} {at} {rng.randrange(1, 3000)}"]
            + [f"direct {path} {at & ~511} {rng.randrange(1, 18) * 512}"] * 2
            + [f"truncate {path} {rng.choice([0, at])}"] * 2
            + [f"punch {path} {at} {rng.randrange(1, 9000)}"] * 2
            + [f"create {path}", f"unlink {path}", f"unlink {path}", f"link {path} {other}", f"symlink {path} l", "unlink l"]
            + [f"rename {path} {other}"] * 3
            + [f"hold {path}", "release"]
            + [f"xset {path} {rng.choice('nm')} {rng.choice([15, 400])}", f"xremove {path} n"]
            + [f"mkdir {rng.choice(FOLDERS)}", f"rmdir {rng.choice(FOLDERS)}", f"rename {rng.choice(FOLDERS)} {rng.choice(FOLDERS)}"]
            + ["sync", "fsync .", f"fsync {rng.choice(FOLDERS)}", f"fsync {path}", f"fsync {path}", f"fdatasync {path}"]
        )
        if is_valid([*lines, line]):
            lines.append(line)
    return "; ".join([*lines, "sync", *(["release"] if tried(lines).held else [])])


def sequences(names, seed, long):
    """Returns the sequences of the workloads with these names: `one`, `two`, `drawn`, or the text of a sequence."""
    rng = random.Random(seed)
    made = {"one": list(one()), "two": list(two(rng)), "drawn": [drawn(rng) for _ in range(200 if long else 20)]}
    found = []
    for name in names or made:
        found += made.get(name, [name])
    return found


def removal(model):
    """Returns operations that remove a sequence's folder."""
    names = sorted((name for name in model.names if name), reverse=True)
    return [("rmdir " if model.names[name].kind == "d" else "unlink ") + name for name in names]


def build(texts):
    """Carries out the sequences. Returns a model for each sequence, and the script: pairs of a model and a line for crash_work."""
    models, script, seed = [], [], 1

    def do(model, line):
        nonlocal seed
        used = model.do(len(script), line, seed)
        script.append((model, f"{line} {seed}" if used else line))
        seed += used

    for i, text in enumerate(texts):
        model, old = Model(f"s{i:03}"), models[i - FOLDERS_KEPT] if i >= FOLDERS_KEPT else None
        for line in removal(old) if old else []:
            do(old, line)
        for line in [f"mkdir {model.folder}", *(placed(line, model.folder) for line in [*SETUP, *text.split("; "), "sync"])]:
            if line == "sync" and old:
                old.sync(len(script))
            do(model, line)
        models.append(model)
    return models, script
