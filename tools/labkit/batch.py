"""Grades a folder of submissions, and collects the results.

A result counts as done only if it is whole and belongs to this submission and this grader. So after an
interruption the same command goes on where it stopped: nothing is graded twice and nothing is lost. Two
commands may work on one folder at the same time, if each has a --part of its own.
"""

import concurrent.futures
import json
import os
import re
import shutil
import threading
from pathlib import Path

from . import course, export, formats, functions, grade, submission
from .manifest import BadManifest, Lab

ENDINGS = (".tar", ".tar.gz", ".tgz", ".zip")


def submissions(folder):
    """Returns the student and the path of each submission, in a fixed order."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadManifest(f"{folder} is no folder")
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    found = {}
    for path in paths:
        student = safe(submission.student_of(path))
        if student in found:
            raise BadManifest(f"{path.name} and {found[student].name} are of the same student")
        found[student] = path
    return list(found.items())


def safe(name):
    return re.sub(r"[^\w.@+-]", "_", name)


def part_of(text):
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or int(found[1]) >= int(found[2]):
        raise BadManifest(f"--part {text}: write K/N with K from 0 to N-1")
    return int(found[1]), int(found[2])


def stored(path):
    """Returns the result in a file, or None if it is missing or not whole."""
    try:
        result = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    whole = isinstance(result, dict) and result.get("version") == grade.VERSION and result.get("complete") is True
    return result if whole else None


def is_done(path, lab, digest, version):
    result = stored(path)
    return bool(result) and result["outcome"] != "infra" and (result["lab"], result["submission"], result["grader"]) == (lab.name, digest, version)


def digest_of(path, lab):
    try:
        return submission.read(path, lab).digest()
    except submission.Refused:
        return grade.digest({})


def grade_into(lab, student, path, out, key, version):
    """Grades one submission, unless its result is there. Returns a line for the log."""
    folder = out / student
    target = folder / "result.json"
    if is_done(target, lab, digest_of(path, lab), version):
        return student, "was there already", None
    folder.mkdir(parents=True, exist_ok=True)
    result = grade.submitted(lab, path, jobs=1, key=key, target=target, logs=folder / "logs")
    keep_files(lab, path, folder / "submission")
    result["student"] = student
    grade.write_result(target, result)
    return student, f"{result['score']} of {result['max']}, {result['outcome']}, {result['seconds']} s", result


def keep_files(lab, path, folder):
    """Keeps what was graded, for `repro` and for the similarity check."""
    try:
        handed_in = submission.read(path, lab)
    except submission.Refused:
        return
    for name, text in handed_in.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(options, top):
    lab = Lab(options.lab, top)
    course.need_reference(lab)
    number, parts = part_of(options.part)
    key, out, version = course.read_key(options.key), Path(options.out), grade.grader_version(top)
    tasks = submissions(options.folder)[number::parts]
    out.mkdir(parents=True, exist_ok=True)
    failed, lock = [], threading.Lock()
    with concurrent.futures.ThreadPoolExecutor(options.jobs or os.cpu_count() or 1) as pool:
        jobs = [pool.submit(grade_into, lab, student, path, out, key, version) for student, path in tasks]
        try:
            for at, job in enumerate(concurrent.futures.as_completed(jobs), 1):
                student, line, result = job.result()
                with lock:
                    print(f"{at} of {len(jobs)}: {student}: {line}", flush=True)
                if result and result["outcome"] == "infra":
                    failed.append(student)
        except KeyboardInterrupt:
            for job in jobs:
                job.cancel()
            raise
    if failed:
        print(f"{len(failed)} must be graded again, because of this machine: {' '.join(failed)}")
        return 3
    return 0


def collect(options, top):
    """Writes grades.csv, a page for each student, outcomes.txt, and a folder for a similarity check."""
    out = Path(options.folder)
    results, missing = [], []
    for path in sorted(out.glob("*/")):
        if path.name in ("html", "similar"):
            continue
        result = stored(path / "result.json")
        results.append({**result, "student": path.name}) if result else missing.append(path.name)
    if not results:
        raise BadManifest(f"there is no whole result in {out}")
    labs = {result["lab"] for result in results}
    if len(labs) > 1:
        raise BadManifest(f"{out} has results of several labs: {' '.join(sorted(labs))}")
    (out / "grades.csv").write_text(formats.csv_rows(results))
    (out / "html").mkdir(exist_ok=True)
    for result in results:
        (out / "html" / (result["student"] + ".html")).write_text(formats.page(result))
    (out / "outcomes.txt").write_text("\n".join(outcomes(results, missing)) + "\n")
    similar(Lab(results[0]["lab"], top), out)
    print(f"{len(results)} results in {out}/grades.csv" + (f"; no whole result of: {' '.join(missing)}" if missing else ""))
    return 0


def outcomes(results, missing):
    """Returns for each check how often it had which outcome, so that a bad check is seen."""
    lines = [f"{len(results)} results, {len(missing)} missing", ""]
    for number, entry in enumerate(results[0]["checks"]):
        count = {}
        for result in results:
            outcome = result["checks"][number]["outcome"]
            count[outcome] = count.get(outcome, 0) + 1
        unstable = sum(result["checks"][number]["unstable"] for result in results)
        words = [f"{outcome} {times}" for outcome, times in sorted(count.items(), key=lambda item: -item[1])]
        lines.append(f"{entry['id']:28} {', '.join(words)}" + (f", unstable {unstable}" if unstable else ""))
    return lines


def similar(lab, out):
    """Writes only the functions that the students wrote: the rest is the same for all, and would hide what is alike."""
    folder = out / "similar"
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(out.glob("*/submission")):
        for name, stubs in lab.blank.items():
            source = path / name
            if not source.is_file():
                continue
            text = source.read_text()
            found = functions.functions(text)
            own = [text[found[name].start : found[name].end] for name in stubs if name in found]
            target = folder / path.parent.name / name.replace("/", "-")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("\n\n".join(own) + "\n")
    base = folder / "starter"
    base.mkdir(parents=True, exist_ok=True)
    for name, text in export.blanked(lab).items():
        found = functions.functions(text)
        own = [text[found[stub].start : found[stub].end] for stub in lab.blank.get(name, {}) if stub in found]
        (base / name.replace("/", "-")).write_text("\n\n".join(own) + "\n")
