"""Reads an ext2 or ext3 image: all names, with their types, inodes and bytes.

The image must be one that e2fsck finds nothing wrong with. The layout is that of "The Second Extended File
System" (Dave Poirier), as in fs/ext2/format.h.
"""

import stat
import struct

ROOT = 2
MAGIC = struct.pack("<I", 0xEA020000)  # of extended attributes
KINDS = {1: "user.", 4: "trusted.", 6: "security."}
FAST_LINK = 60  # a symbolic link shorter than this is in the inode


class Image:
    def __init__(self, data):
        self.data = data
        self.inode_size = struct.unpack_from("<H", data, 1024 + 88)[0]
        first, log_size = struct.unpack_from("<II", data, 1024 + 20)
        self.per_group = struct.unpack_from("<I", data, 1024 + 40)[0]
        self.block_size = 1024 << log_size
        self.groups = (first + 1) * self.block_size  # the group descriptors

    def place(self, number):
        """Returns the offset of an inode."""
        group, index = divmod(number - 1, self.per_group)
        table = struct.unpack_from("<I", self.data, self.groups + group * 32 + 8)[0]
        return table * self.block_size + index * self.inode_size

    def inode(self, number):
        """Returns (mode, size, blocks in use, the 60 bytes of block numbers)."""
        at = self.place(number)
        mode, _, size = struct.unpack_from("<HHI", self.data, at)
        return mode, size, struct.unpack_from("<I", self.data, at + 28)[0], self.data[at + 40 : at + 100]

    def attributes(self, number):
        """Returns {name: value} of an inode's extended attributes (fs/ext2/xattr_format.h)."""
        at, found = self.place(number), {}
        block = struct.unpack_from("<I", self.data, at + 104)[0]
        lists = [(self.block(block), 32)] if block else []
        if self.inode_size > 128:
            extra = struct.unpack_from("<H", self.data, at + 128)[0]
            inside = self.data[at + 128 + extra : at + self.inode_size]
            if extra and inside[:4] == MAGIC:
                lists.append((inside[4:], 0))
        for region, at in lists:
            while any(region[at : at + 4]):
                length, index, offset, _, size, _ = struct.unpack_from("<BBHIII", region, at)
                name = region[at + 16 : at + 16 + length].decode(errors="replace")
                found[KINDS.get(index, f"{index}.") + name] = region[offset : offset + size]
                at += 16 + length + 3 & ~3
        return found

    def block(self, number):
        return self.data[number * self.block_size : (number + 1) * self.block_size] if number else bytes(self.block_size)

    def below(self, number, depth):
        """Yields the numbers of the blocks below an indirect block. 0 is a hole."""
        words = self.block_size // 4
        if depth == 0:
            yield number
        elif number == 0:
            yield from [0] * words**depth
        else:
            for next in struct.unpack(f"<{words}I", self.block(number)):
                yield from self.below(next, depth - 1)

    def content(self, size, pointers):
        """Returns the bytes of a file or a folder."""
        numbers, pieces, left = struct.unpack("<15I", pointers), [], size
        for index, number in enumerate(numbers):
            for block in self.below(number, max(0, index - 11)):
                if left <= 0:
                    return b"".join(pieces)[:size]
                pieces.append(self.block(block))
                left -= self.block_size
        return b"".join(pieces)[:size]

    def entries(self, number):
        """Yields (name, inode) of a folder."""
        _, size, _, pointers = self.inode(number)
        data, at = self.content(size, pointers), 0
        while at < len(data):
            inode, length, name_length = struct.unpack_from("<IHB", data, at)
            name = data[at + 8 : at + 8 + name_length].decode(errors="replace")
            if inode and name not in (".", ".."):
                yield name, inode
            at += length

    def tree(self, number=ROOT, path=""):
        """Returns {path: (type, number of the inode, the bytes or the text)} of all below a folder; the folder's own is ""."""
        found = {}
        for name, inode in self.entries(number):
            if path + name == "lost+found":
                continue
            mode, size, blocks, pointers = self.inode(inode)
            if stat.S_ISDIR(mode):
                found[path + name] = ("d", inode, "")
                found |= self.tree(inode, path + name + "/")
            elif stat.S_ISLNK(mode):
                text = pointers[:size] if size < FAST_LINK else self.content(size, pointers)
                found[path + name] = ("l", inode, text.decode(errors="replace"))
            else:
                found[path + name] = ("f", inode, self.content(size, pointers))
        return found
