"""The tree of files of an image, and the making of the image."""

import os
import shutil
import stat
import subprocess

from appkit.libraries import inside


class Wrong(Exception):
    """Something that was asked for cannot be done. The text is one line for the user."""


class Tree:
    """A folder with an image's files. `attributes` has the mode, user and group of those that keep them, by their paths.

    Other files belong to root. The attributes are set in the image, because on this machine only root could set all of them.
    """

    def __init__(self, root):
        self.root, self.attributes = root, {}
        self.names = {}  # of files with several names, by their inode

    def place(self, path):
        """Returns where the file with this path of the guest lies on this machine."""
        return inside(self.root, path)

    def add_folder(self, path, mode):
        """Adds a folder, unless there is one."""
        place = self.place(path)
        if place.is_dir():
            return
        if os.path.lexists(place):
            raise Wrong(f"FILES has /{path}, which must be a folder; remove it")
        place.mkdir(parents=True)
        self.attributes[place] = (stat.S_IFDIR | mode, 0, 0)

    def add_file(self, path, source):
        """Adds a program. It takes the place of a file that is there already."""
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        shutil.copyfile(source, place)
        self.attributes[place] = (stat.S_IFREG | 0o755, 0, 0)

    def add_text(self, path, data):
        """Adds a file with these bytes, unless there is a file."""
        if not os.path.lexists(self.place(path)):
            self.place(path).write_bytes(data)

    def add_tree(self, source, place):
        """Adds what is in a folder, with modes, owners and links."""
        for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
            target, status = place / entry.name, entry.stat(follow_symlinks=False)
            if "\n" in entry.name or "\r" in entry.name:  # debugfs reads lines
                raise Wrong(f"{entry.path!r}: a name with a line break cannot be put into the image; rename the file")
            if entry.is_symlink():
                target.symlink_to(os.readlink(entry.path))
            elif entry.is_dir():
                target.mkdir()
                self.add_tree(entry.path, target)
            elif (status.st_dev, status.st_ino) in self.names:
                os.link(self.names[status.st_dev, status.st_ino], target)
            elif stat.S_ISFIFO(status.st_mode):
                os.mkfifo(target)
            elif entry.is_file():
                shutil.copyfile(entry.path, target)
                self.names[status.st_dev, status.st_ino] = target
            else:
                raise Wrong(f"{entry.path} is a device or a socket, which cannot be put into the image; remove it")
            self.attributes[target] = (status.st_mode, status.st_uid, status.st_gid)

    def files(self):
        return [path for path in sorted(self.root.rglob("*")) if path.is_file() and not path.is_symlink()]

    def make_image(self, mkroot, out):
        """Makes an ext2 image of the tree."""
        commands = []
        for path in sorted(self.root.rglob("*")):
            found = path.lstat()
            mode, user, group = self.attributes.get(path, (found.st_mode, 0, 0))
            name = str(path.relative_to(self.root)).replace('"', '""')
            for field, old, new in (("mode", found.st_mode, mode), ("uid", found.st_uid, user), ("gid", found.st_gid, group)):
                if old != new:
                    commands.append(f'set_inode_field "/{name}" {field} {new}\n')
        run([mkroot, out, "--tree", self.root, "--free", "1"])
        run(["debugfs", "-w", "-f", "-", out], "".join(commands))


def run(argv, text=None):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    done = subprocess.run(argv, input=text, env=dict(os.environ, PATH=path), capture_output=True, text=True, errors="surrogateescape")
    said = [line for line in done.stderr.splitlines() if not line.startswith("debugfs 1.")]
    if done.returncode or said:
        raise Wrong("".join(said[:1]) or f"{argv[0]} fails")
