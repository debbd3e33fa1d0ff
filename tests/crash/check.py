"""Judges the disk that a crash has left: e2fsck must find nothing wrong, and the model must know all that is there."""

import os
import re
import struct
import subprocess
from pathlib import Path

import image

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
# All that e2fsck may say and do when it mends what a crash leaves: the journal, files that were deleted while they were
# open or while they were being shortened, and the counts in the superblock, which Linux does not keep in the journal.
EXPECTED = [
    r"recovering journal$",
    r"Superblock needs_recovery flag is clear, but journal has data\.$",
    r"Clearing orphaned inode \d+ ",
    r"Truncating orphaned inode \d+ ",
    r"Setting free (inodes|blocks) count to \d+ \(was \d+\)$",
    r"\d+/\d+ files \(.*\), \d+/\d+ blocks$",
]


def e2fsck(options, file):
    done = subprocess.run(
        ["e2fsck", options, file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env={**os.environ, "PATH": PATH, "LC_ALL": "C"},
    )  # fmt: skip
    lines = [line.strip().removeprefix(f"{file}: ") for line in done.stdout.splitlines()]
    return done.returncode, [line for line in lines if line]


def repaired(file):
    """Lets e2fsck replay the journal of the image. Returns what is wrong, or None."""
    status, said = e2fsck("-fp", file)
    strange = [line for line in said if not any(re.match(pattern, line) for pattern in EXPECTED)]
    if status not in (0, 1) or strange:
        return f"e2fsck -fp ends with status {status}: {' / '.join(strange or said)}"
    return clean(file)


def clean(file):
    """Returns what e2fsck finds wrong with the image, or None."""
    status, said = e2fsck("-fn", file)
    wrong = [line for line in said if not re.match(r"(e2fsck \d|Pass \d)|.*\d+ files \(", line)]
    return f"e2fsck -fn ends with status {status}: {' / '.join(wrong)}" if status else None


def read(file):
    """Returns {folder: {path: (type, inode, bytes, attributes)}}. The folders are those of sequences."""
    try:
        whole = image.Image(Path(file).read_bytes())
        tree = {path: (*entry, whole.attributes(entry[1])) for path, entry in whole.tree().items()}
    except (IndexError, ValueError, ArithmeticError, struct.error) as error:
        return {"?": {"?": ("?", 0, f"the image cannot be read: {error}", {})}}
    folders = {}
    for path, entry in tree.items():
        folders.setdefault(path.partition("/")[0], {})[path] = entry
    return folders


# --- the model's word ---


def shown(names):
    return " ".join(f"{path}({kind})" for path, kind in sorted(names.items())) or "nothing"


def wrong_names(found, names):
    """Returns whether the names, their types, links and texts are not those of the model."""
    expected = {path: node for path, node in names.items() if path}
    if found.keys() != expected.keys():
        return True
    nodes = {}  # inode: the model's Node
    for path, (kind, inode, text, _) in found.items():
        node = expected[path]
        if kind != node.kind or (kind == "l" and text != node.text) or nodes.setdefault(inode, node) is not node:
            return True
    return len(nodes) != len({id(node) for node in expected.values()})


def excerpt(data, at):
    at -= at % 8
    return repr(bytes(data[at : at + 24]))


def wrong_bytes(path, data, node, first, last):
    """Returns what is wrong with a file's bytes, or None: they were promised as of operation `first`, and changed up to `last`."""
    start = max((i for i, (number, _) in enumerate(node.versions) if number <= first), default=0)
    versions = [content for number, content in node.versions[start:] if number <= max(first, last)]
    versions = versions or [node.versions[0][1]]
    if data in versions:
        return None
    sizes = [len(version) for version in versions]
    if not min(sizes) <= len(data) <= max(sizes):
        return f"{path} has {len(data)} bytes, and should have {' or '.join(map(str, sorted(set(sizes))))}"
    for at, byte in enumerate(data):
        if not any(at < len(version) and version[at] == byte for version in versions):
            # A file may have become longer before its bytes were written.
            if byte == 0 and any(at >= len(version) for version in versions):
                continue
            old = " or ".join(sorted({excerpt(version, at) for version in versions}))
            return f"{path} has at {at - at % 8} the bytes {excerpt(data, at)}, and should have {old}"
    return None


def wrong_attributes(found, names, attributes):
    """Returns what is wrong with the extended attributes of the files, or None."""
    for path, (_, _, _, has) in found.items():
        wanted = attributes.get(names[path], {})
        if has != wanted:
            sizes = [", ".join(f"{name} of {len(value)} bytes" for name, value in sorted(which.items())) or "none" for which in (has, wanted)]
            return f"{path} has the attributes {sizes[0]}, and should have {sizes[1]}, perhaps with other bytes"
    return None


def wrong_folder(found, model, mark, last):
    """Judges a sequence's folder. Operation `mark` had returned, and the ones up to `last` may have happened."""
    _, names_kept, all_kept, kept = model.promised(mark)
    faults, seen = [], []
    for names, attributes in model.names_between(names_kept, last):
        if any(names is old and attributes is former for old, former in seen):
            continue
        seen.append((names, attributes))
        if wrong_names(found, names):
            continue
        fault = wrong_attributes(found, names, attributes)
        if fault:
            faults.append(fault)
            continue
        checks = ((path, data, names[path]) for path, (kind, _, data, _) in found.items() if kind == "f")
        fault = next(filter(None, (wrong_bytes(path, data, node, max(all_kept, kept.get(node, -1)), last) for path, data, node in checks)), None)
        if not fault:
            return None
        faults.append(fault)
    if faults:
        return faults[0]
    wanted = [shown({path: node.kind for path, node in names.items() if path}) for names, _ in seen]
    got = shown({path: kind for path, (kind, _, _, _) in found.items()})
    return f"{model.folder} has {got}, and should have {' or '.join(dict.fromkeys(wanted))}"


def wrong(folders, models, script, mark):
    """Returns what is wrong with an image after the mark, or None."""
    last = next((i for i in range(mark + 1, len(script)) if persists(script[i][1])), len(script) - 1)
    unknown = folders.keys() - {model.folder for model in models}
    if unknown:
        return f"there is {' '.join(sorted(unknown))}, which nobody made"
    for model in models:
        found = folders.get(model.folder, {})
        # Most folders are not there, and need not be.
        if not found and (model.history[1][0] > last or gone(model, mark)):
            continue
        fault = wrong_folder(found, model, mark, last)
        if fault:
            return fault
    return None


def gone(model, mark):
    """Returns whether the folder was removed, and that has been promised."""
    return model.names.keys() == {""} and model.promised(mark)[1] >= model.history[-1][0]


def persists(line):
    return line.split()[0] in ("sync", "fsync", "fdatasync")
