"""Grades one submission: the order of the steps, and the result.

1. The source lint. 2. The build. 3. The object lint. 4. The canary: does the kernel boot and run `true`?
5. The checks, several at a time, each in a guest of its own. After each of them the result is written anew.
6. Points that count only together with other checks (`needs`). 7. The challenge.
"""

import concurrent.futures
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from . import build, checks, lint, manifest, place, submission

VERSION = 1
UNIT_KINDS = ("unit", "explore")  # they do not need a kernel that builds and boots
CANARY = {"id": "boot", "guest": [], "cpu": 1.0, "kind": "guest", "shows": "the kernel boots and runs `true`", "needs": [], "rounds": 1}


def grader_version(top):
    stored = top / "labs/VERSION"
    if stored.is_file():
        return stored.read_text().strip()
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=top, capture_output=True, text=True)
        return done.stdout.strip() or "unknown"
    except OSError:
        return "unknown"


def write_result(path, result):
    """Writes a result so that a reader sees the old one or the new one, never a part."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name + ".", delete=False) as file:
        json.dump(result, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def may_differ(check, outcome, got):
    """Is this a failure that may not repeat, since the order of events on several CPUs is never the same?"""
    several = "-c" in check["guest"] and check["kind"] == "guest"
    return several and outcome not in ("pass", "no-build", "no-boot", "refused", "infra") and not got.endswith(checks.UNWRITTEN)


class Grader:
    """One grading. `texts` maps the lab's files to their contents; `only` names the checks to carry out."""

    def __init__(self, lab, texts, jobs=None, key=None, seed=None, only=(), target=None, home=False, patch=None, logs=None, said=None):
        self.lab, self.texts, self.jobs = lab, texts, jobs or os.cpu_count() or 1
        self.key, self.seed, self.only, self.target = key, seed, only, target
        self.home, self.patch, self.logs = home, patch, logs
        self.said = said or (lambda *_: None)  # called with (a Grader, an entry of the result or a text)
        self.chosen = [check for check in lab.checks if not only or check["id"] in only]
        self.cpu_before = cpu_of_children()
        self.start = time.monotonic()
        self.result = {
            "version": VERSION, "lab": lab.name, "student": "", "submission": digest(texts), "grader": grader_version(lab.top),
            "score": 0, "max": sum(check["points"] for check in self.chosen), "outcome": "graded", "seconds": 0.0, "cpu": 0.0,
            "hours": None, "warnings": [], "complete": False, "checks": [self.entry(check) for check in self.chosen], "metric": None,
        }  # fmt: skip

    def entry(self, check):
        read = check.get("read", "")
        if read.startswith("BOOK: "):
            read = f"{manifest.chapter_of(self.lab.top, read[6:])} ({read})"
        return {
            "id": check["id"], "stage": check["stage"], "shows": check["shows"], "points": 0, "max": check["points"],
            "outcome": "infra", "seconds": 0.0, "cpu": 0.0, "seed": None, "expected": "", "got": "not carried out yet", "where": "",
            "rule": check.get("rule", ""), "read": read, "repeat": f"./run lab {self.lab.name} {check['id']}", "log": "",
            "unstable": False, "details": "",
        }  # fmt: skip

    # The whole.

    def run(self):
        with tempfile.TemporaryDirectory(prefix="sluice-lab-", ignore_cleanup_errors=True) as folder:
            self.folder = Path(folder)
            logs = Path(self.logs) if self.logs else self.folder / "logs"
            tree = self.lab.top if self.home else self.folder / "tree"
            self.place = place.Place(self.lab, tree, self.texts, self.folder / "logs", self.key, self.seed, self.home, self.patch)
            try:
                self.steps()
            except OSError as error:  # a full disk, no more processes: a fault of this machine
                self.result["outcome"] = "infra"
                self.result["warnings"].append(f"the grading was broken off: {error}")
            self.finish()
            if self.logs:
                shutil.copytree(self.folder / "logs", logs, dirs_exist_ok=True, ignore=lambda base, names: [n for n in names if n.endswith(".script")])
        return self.result

    def steps(self):
        self.said(self, "checking the source")
        allowed = lint.allowed(self.lab)
        faults = [] if self.patch else lint.source_lint(self.lab, self.texts, allowed)
        if faults:
            return self.all("refused", "code that uses only what the lab needs", "\n".join(faults[:8]))
        broken = self.build()
        if not broken:
            faults, warnings = ([], []) if self.patch else lint.object_lint(self.lab, self.place.tree, allowed)
            self.result["warnings"] += warnings
            if faults:
                return self.all("refused", "code that uses only what the lab needs", "\n".join(faults[:8]))
        dead = broken or self.canary()
        self.carry_out(dead)
        self.apply_needs()
        if self.lab.challenge and not dead and not self.only:
            self.measure_challenge()

    def build(self):
        """Builds the kernel. Returns None or the verdict for all checks that need it."""
        self.said(self, "compiling")
        try:
            if not self.home:
                build.kernel_tree(self.lab, self.texts, self.place.tree, self.patch)
            build.kernel(self.place.tree, self.jobs)
        except build.BuildFailed as failed:
            text = str(failed)
            return checks.Verdict("no-build", "the kernel compiles", text, checks.compiler_place(text, self.place))
        return None

    def canary(self):
        """Boots once. Returns None or the verdict for all checks that need a kernel that boots."""
        if not any(check["kind"] not in UNIT_KINDS + ("build",) for check in self.chosen):
            return None
        self.said(self, "booting")
        run = self.place.guest(CANARY, ["/bin/true"], "")
        if run.end == "exit" and run.status == 0:
            self.place.slowness = min(place.SLOWEST, max(1.0, run.cpu / place.CANARY_CPU))
            return None
        if run.end == "exit":
            return checks.Verdict("no-boot", CANARY["shows"], f"`true` ended with status {run.status}")
        verdict = checks.died(run, self.place, CANARY["shows"])
        verdict.outcome = "infra" if verdict.outcome == "infra" else "no-boot"
        return verdict

    def carry_out(self, dead):
        """Carries out the checks, several at a time. Those that can only be trusted alone are repeated then."""
        doubtful = []
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            jobs = {}
            # Programs are long and start with compiling, so they begin first. Checks that need others come last.
            # A student's first stages come before everything else.
            stage = lambda check: check["stage"] if self.by_stages() else ""
            for check in sorted(self.chosen, key=lambda check: (stage(check), check["kind"] not in UNIT_KINDS, check["needs"] != [], -check["cpu"])):
                jobs[pool.submit(self.one, check, dead)] = check
            for job in concurrent.futures.as_completed(jobs):
                check, (verdict, seconds) = jobs[job], job.result()
                if self.must_repeat(check, verdict):
                    doubtful.append((check, verdict))
                else:
                    self.note(check, verdict, seconds)
        for check, first in doubtful:
            verdict, seconds = self.one(check, None)
            if verdict.outcome != first.outcome:
                self.entry_of(check)["unstable"] = True
                if verdict.passed() and check["rounds"] > 1:
                    verdict = first
            if verdict.outcome == first.outcome == "infra" and "too busy" in verdict.got:
                verdict.outcome, verdict.got = "spins", "it did not end in time, twice"
            self.note(check, verdict, seconds)

    def must_repeat(self, check, verdict):
        if verdict.outcome == "infra":
            return True
        return not self.needs_failed(check) and may_differ(check, verdict.outcome, verdict.got)

    def needs_failed(self, check):
        """Has a check failed that this one needs? Then this one tells the student something, but gives no points."""
        failed = {entry["id"] for entry in self.result["checks"] if entry["outcome"] not in ("pass", "infra")}
        return not failed.isdisjoint(check["needs"])

    def by_stages(self):
        """Does a student carry out all checks? Then unwritten code of a stage spares those of the next ones."""
        return self.home and not self.only

    def unwritten_before(self, check):
        """Returns what a check of an earlier stage said about a function that is not written yet, or None."""
        for entry in self.result["checks"] if self.by_stages() else []:
            if entry["stage"] < check["stage"] and entry["outcome"] == "panic" and entry["got"].endswith(checks.UNWRITTEN):
                return entry["got"]
        return None

    def one(self, check, dead):
        start = time.monotonic()
        unwritten = self.unwritten_before(check)
        if unwritten:
            verdict = checks.Verdict("panic", check["shows"], "not tried, because of an earlier stage: " + unwritten)
        elif dead and check["kind"] not in UNIT_KINDS:
            verdict = dead
        else:
            try:
                verdict = checks.KINDS[check["kind"]]({**check, "lost": self.needs_failed(check)}, self.place)
            except OSError as error:
                verdict = checks.Verdict("infra", check["shows"], f"this machine: {error}")
        return verdict, time.monotonic() - start

    # The result.

    def entry_of(self, check):
        return next(entry for entry in self.result["checks"] if entry["id"] == check["id"])

    def note(self, check, verdict, seconds):
        entry = self.entry_of(check)
        passed = verdict.passed()
        entry.update(
            outcome=verdict.outcome, points=check["points"] if passed else 0, seconds=round(seconds, 2), cpu=round(verdict.cpu, 2),
            seed=verdict.seed, expected=verdict.expected, got="" if passed else verdict.got, where="" if passed else verdict.where,
            details="" if passed else checks.cut(verdict.details), log=f"logs/{check['id']}.log",
        )  # fmt: skip
        if verdict.seed is not None:
            entry["repeat"] += f" --seed {verdict.seed}"
        self.sum()
        self.said(self, entry)

    def all(self, outcome, expected, got):
        self.result["outcome"] = outcome
        for check in self.chosen:
            self.note(check, checks.Verdict(outcome, expected, got), 0.0)

    def apply_needs(self):
        """A check without its needs gives no points. Needs that are not among the chosen checks are not asked for."""
        passed = {entry["id"] for entry in self.result["checks"] if entry["outcome"] == "pass"}
        chosen = {check["id"] for check in self.chosen}
        for check in self.chosen:
            absent = [name for name in check["needs"] if name in chosen - passed]
            entry = self.entry_of(check)
            if absent and entry["outcome"] == "pass":
                entry.update(outcome="needs", points=0, got="this check passes; it counts once these do: " + " ".join(absent))
            elif absent and may_differ(check, entry["outcome"], entry["got"]):
                # Another grading of the same files must not say otherwise.
                said = f"{entry['outcome']}: {entry['got']}\non several CPUs it may pass at times; it counts once these do: "
                entry.update(outcome="needs", points=0, got=said + " ".join(absent), unstable=False)
        self.sum()

    def measure_challenge(self):
        if any(entry["outcome"] != "pass" for entry in self.result["checks"]):
            return
        challenge = {**CANARY, **self.lab.challenge, "id": "challenge", "cpu": 3.0}
        value, _ = checks.measure(challenge, self.place)
        if value is not None:
            self.result["metric"] = {"name": challenge["row"], "value": value, "order": "asc", "reference": self.lab.challenge.get("reference")}

    def sum(self):
        result = self.result
        result["score"] = sum(entry["points"] for entry in result["checks"])
        result["seconds"] = round(time.monotonic() - self.start, 1)
        result["cpu"] = round(cpu_of_children() - self.cpu_before, 1)
        if self.target:
            write_result(self.target, result)

    def finish(self):
        outcomes = {entry["outcome"] for entry in self.result["checks"]}
        if "infra" in outcomes:
            self.result["outcome"] = "infra"
        elif outcomes <= {"no-build", "no-boot", "refused"} and len(outcomes) == 1:
            self.result["outcome"] = outcomes.pop()
        self.result["complete"] = True
        self.sum()


def digest(texts):
    return submission.Submission("", texts, None).digest()


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def refused(lab, student, why, target=None):
    """Returns the result of a submission that cannot be read."""
    grader = Grader(lab, {}, target=target)
    grader.result["student"] = student
    grader.said = lambda *_: None
    for entry in grader.result["checks"]:
        entry.update(outcome="refused", got=why, expected="a submission that can be read")
    grader.result["outcome"] = "refused"
    grader.finish()
    return grader.result


def submitted(lab, path, **options):
    """Grades what is at `path`. Files that are missing there are the starter's."""
    from . import export

    try:
        handed_in = submission.read(path, lab)
    except submission.Refused as refusal:
        return refused(lab, submission.student_of(path), str(refusal), options.get("target"))
    texts = {**export.blanked(lab), **handed_in.files}
    grader = Grader(lab, texts, **options)
    grader.result["submission"] = handed_in.digest()
    grader.result["student"], grader.result["hours"] = handed_in.student, handed_in.hours
    missing = [path for path in lab.files if path not in handed_in.files]
    if missing:
        grader.result["warnings"].append("not handed in, so the starter's file was used: " + " ".join(missing))
    return grader.run()
