"""Proves a lab with its own grader: what must have all points, what must have none, and what must lose which.

A mutant is the reference with one mistake. It must fail the checks that it names (`# loses:` in
labs/LAB/mutants, or [broken] in the manifest for patches of tests/broken), and no check of an earlier
stage than the first of those. Only these checks are carried out.

With the functions of some stages written, and all others as in the starter, the checks of these stages
pass ([written] in the manifest).
"""

import re
import time

from . import export, grade
from .manifest import BadManifest


CHALLENGE_MAY_DIFFER = 0.05
UNJUDGED = ("no-build", "refused", "infra")


def failed_ids(result):
    return [entry["id"] for entry in result["checks"] if entry["outcome"] not in ("pass", "needs")]


def line(name, result, text):
    print(f"{name:32} {result['score']:>3} of {result['max']} {result['seconds']:6.1f} s  {text}", flush=True)


def mutants_of(lab):
    """Returns (name, patch, the checks that must fail) of all mutants."""
    own = [(patch.stem, patch, loses) for patch, loses in lab.mutants()]
    return own + [(name, lab.top / f"tests/broken/{name}.patch", loses) for name, loses in lab.broken.items()]


def mutant_faults(lab, result, loses):
    """Returns what is wrong with the result of a mutant."""
    lost = failed_ids(result)
    # A mutant that does not apply or compile proves nothing, nor does a machine that could not judge.
    faults = [f"{entry['id']} is {entry['outcome']}: {entry['got']}" for entry in result["checks"] if entry["outcome"] in UNJUDGED][:1]
    faults += [f"does not lose {name}" for name in loses if name not in lost]
    stages = {check["id"]: check["stage"] for check in lab.checks}
    first = min(stages[name] for name in loses) if loses else ""
    faults += [f"loses {name} of the earlier stage {stages[name]}" for name in lost if stages[name] < first]
    return faults


def all_pass(result):
    return [f"{entry['id']}: {entry['got']}" for entry in result["checks"] if entry["outcome"] != "pass"]


def challenge_faults(lab, metric):
    """Returns what is wrong with the challenge, given what the reference's row has cost. The kernel changes, so a little may."""
    if not lab.challenge:
        return []
    if not metric:
        return ["the challenge was not measured"]
    known = lab.challenge.get("reference", 0)
    stale = abs(metric["value"] - known) > known * CHALLENGE_MAY_DIFFER
    return [f"the challenge's reference is {known}, but it needs {metric['value']}: tools/lab calibrate {lab.name}"] if stale else []


def judged(lab, loses):
    """Returns the checks that say whether a mutant is caught where it should be."""
    stages = {check["id"]: check["stage"] for check in lab.checks}
    first = min((stages[name] for name in loses), default="")
    return [name for name, stage in stages.items() if name in loses or stage < first]


def of_today(mutants, few):
    """Returns a few of the mutants, so that all of them get their turn within some days."""
    start = int(time.time() // 86400) * few % max(1, len(mutants))
    return (mutants + mutants)[start : start + min(few, len(mutants))]


def run(lab, jobs=None, only=None, few=None):
    faults = 0

    def one(name, texts, judge, patch=None, only=None):
        nonlocal faults
        result = grade.Grader(lab, texts, jobs=jobs, patch=patch, only=only).run()
        found = judge(result)
        faults += len(found)
        lost = " ".join(failed_ids(result))
        line(name, result, ("WRONG: " + "; ".join(found) + " " if found else "") + (f"lost: {lost}" if lost else ""))

    if not only:
        full = lambda result: all_pass(result) + challenge_faults(lab, result["metric"])
        none = lambda result: [] if result["score"] == 0 else ["has points without work"]
        one("reference", export.reference(lab), full)
        one("starter", export.blanked(lab), none)
        for stage in sorted(lab.written):
            until = [check["id"] for check in lab.checks if check["stage"] <= stage]
            one(f"stage-{stage}", export.written_until(lab, stage), all_pass, only=until)
    mutants = mutants_of(lab)
    unknown = set(only or []) - {name for name, _, _ in mutants}
    if unknown:
        raise BadManifest(f"there is no mutant {' '.join(sorted(unknown))}")
    for name, patch, loses in mutants if few is None else of_today(mutants, few):
        if not only or name in only:
            one(name, export.reference(lab), lambda result, loses=loses: mutant_faults(lab, result, loses), patch, judged(lab, loses))
    print("the lab is proved" if not faults else f"{faults} faults")
    return 1 if faults else 0


def calibrate(lab):
    """Measures the reference alone, one check after the other, and writes `cpu` of each check into the manifest."""
    best = {}
    for _ in range(2):
        result = grade.Grader(lab, export.reference(lab), jobs=1).run()
        bad = [entry["id"] for entry in result["checks"] if entry["outcome"] != "pass"]
        if bad:
            raise BadManifest(f"the reference does not pass: {' '.join(bad)}")
        for entry in result["checks"]:
            best[entry["id"]] = min(best.get(entry["id"], 1e9), entry["cpu"])
    metric = result["metric"]
    path = lab.folder / "lab.toml"
    path.write_text(with_costs(path.read_text(), best, metric and metric["value"]))
    for name, cpu in best.items():
        print(f"{name:28} {cpu:6.2f} CPU seconds")
    if metric:
        print(f"{'challenge':28} {metric['value']} instructions")
    return 0


def with_costs(text, costs, instructions=None):
    """Returns the manifest's text with a line `cpu = ` in each check, and the reference's instructions in the challenge."""
    parts = re.split(r"(?m)^(?=\[\[check\]\]|\[challenge\])", text)
    for at, part in enumerate(parts):
        found = re.search(r'(?m)^id = "([^"]+)"', part)
        if part.startswith("[[check]]") and found and found[1] in costs:
            part = re.sub(r"(?m)^cpu = .*\n", "", part)
            parts[at] = re.sub(r"(?m)^(points = .*\n)", lambda match: match[1] + f"cpu = {max(0.1, costs[found[1]]):.1f}\n", part)
        elif part.startswith("[challenge]") and instructions is not None:
            part = re.sub(r"(?m)^reference = .*\n", "", part)
            parts[at] = re.sub(r"(?m)^(row = .*\n)", lambda match: match[1] + f"reference = {instructions}\n", part)
    return "".join(parts)
