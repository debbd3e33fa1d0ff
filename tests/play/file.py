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
from pipe import MOST, PAGE, PIPES

FILES = 3
LARGEST = 200000  # no file grows beyond it, so that none of them fills the memory
SPLICES = {"out", "in", "send"}


@dataclass
class Slot(pipe.Slot):
    file: int | None = None  # it has pages of this file


class Model(pipe.Model):
    def __init__(self, system):
        super().__init__(system)
        self.files = [bytearray() for _ in range(FILES)]

    def file(self, f):
        self.files[f] = bytearray()
        return 0

    def change(self, f, at, data):
        file = self.files[f]
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
        file.extend(bytes(max(0, n - len(file))))
        del file[n:]
        return 0

    def out(self, f, k, at, n):
        if n == 0:
            return 0
        p = self.writable(k)
        if not p.reader:
            raise pipe.Failure("EPIPE SIGPIPE")
        if not p.room():
            raise pipe.Failure("EAGAIN")
        data, done, offset = self.get(f, at, n), 0, at % PAGE
        while done < len(data) and p.room():
            piece = data[done : done + PAGE - offset]
            p.slots.append(Slot(piece, PAGE, file=f))
            done, offset = done + len(piece), 0
        return done

    def take(self, k, f, at, n):
        """A splice from pipe k to file f."""
        if n == 0:
            return 0
        p = self.readable(k)
        if not p.slots:
            if p.writer:
                raise pipe.Failure("EAGAIN")
            return 0
        data = b"".join(slot.data for slot in p.slots)[:n]
        self.remove(p, len(data))
        return self.change(f, at, data)

    def send(self, f, l, at, n):
        return self.change(l, len(self.files[l]), self.get(f, at, n))

    def call(self, name, words):
        return self.take(*map(int, words)) if name == "in" else super().call(name, words)

    def held(self, f):
        """Has a pipe pages of the file?"""
        return any(isinstance(slot, Slot) and slot.file == f for p in self.pipes for slot in p.slots)


class Generator(pipe.Generator):
    MODEL = Model
    KINDS = {
        "put": 14, "get": 14, "cut": 5, "out": 18, "in": 16, "send": 5, "file": 1, "write": 8, "read": 10, "splice": 6,
        "tee": 6, "vmsplice": 4, "gift": 5, "scribble": 3, "poll": 2, "count": 3, "resize": 2, "close": 1,
    }  # fmt: skip

    def run(self, steps):
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

    def fitting(self, at, n):
        return max(0, min(n, LARGEST - at))

    def draw_put(self, k):
        f = self.to_change()
        if f is None:
            return self.draw_read(k)
        at = self.place(f)
        self.do(f"put {f} {at} {self.fitting(at, self.bytes())} {self.seed()}")

    def draw_get(self, k):
        f = self.any_file()
        self.do(f"get {f} {self.place(f)} {self.bytes()}")

    def draw_cut(self, k):
        f = self.to_change()
        if f is None:
            return self.draw_read(k)
        self.do(f"cut {f} {min(self.place(f), LARGEST)}")

    def draw_file(self, k):
        self.do(f"file {self.any_file()}")

    def draw_out(self, k):
        f = self.any_file()
        self.do(f"out {f} {k} {self.place(f)} {self.bytes()}")

    def draw_in(self, k):
        f = self.to_change()
        if f is None:
            return self.draw_read(k)
        at = self.place(f)
        self.do(f"in {k} {f} {at} {self.fitting(at, self.bytes())}")

    def draw_send(self, k):
        f, l = self.any_file(), self.to_change()
        if l is None or f == l:
            return self.draw_get(k)
        self.do(f"send {f} {l} {self.place(f)} {self.fitting(len(self.model.files[l]), self.bytes())}")


def generate(seed, steps, system="sluice", kinds=None):
    """Returns a script with at least so many operations, and the lines that play must print."""
    return Generator(seed, system, kinds).run(steps)


if __name__ == "__main__":
    sys.exit(pipe.main(Generator, "file", __doc__))
