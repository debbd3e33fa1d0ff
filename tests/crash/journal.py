"""Makes and reads the journal of an ext3 image, without a kernel.

The format is that of fs/ext2/journal_format.h. Writer makes logs that no kernel would write: torn ones, and ones that
begin anywhere. Reader is strict, and says of a log that a kernel has written what is wrong with it.
"""

import struct
from dataclasses import dataclass, field

from image import Image

INODE = 8
SUPER = 1024  # the place of the file system's superblock
INCOMPAT, RECOVER = SUPER + 96, 4
MAGIC = 0xC03B3998
MAGIC_BYTES = struct.pack(">I", MAGIC)
DESCRIPTOR, COMMIT, SUPER_1, SUPER_2, REVOKE = range(1, 6)
ESCAPED, SAME_UUID, LAST = 1, 2, 8
HEADER, TAG, UUID_SIZE = 12, 8, 16
NUMBERS = 1 << 32  # of transactions


class Wrong(Exception):
    """What is wrong with a log."""


@dataclass
class Transaction:
    number: int
    copies: list = field(default_factory=list)  # (block, bytes) in the order of the log
    revoked: list = field(default_factory=list)


class Log:
    """The journal of an image, which is a bytearray."""

    def __init__(self, data):
        self.data, image = data, Image(data)
        self.size = image.block_size
        _, size, _, pointers = image.inode(INODE)
        numbers = struct.unpack("<15I", pointers)
        below = (block for index, number in enumerate(numbers) for block in image.below(number, max(0, index - 11)))
        self.places = [block for _, block in zip(range(size // self.size), below)]
        self.blocks, self.first = self.super_words(16, 2)
        self.at = self.places[0] * self.size

    def super_words(self, at, count):
        return struct.unpack_from(f">{count}I", self.data, self.places[0] * self.size + at)

    @property
    def sequence(self):
        return self.super_words(24, 1)[0]

    @property
    def start(self):
        return self.super_words(28, 1)[0]

    @property
    def uuid(self):
        return bytes(self.data[self.at + 48 : self.at + 64])

    def needs_recovery(self):
        return bool(struct.unpack_from("<I", self.data, INCOMPAT)[0] & RECOVER)

    def next(self, block):
        return self.first if block + 1 == self.blocks else block + 1

    def get(self, block):
        place = self.places[block] * self.size
        return bytes(self.data[place : place + self.size])

    def put(self, block, content):
        place = self.places[block] * self.size
        self.data[place : place + self.size] = content.ljust(self.size, b"\0")


class Writer(Log):
    """Fills the log from block `start` on with transactions from `sequence` on, and marks the file system as one that needs it."""

    def __init__(self, data, start=1, sequence=1):
        super().__init__(data)
        self.head, self.number = start, sequence
        struct.pack_into(">II", data, self.at + 24, sequence, start)
        struct.pack_into(">I", data, self.at + 4, SUPER_2)
        struct.pack_into(">I", data, self.at + 40, 1)  # it may revoke
        struct.pack_into("<I", data, INCOMPAT, struct.unpack_from("<I", data, INCOMPAT)[0] | RECOVER)

    def append(self, content):
        self.put(self.head, content)
        self.head = self.next(self.head)

    def header(self, type):
        return struct.pack(">III", MAGIC, type, self.number % NUMBERS)

    def copies(self, copies, uuids=1):
        """Appends a descriptor and its copies. The first `uuids` tags are followed by a UUID."""
        words = self.header(DESCRIPTOR)
        for i, (block, content) in enumerate(copies):
            flags = SAME_UUID if i >= uuids else 0
            flags |= ESCAPED if content[:4] == MAGIC_BYTES else 0
            flags |= LAST if i == len(copies) - 1 else 0
            words += struct.pack(">II", block, flags) + (b"" if flags & SAME_UUID else self.uuid)
        self.append(words)
        for _, content in copies:
            self.append(bytes(4) + content[4:] if content[:4] == MAGIC_BYTES else content)

    def revokes(self, blocks):
        words = struct.pack(f">I{len(blocks)}I", HEADER + 4 + 4 * len(blocks), *blocks)
        # What is behind the numbers does not count.
        self.append((self.header(REVOKE) + words).ljust(self.size, b"\x11"))

    def commit(self):
        self.append(self.header(COMMIT))
        self.number += 1


class Reader(Log):
    """Reads what a kernel has written."""

    def transactions(self):
        """Returns the transactions that have a commit block. A log that is not as the format says is Wrong."""
        found, at, number, left = [], self.start, self.sequence, self.blocks - self.first
        while at and left > 0:
            transaction, at, used = self.transaction(at, number, left)
            if not transaction:
                break
            found.append(transaction)
            number, left = (number + 1) % NUMBERS, left - used
        return found

    def transaction(self, at, number, left):
        """Returns a transaction, the block behind it and how many blocks it has. If it is not complete: None."""
        transaction, used = Transaction(number), 0
        while used < left:
            here, content = at, self.get(at)
            magic, type, sequence = struct.unpack_from(">III", content)
            at, used = self.next(at), used + 1
            if magic != MAGIC or sequence != number:
                return None, at, used
            if type == COMMIT:
                return transaction, at, used
            if type == REVOKE:
                transaction.revoked += self.revoked(content, here, number)
            elif type == DESCRIPTOR:
                for block, escaped in self.tags(content, here, number):
                    transaction.copies.append((block, self.copy(at, escaped, number, block)))
                    at, used = self.next(at), used + 1
            else:
                raise Wrong(f"block {here} of the log, in transaction {number}, has the type {type}")
        return None, at, used

    def tags(self, content, here, number):
        """Returns (block, whether it is escaped) of all tags of a descriptor."""
        what, at, found = f"the descriptor in block {here} of the log, of transaction {number},", HEADER, []
        while at + TAG <= self.size:
            block, flags = struct.unpack_from(">II", content, at)
            at += TAG
            if not flags & SAME_UUID:
                # Linux writes zeros there, and nobody looks at them.
                if content[at : at + UUID_SIZE] not in (self.uuid, bytes(UUID_SIZE)):
                    raise Wrong(f"{what} has a tag ({block}) that is followed by something else than the journal's UUID")
                at += UUID_SIZE
            elif not found:
                raise Wrong(f"{what} has no UUID behind its first tag")
            if flags & ~(ESCAPED | SAME_UUID | LAST):
                raise Wrong(f"{what} has a tag ({block}) with the flags {flags:#x}")
            if block >= len(self.data) // self.size:
                raise Wrong(f"{what} names block {block}, which does not exist")
            found.append((block, bool(flags & ESCAPED)))
            if flags & LAST:
                return found
        raise Wrong(f"{what} has no tag that is marked as the last one")

    def copy(self, at, escaped, number, block):
        content = self.get(at)
        if content[:4] == MAGIC_BYTES:
            raise Wrong(f"the copy of block {block} in transaction {number} begins with the journal's magic number")
        if escaped and content[:4] != bytes(4):
            raise Wrong(f"the copy of block {block} in transaction {number} is marked as escaped, and does not begin with zeros")
        return MAGIC_BYTES + content[4:] if escaped else content

    def revoked(self, content, here, number):
        used = struct.unpack_from(">I", content, HEADER)[0]
        if not HEADER + 4 <= used <= self.size or used % 4:
            raise Wrong(f"the revoke block in block {here} of the log, of transaction {number}, says that {used} bytes of it are in use")
        return list(struct.unpack_from(f">{(used - HEADER - 4) // 4}I", content, HEADER + 4))


def replayed(transactions):
    """Returns {block: (bytes, number of the transaction)} of what a replay writes."""
    last = {block: i for i, transaction in enumerate(transactions) for block in transaction.revoked}
    found = {}
    for i, transaction in enumerate(transactions):
        for block, content in transaction.copies:
            if i > last.get(block, -1):
                found[block] = content, transaction.number
    return found
