"""The recorded writes of a disk, and the disk as a crash may leave it.

The log is that of QEMU's driver blklogwrites, whose format is that of Linux's dm-log-writes
(Documentation/admin-guide/device-mapper/log-writes.rst). A write is recorded before the guest learns that it
has been done.
"""

import random
import struct
import zlib
from dataclasses import dataclass

SECTOR = 512
MAGIC, VERSION = 0x6A736677736872, 1
FLUSH, MARK = 1, 8
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")


@dataclass
class Write:
    sector: int
    data: bytes


@dataclass
class Point:
    """A crash: `cut` entries of the log have happened, and of the writes since the last flush only what `survives` says."""

    cut: int
    flushed: int  # entries up to the last flush before the cut
    survives: tuple  # for each write between: a tuple of the sectors that have reached the disk, or True for all
    mark: int  # the last operation whose mark is before the cut, or -1
    how: str
    key: int = 0  # equal images have the same


class Log:
    """entries: a Write, an int (the mark of this operation) or None (a flush)."""

    def __init__(self, data, size):
        magic, version, _, sector_size = SUPER.unpack_from(data)
        if (magic, version, sector_size) != (MAGIC, VERSION, SECTOR):
            raise ValueError("this is no log of blklogwrites")
        self.entries, at = [], SECTOR
        while at + SECTOR <= len(data):
            sector, count, flags, _ = ENTRY.unpack_from(data, at)
            at += SECTOR
            if flags & ~FLUSH:
                raise ValueError(f"an entry of the log has the flags {flags:#x}")
            if count and sector * SECTOR < size:
                self.entries.append(Write(sector, data[at : at + count * SECTOR]))
            elif count:
                self.entries.append(int(data[at : at + SECTOR].split()[1]))
            if flags & FLUSH:
                self.entries.append(None)
            at += count * SECTOR

    def marks(self):
        """Yields (index, operation) of each mark. If a mark was written twice, the first one counts."""
        last = -1
        for index, entry in enumerate(self.entries):
            if type(entry) is int and entry > last:
                last = entry
                yield index, entry


def apply(disk, write, sectors=True):
    """Puts a write, or these of its sectors, to the disk."""
    for i in range(len(write.data) // SECTOR) if sectors is True else sectors:
        place = (write.sector + i) * SECTOR
        disk[place : place + SECTOR] = write.data[i * SECTOR : (i + 1) * SECTOR]


def fingerprint(place, data):
    return zlib.crc32(data, place) << 32 | zlib.crc32(data, ~place & 0xFFFFFFFF)


class Planner:
    """Draws points, and knows which of them are equal disks."""

    def __init__(self, log, rng):
        self.log, self.rng = log, rng
        self.flush_before, self.mark_before = [], []
        flushed, mark = 0, -1
        for index, entry in enumerate([*log.entries, None]):
            self.flush_before.append(flushed)
            self.mark_before.append(mark)
            if entry is None:
                flushed = index + 1
            elif type(entry) is int:
                mark = max(mark, entry)

    def pending(self, cut):
        return [entry for entry in self.log.entries[self.flush_before[cut] : cut] if isinstance(entry, Write)]

    def point(self, cut, survives, how):
        return Point(cut, self.flush_before[cut], tuple(survives), self.mark_before[cut], how)

    def lost(self, cut):
        """Nothing survives that was not flushed."""
        return self.point(cut, [()] * len(self.pending(cut)), "all unflushed writes lost")

    def whole(self, cut):
        return self.point(cut, [True] * len(self.pending(cut)), "no write lost")

    def some(self, cut):
        """Some writes are lost, and some are torn: only some of their sectors survive."""
        writes, rng = self.pending(cut), self.rng
        if not writes:
            return self.whole(cut)
        way = rng.choice(["all but one", "only one", "some", "some torn", "last torn"])
        chosen = rng.randrange(len(writes))
        survives = [True] * len(writes)
        if way == "all but one":
            survives[chosen] = ()
        elif way == "only one":
            survives = [i == chosen or () for i in range(len(writes))]
        elif way == "some":
            survives = [rng.random() < 0.5 or () for _ in writes]
        elif way == "some torn":
            survives = [rng.choice([True, (), self.torn(write)]) for write in writes]
        else:
            survives[-1] = self.torn(writes[-1])
        return self.point(cut, survives, way)

    def torn(self, write):
        count = len(write.data) // SECTOR
        if self.rng.random() < 0.5:
            return tuple(range(self.rng.randrange(count + 1)))
        return tuple(i for i in range(count) if self.rng.random() < 0.5)

    def draw(self, count, after_marks=0.5):
        """Returns `count` points. This part of them is after marks, with all lost that was not flushed."""
        everywhere = range(len(self.log.entries) + 1)
        marks = [index + 1 for index, _ in self.log.marks()]
        points = [self.lost(cut) for cut in self.rng.sample(marks, min(len(marks), int(count * after_marks)))]
        while len(points) < count:
            cut = self.rng.choice(everywhere)
            # Just before a flush most is lost. More writes before it make it more probable.
            cut = self.rng.choice([cut, self.flush_from(cut)])
            points.append(self.rng.choice([self.whole, self.some, self.some, self.some])(cut))
        return self.with_keys(points)

    def flush_from(self, cut):
        """Returns the cut that is just before the next flush."""
        entries = self.log.entries
        return next((index for index in range(cut, len(entries)) if entries[index] is None), len(entries))

    def all(self):
        """Returns a point for every cut with nothing lost, for every cut with everything lost, and others."""
        everywhere = range(len(self.log.entries) + 1)
        ways = [self.whole, self.lost, self.some, self.some, self.some]
        return self.with_keys([way(cut) for cut in everywhere for way in ways])

    def with_keys(self, points):
        """Sorts the points and gives each its key."""
        points.sort(key=lambda point: (point.flushed, point.cut))
        sectors, key, at = {}, 0, 0

        def put(sectors, write, which, key):
            for i in range(len(write.data) // SECTOR) if which is True else which:
                place = write.sector + i
                new = fingerprint(place, write.data[i * SECTOR : (i + 1) * SECTOR])
                key ^= sectors.get(place, 0) ^ new
                sectors[place] = new
            return key

        for point in points:
            for entry in self.log.entries[at : point.flushed]:
                if isinstance(entry, Write):
                    key = put(sectors, entry, True, key)
            at = max(at, point.flushed)
            over, point.key = Layer(sectors), key
            for write, which in zip(self.pending(point.cut), point.survives):
                point.key = put(over, write, which, point.key)
        return points


class Layer(dict):
    """A dictionary over another one, which does not change."""

    def __init__(self, below):
        super().__init__()
        self.below = below

    def get(self, key, default=None):
        return self[key] if key in self else self.below.get(key, default)


class Disk:
    """The disk as it was at one point after another. The points must be in order."""

    def __init__(self, base, log):
        self.disk, self.log, self.at = bytearray(base), log, 0

    def image(self, point):
        for entry in self.log.entries[self.at : point.flushed]:
            if isinstance(entry, Write):
                apply(self.disk, entry)
        self.at = max(self.at, point.flushed)
        image = bytearray(self.disk)
        writes = [entry for entry in self.log.entries[point.flushed : point.cut] if isinstance(entry, Write)]
        for write, which in zip(writes, point.survives):
            apply(image, write, which)
        return image
