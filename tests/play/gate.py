#!/usr/bin/env python3
"""Plays random operations on pipes with pages that have not arrived, and judges here what came of each. Prints TAP.

usage: tests/play/gate.py [OPTION]...

The options, and how a script is played, are those of tests/play/pipe.py. Pages are spliced from the gate
device (drivers/disk/gate.c), which holds its requests until the script lets them pass, in which order and
with which result it says. Linux has no such device.

  generate(seed, steps)            returns (script, expected lines)
  generate(..., kinds=[...])       only operations of these kinds (Generator.KINDS)

The model knows which requests a splice makes: consecutive pages that are not cached are one request. It
avoids read-ahead by opening the device again for each splice, by never beginning at the first page, and by
splicing no more than MOST_PAGES at once.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pipe
from pipe import MOST, PAGE, PIPES, Failure

BLOCK = 1 << 16  # bytes that one `disk` operation writes
MOST_PAGES = 12
HERE, COMING, FAILED = "here", "coming", "failed"


class Page:
    def __init__(self):
        self.state = COMING


@dataclass
class Slot(pipe.Slot):
    page: Page | None = None  # of the device; None: its bytes have always been here

    def state(self):
        return self.page.state if self.page else HERE


def state_of(slot):
    return slot.state() if isinstance(slot, Slot) else HERE


class Gate:
    """The device: the requests that it holds, and the pages that the kernel has cached."""

    def __init__(self):
        self.closed, self.credit, self.fail = False, 0, 0
        self.held, self.pages = [], {}

    def let_pass(self):
        while self.held and (not self.closed or self.credit):
            self.credit -= self.closed
            failed = self.fail > 0
            self.fail -= failed
            for page in self.held.pop(0):
                page.state = FAILED if failed else HERE

    def submit(self, pages):
        self.held.append(pages)
        self.let_pass()

    def read(self, first, nr):
        """Pages [first, first+nr), of which those that are not cached are on their way."""
        request, found = [], []
        for index in range(first, first + nr):
            if index not in self.pages:
                self.pages[index] = Page()
                request.append(self.pages[index])
            elif request:
                self.submit(request)
                request = []
            found.append(self.pages[index])
        if request:
            self.submit(request)
        return found

    def again(self, page):
        if page.state == FAILED:
            page.state = COMING
            self.submit([page])

    def command(self, word, number=0):
        if word == "close":
            self.closed, self.credit = True, 0
        elif word == "open":
            self.closed = False
        elif word == "pass":
            self.credit += number
        elif word == "fail":
            self.fail = number
        elif word == "reverse":
            self.held.reverse()
        self.let_pass()


class Model(pipe.Model):
    def __init__(self, system):
        super().__init__(system)
        self.gate, self.disk = Gate(), bytearray(MOST)

    def must_be_here(self, p):
        """The first slot, if there is one, must have arrived. If it has failed, its read starts again."""
        state = state_of(p.slots[0]) if p.slots else HERE
        if state == COMING:
            raise Failure("EAGAIN")
        if state == FAILED:
            self.gate.again(p.slots[0].page)
            raise Failure("EIO")

    def read(self, k, n):
        p = self.readable(k)
        if n == 0:
            return b""
        self.must_be_here(p)
        here = self.arrived(p)
        rest, p.slots = p.slots[here:], p.slots[:here]
        try:
            return super().read(k, n)
        finally:
            p.slots += rest

    def read_bad(self, k, n):
        p = self.readable(k)
        if n > 0:
            self.must_be_here(p)
        return super().read_bad(k, n)

    def arrived(self, p):
        """How many slots have arrived, up to the first one that has not."""
        here = [state_of(slot) == HERE for slot in p.slots]
        return here.index(False) if False in here else len(here)

    def count(self, k):
        p = self.either(k)
        return sum(len(slot.data) for slot in p.slots[: self.arrived(p)])

    def poll(self, k, end="rw"):
        p = self.pipes[k]
        if "r" in end and p.reader and self.is_coming(k):
            return "0" if end == "r" else super().poll(k, "w")
        return super().poll(k, end)

    def is_coming(self, k):
        slots = self.pipes[k].slots
        return bool(slots) and state_of(slots[0]) == COMING

    def cold(self, k, at, n):
        if n == 0:
            return 0
        p = self.writable(k)
        self.must_have_room(p)
        first, offset, done = at // PAGE, at % PAGE, 0
        nr = min((offset + n - 1) // PAGE + 1, p.room())
        for page in self.gate.read(first, nr):
            length = min(PAGE - offset, n - done)
            p.slots.append(Slot(bytes(self.disk[at + done : at + done + length]), PAGE, page=page))
            done, offset = done + length, 0
        return done

    def null(self, k, n):
        """A sink that asks for no bytes takes slots that have not arrived."""
        if n == 0:
            return 0
        p = self.readable(k)
        self.must_not_be_awaited(p)
        if not p.slots:
            return 0
        n = min(n, p.bytes())
        self.remove(p, n)
        return n

    def result(self, line):
        name, *words = line.split()
        if name == "gate":
            self.gate.command(words[0], *map(int, words[1:]))
        elif name == "disk":
            at = int(words[1]) * BLOCK
            self.disk[at : at + BLOCK] = pipe.stream(BLOCK, int(words[2]))
        elif name != "mark":
            return super().result(line)
        return "0"


class Generator(pipe.Generator):
    MODEL = Model
    KINDS = {
        "cold": 18, "gate": 12, "fail": 2, "write": 10, "read": 17, "splice": 9, "tee": 9, "null": 3, "poll": 11, "count": 8,
        "vmsplice": 2, "resize": 2, "bad": 2, "fill": 1, "close": 3, "wait": 9, "chain": 4,
        "behind": 2,
    }  # fmt: skip

    def run(self, steps):
        for block in range(MOST // BLOCK):
            self.do(f"disk 0 {block} {self.seed()}")
        self.do("mark")
        for k in range(PIPES):
            self.do(f"pipe {k} stream")
        while len(self.script) < steps:
            self.step()
        self.do("gate fail 0")
        self.do("gate open")
        return "\n".join(self.script) + "\n", self.expected + ["lost: nothing"]

    def draw_gate(self, k):
        r, gate = self.random, self.model.gate
        if gate.closed:
            self.do("gate " + r.choices(["open", "pass 1", f"pass {r.randrange(1, 4)}", "reverse"], [3, 5, 3, 2])[0])
        else:
            self.do("gate close")

    def draw_fail(self, k):
        self.do("gate fail 1")

    def draw_cold(self, k):
        r = self.random
        length = r.choice([1, 100, PAGE, PAGE, PAGE + 1, 2 * PAGE, PAGE * r.randrange(1, 9), r.randrange(1, 8 * PAGE)])
        fresh = [index for index in range(1, MOST // PAGE - MOST_PAGES) if index not in self.model.gate.pages]
        index = r.choice(fresh) if fresh and r.random() < 0.8 else r.randrange(1, MOST // PAGE - MOST_PAGES)
        self.do(f"cold {k} {index * PAGE + r.choice([0, 0, 0, r.randrange(PAGE)])} {length}")

    def draw_close(self, k):
        """Mostly the last writer of a pipe leaves while the first page is on its way, and poll must not say so."""
        coming = [l for l in range(PIPES) if self.model.is_coming(l) and self.model.pipes[l].writer]
        if not coming:
            return self.draw_poll(k)
        k = self.random.choice(coming)
        self.do(f"close {k} {self.random.choice('wwwr')}")
        self.do(f"poll {k}")

    def draw_chain(self, k):
        """Slots whose bytes are on their way go to another pipe or to /dev/null, and nobody asks for the bytes."""
        r, other = self.random, self.others(k, lambda q: q.reader and q.writer)
        if other is None or not (self.model.pipes[k].reader and self.model.pipes[k].writer):
            return self.draw_count(k)
        if not self.model.gate.closed:
            self.do("gate close")
        for l in (k, other):
            if self.model.pipes[l].slots:
                self.do(f"null {l} {1 << 20}")
        self.draw_cold(k)
        n = r.choice([1, 100, PAGE, PAGE + 1, 1 << 20])
        self.do(r.choice([f"splice {k} {other} {n}", f"tee {k} {other} {n}", f"null {k} {n}"]))
        self.do(f"count {other}")

    def draw_behind(self, k):
        """A write goes behind bytes of the device, not into its page."""
        r = self.random
        at = PAGE * r.randrange(1, MOST // PAGE - MOST_PAGES) + r.randrange(PAGE - 200)
        self.do(f"cold {k} {at} 50")
        self.do(f"write {k} {r.randrange(1, 40)} {self.seed()}")
        self.do(f"read {k} {1 << 20}")
        self.do(f"cold {k} {at} 100")

    def draw_null(self, k):
        self.do(f"null {k} {self.bytes()}")

    def draw_empty(self, k):
        self.do(f"read {k} {1 << 20}")

    def draw_wait(self, k):
        """A read or a poll waits for the first page, while other operations go on at the same pipe."""
        p = self.model.pipes[k]
        if not (p.reader and p.writer):
            return self.draw_poll(k)
        if not self.model.gate.closed:
            self.do("gate close")
        if self.ready(k):
            self.do(f"null {k} {1 << 20}")
        if not p.slots and self.random.random() < 0.7:
            self.draw_cold(k)
        if self.ready(k):
            return self.draw_poll(k)
        n = self.bytes() or 1
        started = [self.start(self.random.choice([f"read {k} {n}", f"read {k} {n}", f"poll {k} r"]))]
        if self.model.is_coming(k) and self.random.random() < 0.25:
            self.overtake(k)
        for _ in range(self.random.randrange(6)):
            if self.ready(k):
                break
            self.meanwhile(k)
        if not self.ready(k):
            self.do("gate open")
        if not self.ready(k):
            self.do(f"write {k} 100 {self.seed()}")
        self.join(started)

    def overtake(self, k):
        """The pages for which a task waits leave the pipe, and bytes behind them are here."""
        p = self.model.pipes[k]
        late = p.bytes()
        self.do(f"write {k} 100 {self.seed()}")
        if p.bytes() > late:
            self.do(f"null {k} {late}" if self.random.random() < 0.5 else f"splice {k} {(k + 1) % PIPES} {late}")

    def ready(self, k):
        return bool(self.model.pipes[k].slots) and not self.model.is_coming(k)

    def meanwhile(self, k):
        kinds = [self.draw_write, self.draw_count, self.draw_poll, self.draw_tee, self.draw_splice, self.draw_null]
        self.random.choice([*kinds, self.draw_cold, self.draw_cold, self.draw_gate, self.draw_gate, self.draw_fail])(k)


def generate(seed, steps, system="sluice", kinds=None):
    """Returns a script with at least so many operations, and the lines that play must print."""
    return Generator(seed, system, kinds).run(steps)


if __name__ == "__main__":
    sys.exit(pipe.main(Generator, "gate", __doc__))
