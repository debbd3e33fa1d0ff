#!/usr/bin/env python3
"""Plays random operations on pipes in a guest, and judges here what came of each. Prints TAP.

usage: tests/play/pipe.py [OPTION]...

  --seed N       the first seed (1)
  --seeds N      how many seeds, each in a guest of its own (1)
  --steps N      operations per seed (400)
  --os linux     play on Linux
  --kernel FILE  play on this kernel
  -c N           CPUs of the guest
  --kinds WORDS  only operations of these kinds; with `streams`, no pipe has packets
  --script       print the operations and what should come of them, and play nothing

tests/play/gate.py plays with pages that have not arrived, and tests/play/file.py with files. They take the
same options.

The program in the guest, user/test/play.c, carries out the operations. It does not know what should come
of them, so a kernel cannot please it. The model is here: what each operation returns, and which bytes.

  generate(seed, steps)            returns (script, expected lines) for Sluice
  generate(seed, steps, "linux")   the same for Linux, whose rules differ in the places that say so
  generate(..., kinds=[...])       only operations of these kinds (Generator.KINDS, "streams")
"""

import argparse
import random
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PAGE = 4096
PIPES = 4
ROW = 1 << 17
MOST = 1 << 20  # bytes of one operation
LENT_PAGES = 1024
SECONDS = 60  # for a guest
ASLEEP = 5  # seconds without any work that end a guest


class Failure(Exception):
    """A call fails with this error."""


def make_row():
    """The row of bytes that the guest knows as well. It repeats, so that a slice need not wrap."""
    row, state = bytearray(ROW), 1
    for i in range(ROW):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        row[i] = state >> 24
    return bytes(row * (1 + MOST // ROW))


ROW_BYTES = make_row()


def stream(n, seed):
    at = seed % ROW
    return ROW_BYTES[at : at + n]


@dataclass
class Slot:
    data: bytes
    end: int  # where the bytes end in their page
    merge: bool = False  # a write may append to it
    packet: bool = False

    def begin(self, n):
        """The first n bytes, which never have the right to append."""
        return replace(self, data=self.data[:n], end=self.end - len(self.data) + n, merge=False)

    def drop(self, n):
        self.data = self.data[n:]


class Pipe:
    def __init__(self, packets):
        self.slots, self.nr, self.packets = [], 16, packets
        self.reader = self.writer = True

    def room(self):
        return max(0, self.nr - len(self.slots))

    def bytes(self):
        return sum(len(slot.data) for slot in self.slots)

    def __str__(self):
        slots = " ".join(f"{len(s.data)}{'+' * s.merge}{'p' * s.packet}" for s in self.slots)
        ends = "r" * self.reader + "w" * self.writer
        return f"{ends or 'closed'} {len(self.slots)}/{self.nr} [{slots}]"


class Model:
    """What each operation returns. A method returns a number, or bytes that are read, or raises Failure."""

    def __init__(self, system):
        self.linux = system == "linux"
        self.pipes = [None] * PIPES
        self.memory = b""  # that was given last

    # --- single pipes ---

    def pipe(self, k, packets):
        self.pipes[k] = Pipe(packets)
        return 0

    def writable(self, k):
        p = self.pipes[k]
        if not p.writer:
            raise Failure("EBADF")
        return p

    def must_have_reader(self, p):
        if not p.reader:
            raise Failure("EPIPE SIGPIPE")

    def must_have_room(self, p):
        """For calls that fill slots of their own. That nobody reads counts before that there is no room."""
        self.must_have_reader(p)
        if not p.room():
            raise Failure("EAGAIN")

    def must_not_be_awaited(self, p):
        """A pipe without bytes is at its end if it has no writer."""
        if not p.slots and p.writer:
            raise Failure("EAGAIN")

    def write(self, k, data):
        p = self.writable(k)
        if not data:
            return 0
        self.must_have_reader(p)
        left, whole = data, len(data) <= PAGE
        if self.linux and p.slots:
            left = self.merge_on_linux(p, data)
        while left:
            last = p.slots[-1] if p.slots else None
            n = min(len(left), PAGE - last.end) if last and last.merge and not p.packets and not self.linux else 0
            if n > 0 and (n == len(left) or not whole):
                last.data += left[:n]
                last.end += n
            elif p.room():
                n = min(len(left), PAGE)
                p.slots.append(Slot(left[:n], n, merge=not p.packets, packet=p.packets))
            else:
                break
            left = left[n:]
        if len(left) == len(data):
            raise Failure("EAGAIN")
        return len(data) - len(left)

    def merge_on_linux(self, p, data):
        """Linux appends only what is over a multiple of the page size, and only if it fits."""
        last, n = p.slots[-1], len(data) % PAGE
        if n and last.merge and last.end + n <= PAGE:
            last.data += data[:n]
            last.end += n
            return data[n:]
        return data

    def write_bad(self, k, n):
        p = self.writable(k)
        if n == 0:
            return 0
        self.must_have_reader(p)
        last = p.slots[-1] if p.slots else None
        space = PAGE - last.end if last and last.merge and not p.packets else 0
        appends = space > 0 and (n > PAGE or n <= space)
        raise Failure("EFAULT" if appends or p.room() else "EAGAIN")

    def readable(self, k):
        p = self.pipes[k]
        if not p.reader:
            raise Failure("EBADF")
        return p

    def read(self, k, n):
        p = self.readable(k)
        out = b""
        if n == 0:
            return out
        while p.slots and len(out) < n:
            slot = p.slots[0]
            if slot.packet:
                if out and not self.linux:  # Linux adds the packet to the bytes before it
                    break
                p.slots.pop(0)
                return out + slot.data[: n - len(out)]
            taken = slot.data[: n - len(out)]
            out += taken
            slot.drop(len(taken))
            if not slot.data:
                p.slots.pop(0)
        if not out and p.writer:
            raise Failure("EAGAIN")
        return out

    def read_bad(self, k, n):
        p = self.readable(k)
        if n == 0 or not (p.slots or p.writer):
            return 0
        raise Failure("EFAULT" if p.slots else "EAGAIN")

    def vmsplice(self, k, data):
        p = self.writable(k)
        if not data:
            return 0
        self.must_have_room(p)
        data = data[: p.room() * PAGE]
        for at in range(0, len(data), PAGE):
            piece = data[at : at + PAGE]
            p.slots.append(Slot(piece, len(piece)))
        return len(data)

    def gift(self, k, data):
        """The memory then reads as zeros. Linux takes nothing away."""
        self.memory = data
        done = self.vmsplice(k, data)
        if not self.linux:
            self.memory = bytes(done) + data[done:]
        return done

    def either(self, k):
        p = self.pipes[k]
        if not (p.reader or p.writer):
            raise Failure("EBADF")
        return p

    def count(self, k):
        return self.either(k).bytes()

    def size(self, k):
        return self.either(k).nr * PAGE

    def resize(self, k, n):
        p, nr = self.either(k), 1
        while nr * PAGE < n:
            nr *= 2
        if len(p.slots) > nr:
            raise Failure("EBUSY")
        p.nr = nr
        return nr * PAGE

    def poll(self, k, end="rw"):
        p, said = self.pipes[k], ""
        ends = 0
        if p.reader and "r" in end:
            events = " in" * bool(p.slots) + " hup" * (not p.writer)
            ends, said = ends + bool(events), said + events
        if p.writer and "w" in end:
            events = " out" * bool(p.room()) + " err" * (not p.reader)
            ends, said = ends + bool(events), said + events
        return f"{ends}{said}"

    def close(self, k, end):
        p = self.pipes[k]
        if not (p.reader if end == "r" else p.writer):
            raise Failure("EBADF")
        if end == "r":
            p.reader = False
        else:
            p.writer = False
        if not (p.reader or p.writer):
            p.slots = []
        return 0

    # --- between pipes ---

    def move(self, k, l, n, keep):
        a, b = self.pipes[k], self.pipes[l]
        if n == 0:
            return 0
        if not (a.reader and b.writer):
            raise Failure("EBADF")
        if k == l:
            raise Failure("EINVAL")
        # The source counts first. A full target is noticed even if nothing will come.
        self.must_not_be_awaited(a)
        self.must_have_room(b)
        if not a.slots:
            return 0
        moved, done = [], 0
        for slot in a.slots[: b.room()]:
            taken = min(len(slot.data), n - done)
            if taken:
                moved.append(slot.begin(taken))
            done += taken
            # On Linux the right to append goes along with a whole slot.
            if taken == len(slot.data) and self.linux and not keep:
                moved[-1].merge = slot.merge
        if not keep:
            self.remove(a, done)
        b.slots += moved
        return done

    def remove(self, p, n):
        while n:
            taken = min(n, len(p.slots[0].data))
            p.slots[0].drop(taken)
            if not p.slots[0].data:
                p.slots.pop(0)
            n -= taken

    def splice(self, k, l, n):
        return self.move(k, l, n, keep=False)

    def tee(self, k, l, n):
        return self.move(k, l, n, keep=True)

    # --- a line of the script ---

    def call(self, name, words):
        number = [int(word) for word in words if word.isdigit()]
        k = number[0]
        match name:
            case "pipe":
                return self.pipe(k, words[1] == "packets")
            case "write":
                return self.write(k, stream(number[1], number[2]))
            case "pump":
                return stream(number[1], number[2])
            case "vmsplice":
                return self.vmsplice(k, stream(number[1], number[2]))
            case "gift":
                return self.gift(k, stream(number[1], number[2]))
            case "look":
                return self.memory[: number[1]]
            case "close":
                return self.close(k, words[1])
            case "poll":
                return self.poll(k, words[1] if len(words) > 1 else "rw")
            case _:
                return getattr(self, name.replace("-", "_"))(*number)

    def result(self, line):
        """Carries out an operation. Returns what play prints."""
        name, *words = line.split()
        if name == "scribble":
            return "0"
        try:
            value = self.call(name, words)
        except Failure as failure:
            return str(failure)
        if isinstance(value, bytes):
            return f"{len(value)} bytes, crc {zlib.crc32(value):08x}" if value else "0"
        return str(value)


class Generator:
    """Draws operations that fit the model's state: pipes get full and empty, and what waits is woken."""

    MODEL = Model

    def __init__(self, seed, system, kinds=None):
        self.random, self.model = random.Random(seed), self.MODEL(system)
        self.kinds = {name: weight for name, weight in self.KINDS.items() if not kinds or name in kinds}
        self.streams = bool(kinds) and "streams" in kinds  # no packets
        self.script, self.expected, self.states = [], [], []
        self.lent = 0

    def do(self, line):
        self.states.append([str(pipe) for pipe in self.model.pipes])
        self.script.append(line)
        self.expected.append(self.model.result(line))

    def bytes(self):
        r = self.random
        usual = [1, 2, 7, 100, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 0]
        return r.choice([*usual, r.randrange(1, PAGE), r.randrange(1, PAGE), r.randrange(1, 20000), r.randrange(1, 80000)])

    def seed(self):
        return self.random.randrange(ROW)

    def run(self, steps):
        for k in range(PIPES):
            self.make(k, "packets" if k == PIPES - 1 else "stream")
        while len(self.script) < steps:
            self.step()
        return "\n".join(self.script) + "\n", self.expected + ["lost: nothing"]

    def make(self, k, kind):
        self.do(f"pipe {k} {'stream' if self.streams else kind}")

    # Weights of the operations.
    KINDS = {
        "write": 20, "read": 17, "splice": 9, "tee": 6, "vmsplice": 3, "gift": 2, "scribble": 2, "poll": 8,
        "count": 6, "resize": 5, "size": 1, "fill": 3, "empty": 3, "bad": 3, "close": 1, "wait": 10, "pump": 3,
    }  # fmt: skip

    def step(self):
        kind = self.random.choices(list(self.kinds), list(self.kinds.values()))[0]
        k = self.random.randrange(PIPES)
        p = self.model.pipes[k]
        # A pipe with a closed end is of use for a few operations only.
        if not (p.reader and p.writer) and self.random.random() < 0.15:
            self.make(k, self.random.choice(["stream", "stream", "packets"]))
            return
        getattr(self, "draw_" + kind)(k)

    def draw_write(self, k):
        self.do(f"write {k} {self.bytes()} {self.seed()}")

    def draw_read(self, k):
        self.do(f"read {k} {self.bytes()}")

    def draw_splice(self, k):
        self.do(f"splice {k} {self.random.randrange(PIPES)} {self.bytes()}")

    def draw_tee(self, k):
        self.do(f"tee {k} {self.random.randrange(PIPES)} {self.bytes()}")

    def lend(self, k, name, n):
        pages = (n + PAGE - 1) // PAGE
        if self.lent + pages > LENT_PAGES:
            return self.draw_write(k)
        self.lent += pages
        self.do(f"{name} {k} {n} {self.seed()}")

    def draw_vmsplice(self, k):
        self.lend(k, "vmsplice", self.bytes())

    def draw_gift(self, k):
        n = PAGE * self.random.randrange(1, 5)
        self.lend(k, "gift", n)
        if self.script[-1].startswith("gift"):
            self.do(f"look 0 {n}")

    def draw_scribble(self, k):
        # On Linux the bytes in a pipe change with the memory.
        self.do(f"count {k}" if self.model.linux else "scribble")

    def draw_poll(self, k):
        self.do(f"poll {k}")

    def draw_count(self, k):
        self.do(f"count {k}")

    def draw_size(self, k):
        self.do(f"size {k}")

    def draw_resize(self, k):
        self.do(f"resize {k} {self.random.choice([1, 4096, 4097, 8192, 16384, 32768, 65536, 131072])}")

    def look(self, k):
        if "poll" in self.kinds:
            self.do(f"poll {k}")

    def draw_fill(self, k):
        self.do(f"write {k} {self.model.pipes[k].nr * PAGE + self.random.choice([0, 1, 5000])} {self.seed()}")
        self.look(k)
        self.do(f"write {k} {self.random.choice([1, 100, PAGE])} {self.seed()}")

    def draw_empty(self, k):
        self.do(f"read {k} {1 << 20}")
        self.look(k)

    def draw_bad(self, k):
        chance = self.random.random()
        if self.model.linux or chance < 0.4:
            self.do(f"read-bad {k} {self.bytes()}")
        elif chance < 0.7:  # Linux leaves an empty slot behind
            self.do(f"write-bad {k} {self.bytes()}")
        else:
            self.append_bad(k)
        self.do(f"count {k}")

    def append_bad(self, k):
        """Fails to append. The page stays that of the slot, and the next write must not get it."""
        other = self.others(k, lambda q: q.reader and q.writer and q.room() and not q.packets)
        if self.model.pipes[k].room() and not self.model.pipes[k].packets and other is not None:
            self.do(f"write {k} {self.random.randrange(1, PAGE)} {self.seed()}")
            self.do(f"write-bad {k} 1")
            self.do(f"write {other} {PAGE} {self.seed()}")
            self.do(f"read {k} {1 << 20}")

    def draw_close(self, k):
        self.do(f"close {k} {self.random.choice('rw')}")
        self.do(f"poll {k}")

    def draw_pump(self, k):
        p = self.model.pipes[k]
        if p.packets or not (p.reader and p.writer):
            return self.draw_write(k)
        while p.slots:
            self.do(f"read {k} {1 << 20}")
        self.do(f"pump {k} {self.random.randrange(1, 1 << 17)} {self.seed()}")

    # --- operations that wait ---

    def draw_wait(self, k):
        p = self.model.pipes[k]
        if not (p.reader and p.writer):
            return self.draw_poll(k)
        chance = self.random.random()
        if chance < 0.25 and p.slots:
            self.need_not_wait(k)
        elif chance < 0.7:
            self.waits_for_bytes(k)
        else:
            self.waits_for_room(k)

    def start(self, line, says="asleep"):
        """Begins an operation that may wait, and here must wait. It is carried out in the model when it is joined."""
        self.states.append([str(pipe) for pipe in self.model.pipes])
        self.script.append("start " + line)
        self.expected.append(says)
        return line

    def join(self, started):
        self.states.append([str(pipe) for pipe in self.model.pipes])
        self.script.append(f"join {len(started)}")
        self.expected.append("; ".join(sorted(self.model.result(line) for line in started)))

    def others(self, k, accept):
        found = [l for l in range(PIPES) if l != k and accept(self.model.pipes[l])]
        return self.random.choice(found) if found else None

    def need_not_wait(self, k):
        """A read of more than there is, or a write or a splice that finds room, does not wait."""
        r, p = self.random, self.model.pipes[k]
        target = self.others(k, lambda q: q.reader and q.writer and q.room())
        kind = r.choice(["read", "read", "write", "splice"])
        if kind == "splice" and target is not None:
            line = f"splice {k} {target} {1 << 20}"
        elif kind == "write" and p.room():
            line = f"write {k} {min(p.room(), r.randrange(1, 4)) * PAGE} {self.seed()}"
        else:
            line = f"read {k} {p.bytes() + r.choice([1, 100, PAGE])}"
        self.join([self.start(line, "ended")])

    def waits_for_bytes(self, k):
        """One or two readers, a splice or a poll wait for an empty pipe. A write, a move or a close wakes them."""
        r, p = self.random, self.model.pipes[k]
        if p.slots:
            self.do(f"read {k} {1 << 20}")
            while p.slots:
                self.do(f"read {k} {PAGE}")
        n = r.choice([1, 7, 100, 1000, PAGE])
        target = self.others(k, lambda q: q.reader and q.writer and q.room())
        kind = r.choice(["read", "read", "two", "splice", "poll"])
        if kind == "splice" and target is not None:
            started = [self.start(f"splice {k} {target} {n}")]
        elif kind == "poll":
            started = [self.start(f"poll {k} r")]
        elif kind == "two":
            n = min(n, PAGE // 2)
            started = [self.start(f"read {k} {n}"), self.start(f"read {k} {n}")]
        else:
            started = [self.start(f"read {k} {n}")]
        self.wake_readers(k, n, len(started))
        self.join(started)

    def wake_readers(self, k, n, readers):
        r, p = self.random, self.model.pipes[k]
        source = self.others(k, lambda q: q.reader and q.bytes() >= n * readers and not any(s.packet for s in q.slots))
        kind = r.choice(["write", "write", "splice", "tee", "vmsplice", "close"])
        if kind == "close":
            self.do(f"close {k} w")
        elif kind in ("splice", "tee") and source is not None and self.model.pipes[source].slots:
            self.do(f"{kind} {source} {k} {r.choice([1 << 20, n * readers]) if readers == 1 else 1 << 20}")
            self.more_for_the_second(k, n, readers)
        elif kind == "vmsplice" and self.lent < LENT_PAGES:
            self.lent += 1
            self.do(f"vmsplice {k} {n * readers} {self.seed()}")
        elif p.packets and readers == 2:
            self.do(f"write {k} {n} {self.seed()}")
            self.do(f"write {k} {n} {self.seed()}")
        else:
            self.do(f"write {k} {n * readers} {self.seed()}")

    def more_for_the_second(self, k, n, readers):
        """If the pipe had no room for all that was moved, the second reader needs more."""
        if readers == 2 and self.model.pipes[k].bytes() < 2 * n:
            self.do(f"close {k} w")

    def waits_for_room(self, k):
        """A writer, a splice or a poll waits for a full pipe. A read, a move, a larger size or a close wakes it."""
        r, p = self.random, self.model.pipes[k]
        while p.room():
            self.do(f"write {k} {p.room() * PAGE + PAGE} {self.seed()}")
        n = PAGE  # so that it does not fit behind the last byte
        source = self.others(k, lambda q: q.reader and q.slots)
        kind = r.choice(["write", "write", "two", "splice", "poll"])
        line = f"write {k} {n} {self.seed()}"
        if kind == "splice" and source is not None:
            started = [self.start(f"splice {source} {k} {r.choice([1, 100, PAGE])}")]
        elif kind == "poll":
            started = [self.start(f"poll {k} w")]
        elif kind == "two" and p.nr > 1:
            started = [self.start(line), self.start(line)]
        else:
            started = [self.start(line)]
        self.wake_writers(k, len(started), source)
        self.join(started)

    def wake_writers(self, k, writers, source):
        r, p = self.random, self.model.pipes[k]
        n = sum(len(slot.data) for slot in p.slots[:writers])
        target = self.others(k, lambda q: q.reader and q.writer and q.room() >= writers and q is not self.model.pipes[source or 0])
        kind = r.choice(["read", "read", "splice", "resize", "close"])
        if kind == "close":
            self.do(f"close {k} r")
        elif kind == "resize":
            self.do(f"resize {k} {2 * p.nr * PAGE}")
        elif kind == "splice" and target is not None:
            self.do(f"splice {k} {target} {n}")
        elif p.slots[0].packet or any(slot.packet for slot in p.slots[:writers]):
            for slot in p.slots[:writers]:
                self.do(f"read {k} {max(1, len(slot.data) - r.choice([0, 1]))}" if slot.packet else f"read {k} {len(slot.data)}")
        else:
            self.do(f"read {k} {n}")


def generate(seed, steps, system="sluice", kinds=None):
    """Returns a script with at least so many operations, and the lines that play must print."""
    return Generator(seed, system, kinds).run(steps)


# --- playing ---


def guest(script, options):
    """Returns the lines that play printed in a guest, and what tools/guest said."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script"
        file.write_text(script)
        words = ["--direct", "--timeout", SECONDS, "--add", f"{file}:/root/script"]
        words += ["--os", "linux"] if options.os == "linux" else ["--asleep", ASLEEP]
        # Free pages are compared, so the program's stack must begin at the same place of a page each time.
        words += ["--append", "norandmaps"]
        words += ["--kernel", options.kernel] if options.kernel else []
        words += ["-c", options.cpus] if options.cpus else []
        argv = [TOP / "tools/guest", *words, "--log", Path(folder) / "log", "--", "/test/play", "script"]
        done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    said = done.stderr.strip()
    return done.stdout.splitlines(), said or (f"exit status {done.returncode}" if done.returncode else "")


def difference(generator, expected, lines, said):
    """Returns the lines of a report on the first line that is not as expected, or None."""
    for at, (want, got) in enumerate(zip(expected, lines + [None] * len(expected))):
        if want == got:
            continue
        script, before = [*generator.script, "(the end)"], max(0, at - 8)
        report = [f"step {at + 1}: {script[at]}", f"expected: {want}", f"got:      {got if got is not None else 'nothing'}"]
        report += ["before it:", *(f"  {line}  -> {result}" for line, result in zip(script[before:at], expected[before:at]))]
        if at < len(generator.states):
            report += [f"pipe {k}: {state}" for k, state in enumerate(generator.states[at])]
        return report + said.splitlines()
    if len(lines) > len(expected) or said:
        return [f"{len(lines)} lines instead of {len(expected)}", *said.splitlines()]
    return None


def main(generator_class, name, doc):
    parser = argparse.ArgumentParser(usage=doc.split("\n\n")[1].removeprefix("usage: "), add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--os", choices=["sluice", "linux"])
    parser.add_argument("--kernel", type=Path)
    parser.add_argument("-c", dest="cpus", type=int)
    parser.add_argument("--kinds", type=str.split)
    parser.add_argument("--script", action="store_true")
    options = parser.parse_args()
    if options.help:
        print(doc.strip())
        return 0
    failures = 0
    for number in range(options.seeds):
        generator = generator_class(options.seed + number, options.os or "sluice", options.kinds)
        script, expected = generator.run(options.steps)
        if options.script:
            print("\n".join(f"{line}  -> {want}" for line, want in zip([*generator.script, "(the end)"], expected)))
            continue
        report = difference(generator, expected, *guest(script, options))
        failures += report is not None
        print(f"{'not ' if report else ''}ok {number + 1} - {name}: seed {options.seed + number}, {len(expected) - 1} steps", flush=True)
        for line in report or []:
            print(f"# {line}")
    if not options.script:
        print(f"1..{options.seeds}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Generator, "pipe", __doc__))
