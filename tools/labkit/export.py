"""Makes the starter of a lab: the reference tree in which the functions to be written are stubs."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from . import functions, lint
from .manifest import BadManifest

# These parts of the tree are for instructors, or would give a solution away.
KEPT_BACK = ["tests/broken/", "tests/lab/", "labs/"]
# Screenshots are a twentieth of an export, and no lab's text shows one.
PICTURES = "docs/*.png"
OF_THE_LAB = ["lab.toml", "text.md", "gdb"]
STARTER_MAX = 7 << 18  # so that no picture or image slips in unnoticed


class Leak(Exception):
    """Its text lists the lines of the solution that an export would contain."""


def stub(lab, path, name, kind):
    """Returns the body that stands for a function in the starter, or None if the function goes away."""
    if kind == "panic":
        return '{\n\tpanic("lab %s: %%s() is yours to write: %s", __func__);\n}' % (lab.name, path)
    if kind == "empty":
        return "{\n}"
    if kind == "drop":
        return None
    if kind == "standin":
        source = lab.folder / "standin.c"
        text = source.read_text() if source.is_file() else ""
        found = functions.functions(text)
        if name not in found:
            raise BadManifest(f"labs/{lab.name}/standin.c has no {name}()")
        return text[found[name].body : found[name].end]
    if kind.startswith("return "):
        return "{\n\t%s;\n}" % kind
    raise BadManifest(f"labs/{lab.name}/lab.toml: stub '{kind}' of {name}() is not known")


def blanked(lab):
    """Returns the text of each of the lab's files as the starter has it."""
    texts = {}
    for path in lab.files:
        text = (lab.top / path).read_text()
        stubs = lab.blank.get(path, {})
        try:
            texts[path] = functions.replace(text, {name: stub(lab, path, name, kind) for name, kind in stubs.items()})
        except functions.NoSuchFunction as missing:
            raise BadManifest(f"{path} has no function {missing}")
    return planted(lab, texts) if lab.plant else texts


def planted(lab, texts):
    """Returns the texts with the mistakes that the student has to find."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in texts.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for name in lab.plant:
            command = ["patch", "-s", "-N", "-F0", "-p1", "-d", folder, "-i", str(lab.mutant(name).resolve())]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise BadManifest(f"labs/{lab.name}/mutants/{name}.patch does not apply: {done.stdout.strip()[:200]}")
        return {path: (Path(folder) / path).read_text() for path in texts}


def reference(lab):
    return {path: (lab.top / path).read_text() for path in lab.files}


def written_until(lab, stage):
    """Returns the texts of a student who has written everything up to a stage, and nothing of the later ones."""
    done = {name for other, names in lab.written.items() if other <= stage for name in names}
    texts = reference(lab)
    for path, stubs in lab.blank.items():
        bodies = {name: stub(lab, path, name, kind) for name, kind in stubs.items() if name not in done}
        texts[path] = functions.replace(texts[path], bodies)
    return texts


def solution_runs(lab):
    """Returns each run of three lines of a solution, and the function that it is from."""
    found = {}
    for path, stubs in lab.blank.items():
        text = (lab.top / path).read_text()
        known = functions.functions(text)
        for name in stubs:
            body = text[known[name].body : known[name].end]
            for run in functions.runs(functions.solution_lines(body)):
                if run not in lab.leaks:
                    found[run] = f"{path}: {name}()"
    return found


def leaks(lab, texts):
    """Returns a line for each run of three lines of a solution that stands in one of these texts."""
    solution, found = solution_runs(lab), []
    for path, text in texts.items():
        for run in functions.runs(functions.solution_lines(text)):
            if run in solution:
                found.append(f"{path} has three lines of {solution[run]}: " + run.replace("\n", " | "))
    return found


def tree_files(top):
    """Returns the names of the files that the tree consists of."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=top, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        raise BadManifest(f"{top} is no git checkout, so it is not known which files belong to it")
    return sorted({name for name in names if (Path(top) / name).is_file()})


def exported_names(lab):
    names = [name for name in tree_files(lab.top) if not name.startswith(tuple(KEPT_BACK)) and not fnmatch(name, PICTURES)]
    return names + [f"labs/{lab.name}/{name}" for name in OF_THE_LAB if (lab.folder / name).is_file()]


def lab_mk(lab):
    return (
        f"# This tree is the starter of a lab. Makefile includes this file. `./run lab` reads the lab's name here.\n"
        f"LAB := {lab.name}\n"
        f"# Functions that are not called yet are no mistake in these files.\n"
        f"$(addprefix $(K)/,{' '.join(lab.objects())}): KCFLAGS += -Wno-unused-function -Wno-unused-variable\n"
    )


def contents(lab, solution):
    """Returns the bytes and the mode of each file of the export."""
    files = {}
    for name in exported_names(lab):
        path = lab.top / name
        files[name] = (path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)
    for name, text in (reference(lab) if solution else blanked(lab)).items():
        files[name] = (text.encode(), 0o644)
    files["lab.mk"] = (lab_mk(lab).encode(), 0o644)
    allowed = json.dumps(lint.allowed(lab), indent=1, sort_keys=True) + "\n"
    files[f"labs/{lab.name}/allowed.json"] = (allowed.encode(), 0o644)
    if not solution:
        texts = {name: data.decode(errors="replace") for name, (data, _) in files.items()}
        found = leaks(lab, texts)
        if found:
            raise Leak("\n".join(found))
    return files


def archive(files, folder):
    """Returns a .tar.gz of the files, in which nothing depends on when or by whom it was made."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=9) as tar:
        for name, (data, mode) in sorted(files.items()):
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def write(files, target, folder):
    """Writes an archive if the target's name is that of one, or else a folder. Returns the size of the archive."""
    target, data = Path(target), archive(files, folder)
    if len(data) > STARTER_MAX:
        raise BadManifest(f"the export has {len(data)} bytes; more than {STARTER_MAX} are too many")
    if target.name.endswith((".tar.gz", ".tgz")):
        target.write_bytes(data)
        return len(data)
    if target.exists():
        if not target.is_dir() or any(target.iterdir()):
            raise BadManifest(f"{target} exists already and is not an empty folder")
        shutil.rmtree(target)
    for name, (content, mode) in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    return len(data)
