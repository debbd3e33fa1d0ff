"""`./run lab`: what a student does with a lab in the student's own tree."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time

from . import build, grade, guests, place, report
from .manifest import BadManifest, Lab, guest_cases, names


def lab_of_tree(top):
    """Returns the name of the lab whose starter this tree is, or None."""
    path = top / "lab.mk"
    found = path.is_file() and re.search(r"^LAB := (\w+)$", path.read_text(), re.M)
    return found[1] if found else None


def texts_of(lab):
    try:
        return {path: (lab.top / path).read_text() for path in lab.files}
    except UnicodeDecodeError as error:
        raise BadManifest(f"one of the lab's files is not UTF-8: {error}")


def chosen(lab, words, stage):
    """Returns the ids of the checks that the command names; all of them if it names none."""
    if stage:
        words = words + [check["id"] for check in lab.checks if check["stage"] == stage]
        if not words:
            raise BadManifest(f"lab {lab.name} has no stage {stage}")
    unknown = [word for word in words if not lab.check(word)]
    if unknown:
        raise BadManifest(f"lab {lab.name} has no check {' or '.join(unknown)}; its checks are: {' '.join(check['id'] for check in lab.checks)}")
    return words


def run(options, top):
    name = options.lab or lab_of_tree(top)
    if not name:
        report.show(["This tree is no starter of a lab. Its labs are:", *(f"  {name:10} {Lab(name, top).title}" for name in names(top))])
        return 2
    lab = Lab(name, top)
    words = chosen(lab, options.checks, options.stage)
    if options.gdb:
        return debug(lab, words, options)
    progress = report.Progress()
    logs = top / "build/lab" / name
    grader = grade.Grader(
        lab, texts_of(lab), jobs=options.jobs, seed=options.seed, only=words, home=True,
        target=None if words else logs / "result.json", logs=logs / "logs", said=progress,
    )  # fmt: skip
    result = grader.run()
    progress.clear()
    report.show(report.summary(result, lab, home=True, logs=os.path.relpath(logs / "logs")))
    if options.submit:
        return submit(lab, result, options)
    if result["outcome"] == "infra":
        return 3
    return 0 if all(entry["outcome"] == "pass" for entry in result["checks"]) else 1


def submit(lab, result, options):
    """Writes the file to hand in: the lab's files, the hours, and the result on this machine."""
    hours = options.hours
    if hours is None and sys.stdin.isatty():
        hours = input("How many hours did the lab take you? (this does not change your points) ").strip()
    target = lab.top / f"{lab.name}-submission.tar"
    with tarfile.open(target, "w") as tar:
        members = {path: text.encode() for path, text in texts_of(lab).items()}
        members["hours.txt"] = f"{hours or ''}\n".encode()
        members["result.json"] = json.dumps(result, indent=1).encode()
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o644, int(time.time())
            tar.addfile(info, io.BytesIO(data))
    report.show([f"{target.name} is ready to be handed in."])
    return 0


# --- gdb ---


def debug(lab, words, options):
    """Repeats one check with gdb attached and the lab's breakpoints set."""
    if len(words) != 1:
        raise BadManifest("--gdb needs the name of one check")
    check = lab.check(words[0])
    logs = lab.top / "build/lab" / lab.name / "logs"
    here = place.Place(lab, lab.top, texts_of(lab), logs, seed=options.seed, home=True)
    try:
        build.kernel(lab.top, os.cpu_count() or 1)
        if check["kind"] in ("unit", "explore"):
            return debug_program(lab, check, here)
    except build.BuildFailed as failed:
        report.show(["It does not compile:", str(failed)])
        return 1
    if check["kind"] == "tool":
        return debug_tool(lab, check, here)
    if check["kind"] not in ("guest", "play", "icount"):
        raise BadManifest(f"a check of the kind {check['kind']} cannot be repeated under gdb")
    return debug_guest(lab, guest_words(check, here))


def guest_words(check, here):
    """Returns the options of tools/guest and the command that carry out a check."""
    if check["kind"] == "guest":
        return [*check["guest"], "--", "/test/runner", *guest_cases(check)]
    if check["kind"] == "icount":
        return [*check["guest"], "--icount", "--", check["program"], check["row"]]
    from . import checks

    script, _ = checks.play_model(here.lab.top, check["model"]).generate(here.seed(check), check["steps"], kinds=check.get("ops"))
    file = here.keep(check, script, ".script")
    return [*check["guest"], "--add", f"{file}:/root/script", "--", "/test/play", "/root/script"]


def debug_program(lab, check, here):
    if check["kind"] == "unit":
        program, argv = here.unit_program(check["source"]), check["cases"][:1]
    else:
        _, program = here.explorer()
        argv = [check["scenarios"][0], "--bound", str(check.get("bound", 2))]
        # The schedule that fails is repeated alone.
        found = re.search(r"^SCHEDULE (\S+)$", guests.host([program, *argv], 600).output, re.M)
        argv = [argv[0], "--schedule", found[1]] if found and found[1] != "-" else argv
    return subprocess.call(["gdb", "-nx", "-q", "-x", lab.folder / "gdb", "--args", program, *argv], cwd=lab.top)


def debug_guest(lab, words):
    guest = subprocess.Popen(
        [lab.top / "tools/guest", "--gdb", *lab.guest, *words], cwd=lab.top, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    line = guest.stderr.readline()
    found = re.search(r"sluice (\d+)", line)
    if not found:
        report.show([line.strip() or "the guest did not start"])
        return 3
    try:
        return attach(lab, found[1])
    finally:
        guest.terminate()
        guest.wait()


def debug_tool(lab, check, here):
    """Carries out a case of a program of the host. Its first guest waits for gdb."""
    file, log = here.keep(check, "", ".gdb"), here.keep(check, "")
    argv = [lab.top / "tests/guest-tool" / check["name"], "--kernel", here.kernel, check["case"]]
    with log.open("w") as said:
        case = subprocess.Popen(
            argv, cwd=lab.top, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, "SLUICE_GDB": str(file)},
            start_new_session=True,
        )  # fmt: skip
    while case.poll() is None and not file.read_text():
        time.sleep(0.1)
    found = re.search(r"sluice (\d+)", file.read_text())
    if not found:
        report.show([log.read_text().strip() or "no guest was started"])
        return 3
    try:
        return attach(lab, found[1])
    finally:
        if case.poll() is None:
            os.killpg(case.pid, signal.SIGTERM)
        case.wait()


def attach(lab, port):
    words = ["-x", ".gdbinit", "-ex", f"sluice {port}", "-x", lab.folder / "gdb"]
    return subprocess.call(["gdb", "-nx", "-q", *words], cwd=lab.top)
