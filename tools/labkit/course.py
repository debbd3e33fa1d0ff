"""The commands of tools/lab for an instructor: each function is one command."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from . import export, formats, grade, handout, lint, manifest, matrix as matrices, platforms, report, submission
from .manifest import BadManifest, Lab


def read_key(path):
    """Returns the secret of --key, from which the seeds of the random checks follow, or None."""
    if not path:
        return None
    key = Path(path).read_bytes().strip()
    if len(key) < 16:
        raise BadManifest(f"the key in {path} is too short: 16 bytes or more are needed")
    return key


def need_reference(lab):
    """The grader's tree must be the reference, and built."""
    if (lab.top / "lab.mk").is_file():
        raise BadManifest("this tree is a starter; grading needs the reference tree")
    done = subprocess.run(["make", "-s", "-j2", "all"], cwd=lab.top, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise OSError("the reference does not build: " + done.stderr.strip()[-400:])


def export_lab(options, top):
    lab = Lab(options.lab, top)
    need_reference(lab)
    files = export.contents(lab, options.solution)
    size = export.write(files, options.out, f"sluice-{lab.name}")
    print(f"{options.out}: {len(files)} files, {size / 1024:.0f} KB as an archive")
    return 0


def grade_one(options, top):
    lab = Lab(options.lab, top)
    need_reference(lab)
    formatter = formats.named(options.format) if options.format else None
    progress = report.Progress()
    result = grade.submitted(
        lab, options.submission, jobs=options.jobs, key=read_key(options.key), seed=options.seed, target=options.json,
        logs=options.logs, said=progress,
    )  # fmt: skip
    progress.clear()
    report.show([formatter(result)] if formatter else report.summary(result, lab))
    return 3 if result["outcome"] == "infra" else 0


def matrix(options, top):
    lab = Lab(options.lab, top)
    need_reference(lab)
    return matrices.run(lab, options.jobs, options.mutants, options.few)


def calibrate(options, top):
    lab = Lab(options.lab, top)
    need_reference(lab)
    return matrices.calibrate(lab)


def check(options, top):
    found, labs = 0, [Lab(name, top) for name in options.labs or manifest.names(top)]
    for lab in labs:
        faults = manifest.faults(lab) or handout.faults(lab)
        if not faults and not text_is_current(lab):
            faults = [f"the table in text.md is not up to date: tools/lab text {lab.name}"]
        points = sum(entry["points"] for entry in lab.checks)
        found += say_faults(f"{lab.name}: {len(lab.checks)} checks, {points} points, {len(lab.mutants())} mutants", faults)
    if not options.labs and (top / "labs/README.md").is_file():
        found += say_faults("the texts for instructors", handout.instructors_faults(labs, top))
    return 1 if found else 0


def say_faults(what, faults):
    print("\n  ".join([f"{what}, {len(faults)} faults", *faults]))
    return len(faults)


def lint_folder(options, top):
    lab = Lab(options.lab, top)
    try:
        handed_in = submission.read(options.folder, lab)
    except submission.Refused as refusal:
        print(f"refused: {refusal}")
        return 1
    allowed = lint.allowed(lab)
    found = lint.source_lint(lab, handed_in.files, allowed)
    print("\n".join(found) or "the source lint finds nothing; the object lint runs when the lab is graded")
    return 1 if found else 0


# --- the handout's table ---

BEGIN, END = "<!-- checks: made by tools/lab text -->", "<!-- end of checks -->"


def table(lab):
    lines = [BEGIN, "", "| stage | check | points | what it shows |", "| --- | --- | ---: | --- |"]
    lines += [f"| {check['stage']} | `{check['id']}` | {check['points']} | {check['shows']} |" for check in lab.checks]
    return "\n".join([*lines, "", END])


def with_table(lab, text):
    if BEGIN not in text or END not in text:
        raise BadManifest(f"labs/{lab.name}/text.md has no lines `{BEGIN}` and `{END}`")
    before, _, rest = text.partition(BEGIN)
    return before + table(lab) + rest.partition(END)[2]


def text_is_current(lab):
    text = (lab.folder / "text.md").read_text()
    return with_table(lab, text) == text


def text(options, top):
    lab = Lab(options.lab, top)
    path = lab.folder / "text.md"
    path.write_text(with_table(lab, path.read_text()))
    return 0


# --- the machine ---

PROGRAMS = [
    ("i686-linux-gnu-gcc", "--version", "12"), ("nasm", "-v", "2.15"), ("qemu-system-i386", "--version", "7.2"),
    ("make", "--version", "4.2"), ("debugfs", "-V", "1.44"), ("git", "--version", "2.30"), ("patch", "--version", "2.7"),
]  # fmt: skip


def version_of(program, option):
    try:
        done = subprocess.run([program, option], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
    return found[0] if found else "?"


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def doctor(options, top):
    faults = 0
    print(f"ok      python {sys.version.split()[0]}")
    for program, option, least in PROGRAMS:
        version = version_of(program, option)
        if version is None:
            faults += 1
            print(f"MISSING {program}: tools/setup programs installs it")
        elif version != "?" and numbers(version) < numbers(least):
            faults += 1
            print(f"OLD     {program} {version}: {least} or later is needed")
        else:
            print(f"ok      {program} {version}")
    print(f"{'ok     ' if shutil.which('gdb') else 'none   '} gdb, which only --gdb needs")
    if not (top / "build/deb/.packages").exists():
        faults += 1
        print("MISSING Debian's i386 packages in build/deb: tools/setup packages fetches them")
    free = shutil.disk_usage(top).free >> 20
    if free < 500:
        faults += 1
        print(f"LITTLE  only {free} MiB of the disk are free; 500 are needed")
    print("everything is there" if not faults else f"{faults} faults")
    return 1 if faults else 0


# --- once more ---


def repro(options, top):
    """Carries out one check of a result again: the submission stands beside the result or in the student's tree."""
    path = Path(options.result)
    result = json.loads(path.read_text())
    lab = Lab(result["lab"], top)
    entry = next((entry for entry in result["checks"] if entry["id"] == options.check), None)
    if not entry:
        raise BadManifest(f"the result has no check {options.check}")
    source = path.parent / "submission"
    handed_in = submission.read(source, lab) if source.is_dir() else submission.Submission("", student_texts(lab), None)
    if source.is_dir() and handed_in.digest() != result["submission"]:
        print("note: this is not the submission of the result; its files have changed")
    texts = {**(export.blanked(lab) if source.is_dir() else {}), **handed_in.files}
    grader = grade.Grader(lab, texts, seed=entry["seed"], only=[entry["id"]], home=not source.is_dir())
    again = grader.run()
    report.show(report.summary(again, lab))
    then, now = entry["outcome"], again["checks"][0]["outcome"]
    print(f"then: {then}; now: {now}")
    return 3 if again["outcome"] == "infra" else 0


def student_texts(lab):
    return {path: (lab.top / path).read_text() for path in lab.files}


def platform(options, top):
    lab = Lab(options.lab, top)
    names = platforms.write(options.platform, lab, Path(options.out))
    print("\n".join(f"{options.out}/{name}" for name in names))
    return 0


def pack(options, top):
    """Writes the tree and the i386 packages, so that the machine that grades needs only its own system's packages."""
    target, deb = Path(options.out), top / "build/deb"
    if not target.name.endswith((".tar.gz", ".tgz")):
        raise BadManifest(f"{target}: the archive is a .tar.gz")
    if not (deb / ".packages").exists():
        raise BadManifest("Debian's i386 packages are not in build/deb: tools/setup packages fetches them")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=top, capture_output=True)
    names = [name for name in os.fsdecode(done.stdout).split("\0") if name and (top / name).is_file()]
    if done.returncode or not names:
        raise BadManifest("the archive is made from a git checkout, and this is none")
    new = target.with_name(target.name + ".new")
    version = (grade.grader_version(top) + "\n").encode()
    with tarfile.open(new, "w:gz") as tar:
        for name in [*names, *(f"build/deb/{part}" for part in ("musl", "busybox", ".packages"))]:
            tar.add(top / name, f"sluice/{name}")
        info = tarfile.TarInfo("sluice/labs/VERSION")
        info.size, info.mode = len(version), 0o644
        tar.addfile(info, io.BytesIO(version))
    os.replace(new, target)
    print(f"{target}: {len(names)} files, {target.stat().st_size >> 10} KB")
    return 0
