#!/usr/bin/env python3
"""Plays random operations on pipes and on files in memory, and judges here what came of each. Prints TAP.

usage: tests/play/file.py [OPTION]...

The options, and how a script is played, are those of tests/play/pipe.py. Bytes go from files to pipes and
back, and from file to file. A file is written and cut while its bytes are in a pipe, and they must not
change there. Pages that were lent or given to a pipe become pages of a file.

  generate(seed, steps)            returns (script, expected lines) for Sluice
  generate(seed, steps, "linux")   the same for Linux, where a file is not changed while a pipe has its pages
  generate(..., kinds=[...])       only operations of these kinds (Generator.KINDS)
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pipe
from pipe import MOST, PAGE, PIPES, Failure

FILES = 3
HUGE = 2**63  # offsets are less
LIMIT = 50000  # no file grows beyond it (RLIMIT_FSIZE)


@dataclass
class Slot(pipe.Slot):
    file: int | None = None  # it has a page of this file
    at: int = 0  # the place of the first byte in the file

    def drop(self, n):
        super().drop(n)
        self.at += n


class Model(pipe.Model):
    def __init__(self, system):
        super().__init__(system)
        self.files = [bytearray() for _ in range(FILES)]

    def file(self, f):
        self.files[f] = bytearray()
        return 0

    def change(self, f, at, data):
        """Writes what fits below the limit. Returns its length."""
        file = self.files[f]
        if data and at >= LIMIT:
            raise Failure("EFBIG")
        data = data[: max(0, LIMIT - at)]
        if data and at > len(file):
            file.extend(bytes(at - len(file)))
        file[at : at + len(data)] = data
        return len(data)

    def put(self, f, at, n, seed):
        return self.change(f, at, pipe.stream(n, seed))

    def get(self, f, at, n):
        return bytes(self.files[f][at : at + n])

    def cut(self, f, n):
        file = self.files[f]
        if n > max(LIMIT, len(file)):
            raise Failure("EFBIG")
        file.extend(bytes(max(0, n - len(file))))
        del file[n:]
        return 0

    def out(self, f, k, at, n):
        if n == 0:
            return 0
        p = self.writable(k)
        self.must_have_room(p)
        data, done, offset = self.get(f, at, n), 0, at % PAGE
        while done < len(data) and p.room():
            piece = data[done : done + PAGE - offset]
            p.slots.append(Slot(piece, PAGE, file=f, at=at + done))
            done, offset = done + len(piece), 0
        return done

    def take(self, k, f, at, n):
        """A splice from pipe k to file f."""
        if n == 0:
            return 0
        p = self.readable(k)
        self.must_not_be_awaited(p)
        if not p.slots:
            return 0
        data = b"".join(slot.data for slot in p.slots)[:n]
        done = self.change(f, at, data)
        self.remove(p, done)
        return done

    def send(self, f, l, at, n):
        return self.change(l, len(self.files[l]), self.get(f, at, n))

    def pair(self, words):
        """A splice between any two descriptors. The order of the refusals is Linux's, with one exception."""
        k, f, n = map(int, words[:3])
        source, target, *offsets = words[3:]
        p, ends = self.pipes[k], ("pipe", "wrong-end")
        is_open = {"closed": False, ("pipe", 0): p.reader, ("pipe", 1): p.writer, ("wrong-end", 0): p.writer, ("wrong-end", 1): p.reader}
        if not all(is_open.get(kind, is_open.get((kind, side), True)) for side, kind in enumerate((source, target))):
            raise Failure("EBADF")
        if any(kind in ends and offset != "none" for kind, offset in zip((source, target), offsets)):
            raise Failure("ESPIPE")
        if source in ("wrong-end", "write-only") or target in ("wrong-end", "read-only"):
            raise Failure("EBADF")
        if (source == "pipe") == (target == "pipe"):
            raise Failure("EINVAL")
        offset = offsets[source == "pipe"]
        if offset == "nowhere":
            raise Failure("EFAULT")
        if self.linux and target == "pipe":  # it looks at the range last
            self.must_have_room(p)
        at = 0 if offset == "none" else int(offset[1:])
        if source == "folder" or target == "append" or at < 0 or at + n >= HUGE:
            raise Failure("EINVAL")
        done = self.take(k, f, at, n) if source == "pipe" else self.out(f, k, at, n)
        return f"{done}, then at {at + done}"

    def call(self, name, words):
        if name == "pair":
            return self.pair(words)
        if name not in ("out", "in", "send"):
            return 0 if name == "limit" else super().call(name, words)
        calls = {"out": self.out, "in": self.take, "send": self.send}
        n = calls[name](*map(int, words))
        return f"{n}, then at {int(words[2]) + n}"

    def held(self, f):
        """Has a pipe pages of the file?"""
        return any(isinstance(slot, Slot) and slot.file == f for p in self.pipes for slot in p.slots)


class Generator(pipe.Generator):
    MODEL = Model
    KINDS = {
        "put": 14, "get": 14, "cut": 5, "out": 18, "in": 16, "send": 5, "file": 1, "write": 8, "read": 10, "splice": 6,
        "tee": 6, "vmsplice": 4, "gift": 5, "scribble": 3, "poll": 2, "count": 3, "resize": 2, "close": 1, "change": 8,
        "behind": 4, "steal": 5, "part": 2, "pair": 3,
    }  # fmt: skip

    def run(self, steps):
        self.do(f"limit 0 {LIMIT}")
        for k in range(PIPES):
            self.do(f"pipe {k} stream")
        for f in range(FILES):
            self.do(f"file {f}")
        while len(self.script) < steps:
            self.step()
        for f in range(FILES):
            self.do(f"get {f} 0 {MOST}")
        return "\n".join(self.script) + "\n", self.expected + ["lost: nothing"]

    def any_file(self):
        return self.random.randrange(FILES)

    def to_change(self):
        """A file that may be written. On Linux the change would show in a pipe that has its pages."""
        files = [f for f in range(FILES) if not (self.model.linux and self.model.held(f))]
        return self.random.choice(files) if files else None

    def place(self, f):
        """Mostly a place in the file where something begins or ends."""
        r, size = self.random, len(self.model.files[f])
        return r.choice([0, 0, size, size // PAGE * PAGE, r.randrange(size + 1), r.randrange(size + 1) // PAGE * PAGE, size + r.randrange(9000)])

    def draw_put(self, k):
        f = self.to_change()
        if f is None:
            return self.draw_read(k)
        at = self.place(f)
        self.do(f"put {f} {at} {self.bytes()} {self.seed()}")

    def draw_get(self, k):
        f = self.any_file()
        self.do(f"get {f} {self.place(f)} {self.bytes()}")

    def draw_cut(self, k):
        f = self.to_change()
        if f is None:
            return self.draw_read(k)
        self.do(f"cut {f} {self.place(f)}")

    def draw_change(self, k):
        """The page of a file that a pipe has is changed, and the pipe's bytes stay what they were."""
        held = [slot for slot in self.model.pipes[k].slots if isinstance(slot, Slot) and slot.data]
        if not held or self.model.linux:
            return self.draw_out(k)
        slot = self.random.choice(held)
        f, at = slot.file, slot.at + self.random.randrange(len(slot.data))
        self.do(self.random.choice([f"put {f} {at} 10 {self.seed()}", f"put {f} {at} {PAGE} {self.seed()}", f"cut {f} {at}"]))
        self.do(f"read {k} {1 << 20}")

    def draw_behind(self, k):
        """A write goes behind bytes of a file, not into its page."""
        f = self.any_file()
        size = len(self.model.files[f])
        if size < 200:
            return self.draw_put(k)
        at = self.random.randrange(size - 100)
        self.do(f"out {f} {k} {at} 50")
        self.do(f"write {k} {self.random.randrange(1, 40)} {self.seed()}")
        self.do(f"get {f} {at} 100")

    def draw_steal(self, k):
        """A page that another pipe has as well does not become the file's own."""
        l, f = (k + 1) % PIPES, self.to_change()
        if f is None:
            return self.draw_read(k)
        self.do(f"read {k} {1 << 20}")
        if self.random.random() < 0.5:
            self.do(f"read {l} {1 << 20}")
        self.do(f"write {k} {2 * PAGE} {self.seed()}")
        if self.random.random() < 0.7:
            self.do(f"tee {k} {l} {PAGE}")
        at = self.random.randrange(8) * PAGE
        self.do(f"in {k} {f} {at} {2 * PAGE}")
        g = (f + 1) % FILES
        if not (self.model.linux and self.model.held(g)):
            self.do(f"in {l} {g} {at} {PAGE}")
        self.do(f"put {f} {at + 5} 10 {self.seed()}")
        self.do(f"get {g} {at} {PAGE}")
        self.do(f"read {l} {1 << 20}")

    def draw_part(self, k):
        """A page of which a pipe has only the beginning does not become the file's own."""
        l, f = (k + 1) % PIPES, self.to_change()
        if f is None:
            return self.draw_read(k)
        for pipe_number in (k, l):
            self.do(f"read {pipe_number} {MOST}")
        for n in (100, 2 * PAGE):
            self.do(f"write {k} {2 * PAGE} {self.seed()}")
            self.do(f"splice {k} {l} {n}")
            self.do(f"read {k} {MOST}")
        self.do(f"in {l} {f} {self.random.randrange(8) * PAGE} {3 * PAGE}")
        self.do(f"get {f} 0 {MOST}")

    def draw_pair(self, k):
        f = self.to_change()
        if f is None:
            return self.draw_read(k)
        if self.random.random() < 0.2:  # nothing waits, because the pipes have O_NONBLOCK
            self.do(f"read {k} {MOST}")
        for _ in range(self.random.randrange(1, 4)):
            self.one_pair(k, f)

    def one_pair(self, k, f):
        """Mostly a pipe and a file with one thing about them that is wrong."""
        r = self.random
        n, offset = r.choice([1, 100, PAGE, 9000]), f"@{self.place(f)}"
        bad = ["nowhere", f"@{HUGE - n}", f"@{HUGE - 1}", "@-1", f"@{-HUGE}"]
        chance = r.random()
        if chance < 0.25:
            places = [r.choice(["none", offset]), "none"]
            kinds = [r.choice(["file", "append", "read-only"]), "pipe"]
        elif chance < 0.5:
            places = ["none", r.choice(["none", offset])]
            kinds = ["pipe", r.choice(["file", "write-only", "append"])]
        elif chance < 0.7:
            places, kinds = r.choice([([r.choice(bad), "none"], ["file", "pipe"]), (["none", r.choice(bad)], ["pipe", "file"])])
        else:
            places = [r.choice(["none", "none", offset]) for _ in range(2)]
            kinds = [r.choice(["pipe", "wrong-end", "file", "write-only", "folder", "closed"]), r.choice(["pipe", "wrong-end", "file", "append", "read-only", "closed"])]
        self.do(f"pair {k} {f} {n} {' '.join(kinds)} {' '.join(places)}")

    def draw_file(self, k):
        self.do(f"file {self.any_file()}")

    def draw_out(self, k):
        f = self.any_file()
        self.do(f"out {f} {k} {self.place(f)} {self.bytes()}")

    def draw_in(self, k):
        f = self.to_change()
        if f is None:
            return self.draw_read(k)
        at, n, slots = self.place(f), self.bytes(), self.model.pipes[k].slots
        chance = self.random.random()
        if chance < 0.1:  # not all of it fits below the limit
            at = LIMIT - self.random.choice([1, 100, PAGE, 5000])
        elif chance < 0.2 and slots and len(slots[0].data) > 2:  # nor does all of a part of the first slot
            n = self.random.randrange(2, len(slots[0].data))
            at = LIMIT - self.random.randrange(1, n)
        self.do(f"in {k} {f} {at} {n}")

    def draw_send(self, k):
        f, l = self.any_file(), self.to_change()
        if l is None or f == l:
            return self.draw_get(k)
        self.do(f"send {f} {l} {self.place(f)} {self.bytes()}")


def generate(seed, steps, system="sluice", kinds=None):
    """Returns a script with at least so many operations, and the lines that play must print."""
    return Generator(seed, system, kinds).run(steps)


if __name__ == "__main__":
    sys.exit(pipe.main(Generator, "file", __doc__))
