"""A model of pipes. It makes random scripts for user/test/play.c, and says what each operation must give.

generate(seed, steps, ops) returns the script and the expected lines. `ops` names the operations to draw
from. The model is a list of slots for each pipe, and has nothing in common with the kernel's code.
"""

import random

PAGE = 4096
SLOTS = 16
PIPES = 3  # these are spliced to each other; pipe number PIPES is for packets only
OPS = "write write write read read read bytes poll size splice splice tee misread packet take close".split()


class Refused(Exception):
    """An operation fails; its text is the error's name."""


class Slot:
    def __init__(self, data, end, merge, packet=False):
        self.data, self.end, self.merge, self.packet = data, end, merge, packet  # end: of the bytes, in the page


class Pipe:
    def __init__(self):
        self.slots, self.size, self.open = [], SLOTS, [True, True]

    def must_be_open(self, end):
        if not self.open[end]:
            raise Refused("EBADF")

    def write(self, data, packets):
        self.must_be_open(1)
        if not data:
            return 0
        if not self.open[0]:
            raise Refused("EPIPE")
        done, whole = 0, len(data) <= PAGE
        while done < len(data):
            left, last = len(data) - done, self.slots[-1] if self.slots else None
            room = PAGE - last.end if last and last.merge and not packets else 0
            n = min(left, room)
            if n > 0 and (n == left or not whole):
                last.data += data[done : done + n]
                last.end += n
            elif len(self.slots) >= self.size:
                if done == 0:
                    raise Refused("EAGAIN")
                return done
            else:
                n = min(left, PAGE)
                self.slots.append(Slot(data[done : done + n], n, not packets, packets))
            done += n
        return done

    def read(self, n):
        self.must_be_open(0)
        out = b""
        while self.slots and len(out) < n:
            slot = self.slots[0]
            if slot.packet:
                return self.slots.pop(0).data[:n] if not out else out
            took = min(len(slot.data), n - len(out))
            out, slot.data = out + slot.data[:took], slot.data[took:]
            if not slot.data:
                self.slots.pop(0)
        if n > 0 and not out and self.open[1]:
            raise Refused("EAGAIN")
        return out

    def misread(self, n):
        self.must_be_open(0)
        if n > 0 and self.slots:
            raise Refused("EFAULT")
        if n > 0 and self.open[1]:
            raise Refused("EAGAIN")
        return 0

    def resize(self, bytes_):
        self.must_be_open(0)
        size = 1
        while size * PAGE < bytes_:
            size *= 2
        if size < len(self.slots):
            raise Refused("EBUSY")
        self.size = size
        return size * PAGE

    def events(self):
        first = second = "-"
        if self.open[0]:
            names = (["in"] if self.slots else []) + ([] if self.open[1] else ["hup"])
            first = ",".join(names) or "-"
        if self.open[1]:
            names = (["out"] if len(self.slots) < self.size or not self.open[0] else []) + ([] if self.open[0] else ["err"])
            second = ",".join(names) or "-"
        return f"{first} {second}"

    def close(self, end):
        self.must_be_open(end)
        self.open[end] = False
        if not any(self.open):
            self.slots = []
        return 0


def move(source, target, n, keep):
    """splice, or tee if `keep`: whole slots, and a part of the last one."""
    if n == 0:
        return 0
    source.must_be_open(0)
    target.must_be_open(1)
    if source is target:
        raise Refused("EINVAL")
    if not target.open[0]:
        raise Refused("EPIPE")
    if not source.slots:
        if source.open[1]:
            raise Refused("EAGAIN")
        return 0
    room = target.size - len(target.slots)
    if room <= 0:
        raise Refused("EAGAIN")
    done = whole = 0
    for slot in source.slots[:room]:
        took = min(len(slot.data), n - done)
        if took == 0:
            break
        target.slots.append(Slot(slot.data[:took], slot.end - len(slot.data) + took, False))
        done += took
        if took < len(slot.data):
            slot.data = slot.data if keep else slot.data[took:]
            break
        whole += 1
    if not keep:
        del source.slots[:whole]
    return done


def stream(n, seed):
    out = bytearray(n)
    for i in range(n):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = seed >> 24
    return bytes(out)


def hashed(data):
    h = 2166136261
    for byte in data:
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return f"{h:08x}"


def length(rnd):
    """Mostly lengths at which something changes, but not many large ones, because the model is slow."""
    near = [1, 2, 7, 100, 4095, 4096, 4097, 8192]
    return rnd.choice(near + near + [0, rnd.randrange(1, 4096), rnd.randrange(1, 4096), rnd.randrange(1, 20000), rnd.randrange(1, 70000)])


class Play:
    """One script. Each method of OPS returns a line and a function that carries it out on the model."""

    def __init__(self, seed, ops):
        self.rnd, self.ops = random.Random(seed), ops
        self.pipes = {}

    def step(self):
        """Returns one line of the script and its result."""
        missing = [k for k in range(PIPES + 1) if k not in self.pipes]
        if missing:
            self.pipes[missing[0]] = Pipe()
            return f"pipe {missing[0]}", "0"
        op, k = self.rnd.choice(self.ops), self.rnd.randrange(PIPES)
        line, action = getattr(self, op)(k)
        try:
            return line, str(action())
        except Refused as error:
            return line, str(error)

    def write(self, k, packets=False):
        n, seed = min(length(self.rnd), 65536), self.rnd.getrandbits(32)
        word = "packet" if packets else "write"
        return f"{word} {k} {n} {seed}", lambda: self.pipes[k].write(stream(n, seed), packets)

    def packet(self, k):
        return self.write(PIPES, True)

    def read(self, k):
        n = length(self.rnd)

        def action():
            data = self.pipes[k].read(n)
            return f"{len(data)} {hashed(data)}"

        return f"read {k} {n}", action

    def take(self, k):
        """A read of the pipe with packets."""
        return self.read(PIPES)

    def misread(self, k):
        n = length(self.rnd)
        return f"misread {k} {n}", lambda: self.pipes[k].misread(n)

    def bytes(self, k):
        def action():
            self.pipes[k].must_be_open(0)
            return sum(len(slot.data) for slot in self.pipes[k].slots)

        return f"bytes {k}", action

    def poll(self, k):
        return f"poll {k}", self.pipes[k].events

    def size(self, k):
        bytes_ = self.rnd.choice([1, 4096, 8192, 16384, 65536, 131072])
        return f"size {k} {bytes_}", lambda: self.pipes[k].resize(bytes_)

    def splice(self, k, keep=False):
        other, n = self.rnd.randrange(PIPES), length(self.rnd)
        word = "tee" if keep else "splice"
        return f"{word} {k} {other} {n}", lambda: move(self.pipes[k], self.pipes[other], n, keep)

    def tee(self, k):
        return self.splice(k, True)

    def close(self, k):
        """A closed end is of no more use, so it is seldom done, and a pipe without open ends is made again."""
        if self.rnd.randrange(3):
            return self.bytes(k)
        if not any(self.pipes[k].open):
            self.pipes[k] = Pipe()
            return f"pipe {k}", lambda: 0
        end = self.rnd.randrange(2)
        return f"close {k} {end}", lambda: self.pipes[k].close(end)


def generate(seed, steps, ops=None):
    """Returns the script as one text, and a list with the line that each step must print."""
    play, script, expected = Play(seed, ops or OPS), [], []
    for number in range(1, steps + 1):
        line, result = play.step()
        script.append(line)
        expected.append(f"{number} {line} -> {result}")
    return "\n".join(script) + "\n", expected
