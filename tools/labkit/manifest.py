"""Reads labs/NAME/lab.toml, and says what is wrong with it."""

import re
import tomllib
from pathlib import Path

from . import functions

TOP = Path(__file__).resolve().parent.parent.parent
KINDS = ["build", "unit", "explore", "guest", "play", "tool", "icount"]
# The verdict of these kinds is formed on the host, from effects that a kernel cannot simply claim.
HOST_JUDGED = ["unit", "explore", "play", "tool", "icount"]
NEEDED = ["id", "shows", "stage", "points", "kind"]
BY_KIND = {
    "build": [],
    "unit": ["source", "cases"],
    "explore": ["scenarios"],
    "guest": ["case"],
    "play": ["model", "steps"],
    "tool": ["name", "case"],
    "icount": ["program", "row", "limit"],
}
OPTIONAL = ["guest", "cpu", "rounds", "needs", "read", "bound", "tso", "seeds", "seconds", "rule", "ops"]
KEYS = ["title", "order", "hours", "files", "may_include", "may_call", "reading", "broken", "guest", "blank", "check", "challenge", "leaks", "plant", "written"]


class BadManifest(Exception):
    """Its text is one line or more, each one fault."""


class Lab:
    """A lab as its manifest describes it. `top` is the tree that it belongs to."""

    def __init__(self, name, top=TOP):
        self.name, self.top, self.folder = name, Path(top), Path(top) / "labs" / name
        path = self.folder / "lab.toml"
        if not path.is_file():
            raise BadManifest(f"there is no lab '{name}'; the labs are: {' '.join(names(top)) or 'none'}")
        try:
            data = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadManifest(f"labs/{name}/lab.toml: {error}")
        faults = shape_faults(data)
        if faults:
            raise BadManifest("\n".join(f"labs/{name}/lab.toml: {fault}" for fault in faults))
        self.title, self.hours = data["title"], data.get("hours", 0)
        self.order = data.get("order", 99)
        self.files = data["files"]
        self.blank = data.get("blank", {})
        self.checks = [{"needs": [], "guest": [], "rounds": 1, "cpu": 1.0, **check} for check in data["check"]]
        self.reading, self.broken = data.get("reading", []), data.get("broken", {})
        self.may_include, self.may_call = data.get("may_include", []), data.get("may_call", [])
        self.guest = data.get("guest", [])
        self.challenge = data.get("challenge")
        self.written = data.get("written", {})  # by stage: the functions that are written in it; all others come last
        self.plant = data.get("plant", [])  # mutants that the starter has, for the student to find
        self.leaks = data.get("leaks", [])  # runs of solution lines that stand elsewhere by chance

    def check(self, name):
        for check in self.checks:
            if check["id"] == name:
                return check
        return None

    def objects(self):
        return [name[:-2] + ".o" for name in self.files if name.endswith(".c")]

    def mutant(self, name):
        return self.folder / "mutants" / (name + ".patch")

    def mutants(self):
        """Returns (patch, the checks that must fail with it) for all mutants of the lab."""
        found = []
        for patch in sorted((self.folder / "mutants").glob("*.patch")):
            line = re.search(r"^# loses: *(.+)$", patch.read_text(), re.M)
            found.append((patch, line[1].split() if line else []))
        return found


def names(top=TOP):
    """Returns the names of the labs, in the order of the course."""

    def order(path):
        found = re.search(r"^order *= *(\d+)", path.read_text(errors="replace"), re.M)
        return (int(found[1]) if found else 99, path.parent.name)

    return [path.parent.name for path in sorted(Path(top).glob("labs/*/lab.toml"), key=order)]


def shape_faults(data):
    """Yields what is wrong with the keys and types, without a look at the tree."""
    faults = [f"'{key}' is missing" for key in ("title", "files", "check") if key not in data]
    faults += [f"'{key}' is not known" for key in data if key not in KEYS]
    for key in ("files", "reading", "guest", "may_include", "may_call", "leaks", "plant"):
        if not isinstance(data.get(key, []), list):
            faults.append(f"'{key}' must be a list")
    checks = data.get("check", [])
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        return faults + ["'check' must be written as [[check]]"]
    for number, check in enumerate(checks, 1):
        name = check.get("id", f"number {number}")
        faults += [f"check {name}: '{key}' is missing" for key in NEEDED if key not in check]
        kind = check.get("kind")
        if kind not in KINDS:
            faults.append(f"check {name}: kind '{kind}' is none of {' '.join(KINDS)}")
            continue
        faults += [f"check {name}: '{key}' is missing" for key in BY_KIND[kind] if key not in check]
        known = NEEDED + OPTIONAL + BY_KIND[kind]
        faults += [f"check {name}: '{key}' is not known for kind {kind}" for key in check if key not in known]
        if not re.fullmatch(r"[a-z0-9-]+", str(check.get("id", ""))):
            faults.append(f"check {name}: an id has small letters, digits and dashes only")
        if not isinstance(check.get("points", 0), int) or check.get("points", 0) < 0:
            faults.append(f"check {name}: points must be a number that is not negative")
    return faults


def case_seconds(top, case):
    """Returns the time limit of a guest test's case, from its source, or None if there is no such case."""
    program, _, name = case.partition(": ")
    source = Path(top) / "user/test" / (program + ".c")
    found = source.exists() and re.search(rf"TEST\(\s*{re.escape(name)},\s*(\d+)", source.read_text())
    return int(found[1]) if found else None


def unit_cases(top, source):
    """Returns the names of the cases of a unit program."""
    return re.findall(r"^CASE\(\s*(\w+)", (Path(top) / source).read_text(), re.M)


def guest_cases(check):
    """Returns the cases of a check of the kind guest, which names one or a list."""
    return [check["case"]] if isinstance(check["case"], str) else check["case"]


def faults(lab):
    """Returns what is wrong with a lab, each fault a line. A lab with faults must not be given to students."""
    found = point_faults(lab) + [fault for check in lab.checks for fault in check_faults(lab, check)]
    for path, stubs in lab.blank.items():
        if path not in lab.files:
            found.append(f"{path} is blanked, but is not in 'files'")
        if not (lab.top / path).is_file():
            found.append(f"there is no file {path}")
            continue
        known = functions.functions((lab.top / path).read_text())
        found += [f"{path} has no function {name}()" for name in stubs if name not in known]
    found += [f"there is no file {name}" for name in lab.files + lab.reading if not (lab.top / name).is_file()]
    found += [f"there is no tests/broken/{name}.patch" for name in lab.broken if not (lab.top / f"tests/broken/{name}.patch").is_file()]
    found += [f"there is no labs/{lab.name}/mutants/{name}.patch to be planted" for name in lab.plant if not lab.mutant(name).is_file()]
    ids = {check["id"] for check in lab.checks}
    for name, loses in [*((patch.stem, loses) for patch, loses in lab.mutants()), *lab.broken.items()]:
        if not loses:
            found.append(f"it is not said which checks the mutant {name} loses")
        found += [f"the mutant {name} loses {check}, which is no check" for check in loses if check not in ids]
    for source in {check["source"] for check in lab.checks if check["kind"] == "unit"}:
        used = {case for check in lab.checks if check.get("source") == source for case in check["cases"]}
        if (lab.top / source).is_file():
            found += [f"the case {case} of {source} is in no check" for case in unit_cases(lab.top, source) if case not in used]
    stages, blanked = {check["stage"] for check in lab.checks}, {name for stubs in lab.blank.values() for name in stubs}
    for stage, names in lab.written.items():
        found += [f"'written' names the stage {stage}, which has no check"] if stage not in stages else []
        found += [f"'written' names {name}(), which is not blanked" for name in names if name not in blanked]
    for name in ("text.md", "gdb"):
        if not (lab.folder / name).is_file():
            found.append(f"labs/{lab.name}/{name} is missing")
    return found


def point_faults(lab):
    found = []
    total = sum(check["points"] for check in lab.checks)
    judged = sum(check["points"] for check in lab.checks if check["kind"] in HOST_JUDGED)
    if total != 100:
        found.append(f"the points are {total} together, not 100")
    if judged < 60:
        found.append(f"only {judged} points are judged on the host; 60 are needed")
    ids = [check["id"] for check in lab.checks]
    found += [f"two checks have the id {name}" for name in sorted({name for name in ids if ids.count(name) > 1})]
    return found


def check_faults(lab, check):
    name, kind = check["id"], check["kind"]
    if kind == "guest":
        yield from (f"check {name}: there is no case '{case}'" for case in guest_cases(check) if case_seconds(lab.top, case) is None)
    if kind == "unit":
        if not (lab.top / check["source"]).is_file():
            yield f"check {name}: there is no file {check['source']}"
        else:
            known = unit_cases(lab.top, check["source"])
            yield from (f"check {name}: {check['source']} has no case '{case}'" for case in check["cases"] if case not in known)
    if kind == "explore":
        text = "".join(path.read_text() for path in (lab.top / "tests/explore/scenarios").glob("*.c"))
        known = re.findall(r"SCENARIO\(\s*(\w+)", text)
        yield from (f"check {name}: there is no scenario '{case}'" for case in check["scenarios"] if case not in known)
    if kind == "play" and not (lab.top / "tests/play" / (check["model"] + ".py")).is_file():
        yield f"check {name}: there is no model tests/play/{check['model']}.py"
    if kind == "tool" and not (lab.top / "tests/guest-tool" / check["name"]).is_file():
        yield f"check {name}: there is no program tests/guest-tool/{check['name']}"
    for other in check["needs"]:
        if lab.check(other) is None:
            yield f"check {name}: needs {other}, which is no check"
    judged = [other for other in check["needs"] if (lab.check(other) or {}).get("kind") in HOST_JUDGED]
    if kind == "guest" and check["points"] and not judged:
        yield f"check {name}: its verdict comes from the guest, so it needs a check that the host judges"
    if "read" in check and check["read"].startswith("BOOK: ") and not book_tag(lab.top, check["read"][6:]):
        yield f"check {name}: there is no tag {check['read']}"


def book_tag(top, tag):
    """Returns whether the kernel's source has a tag."""
    for folder in ("kernel", "mm", "fs", "drivers", "net", "lib", "boot"):
        for path in sorted((Path(top) / folder).rglob("*.[ch]")):
            if re.search(rf"^//BOOK: {re.escape(tag)}$", path.read_text(errors="replace"), re.M):
                return True
    return False


def chapter_of(top, tag):
    """Returns the chapter of the book that explains a tag."""
    for path in sorted((Path(top) / "docs").glob("*.md")):
        if f"BOOK: {tag}`" in path.read_text(errors="replace"):
            return f"docs/{path.name}"
    return "docs"
