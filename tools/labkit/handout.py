"""Says what the texts of the labs name that is not there any more.

1. Every file, every function() and every name with an underscore in a handout is one of the starter's.
2. Its commands name checks and stages of the lab. A word with dashes in backquotes is a check, a program or a
   command of gdb.
3. Every function that is to be written is named in it.
4. Rows of benchmarks exist, and numbers of instructions are those of the manifest, or nearly so.
5. The texts for instructors name what the whole tree has. labs/README.md lists each lab with its hours.
"""

import re
from pathlib import Path

from . import export

FIGURE_MAY_DIFFER = 0.05
CODE = ("boot/", "drivers/", "fs/", "kernel/", "lib/", "mm/", "net/", "tests/", "tools/", "user/")
TABLE = re.compile(r"<!-- checks: .*?<!-- end of checks -->", re.S)
DEFINED = re.compile(r"^(?:#define\s+|[A-Za-z_][\w \t*]*?[ \t*])(\w+)\(", re.M)
PATH = re.compile(r"(?<![\w/.<-])(?:boot|docs|drivers|fs|kernel|lib|mm|net|tests|tools|user)/[\w./-]*\w")
COMMAND = re.compile(r"\./run lab ([a-z]+)((?: [\w-]+\b)*)")
FOR_INSTRUCTORS = ("labs/README.md", "docs/grading.md")


class Tree:
    """The names that some files of a tree contain."""

    def __init__(self, top, files):
        self.files = set(files)
        texts = {name: (top / name).read_text(errors="replace") for name in self.files if name.startswith(CODE)}
        code = "\n".join(texts.values())
        self.words = set(re.findall(r"\w+", code))
        self.functions = set(DEFINED.findall("\n".join(text for name, text in texts.items() if name.endswith((".c", ".h")))))
        self.strings = set(re.findall(r'"([^"\n]*)"', code))

    def has_file(self, name):
        return name in self.files or any(file.startswith(name + "/") for file in self.files)


def faults(lab):
    """Returns what is wrong with the names and figures in the texts of a lab, each fault a line."""
    starter = Tree(lab.top, export.exported_names(lab))
    found = [f"text.md: {fault}" for fault in text_faults(lab, (lab.folder / "text.md").read_text(), starter)]
    for check in lab.checks:
        found += [f"check {check['id']}: {fault}" for fault in check_faults(check, starter)]
    if lab.challenge:
        found += [f"challenge: {fault}" for fault in row_faults(lab.challenge, starter)]
    breakpoints = re.findall(r"^break (\w+)", (lab.folder / "gdb").read_text(), re.M)
    return found + [f"gdb has a breakpoint on {name}(), which does not exist" for name in breakpoints if name not in starter.functions]


def instructors_faults(labs, top):
    """Returns what is wrong with the texts for instructors, which no starter has."""
    tree = Tree(top, export.tree_files(top))
    found = [f"{path}: {fault}" for path in FOR_INSTRUCTORS for fault in absent_names((top / path).read_text(), tree)]
    text = (top / "labs/README.md").read_text()
    return found + [f"labs/README.md does not list `{lab.name}` ({lab.hours})" for lab in labs if f"`{lab.name}` ({lab.hours})" not in text]


def text_faults(lab, text, starter):
    text = TABLE.sub("", text)
    yield from absent_names(text, starter)
    yield from command_faults(lab, text)
    yield from dashed_faults(lab, text, starter)
    yield from figure_faults(lab, text)
    yield from (f"{name}() is to be written, and is not named" for stubs in lab.blank.values() for name in stubs if not named(name, text))


def check_faults(check, starter):
    yield from absent_names(" ".join([check.get("rule", ""), check["shows"], check.get("read", "")]), starter)
    yield from row_faults(check, starter)
    for figure in re.findall(r"(\d+) instructions", check["shows"]):
        if int(figure) != check.get("limit"):
            yield f"it shows {figure} instructions, but its limit is {check.get('limit')}"


def absent_names(text, tree):
    """Yields a few words about each name in a text that the tree does not have."""
    for name in dict.fromkeys(PATH.findall(text)):
        if not tree.has_file(name):
            yield f"there is no file {name}"
    for kind, name in dict.fromkeys(re.findall(r"(?<![\w/])/(bench|test)/(\w+)", text)):
        if not tree.has_file(f"user/{kind}/{name}.c"):
            yield f"there is no program /{kind}/{name}"
    for name in dict.fromkeys(re.findall(r"(?<!\w)/proc/(\w+)", text)):
        if name not in tree.strings:
            yield f"there is no file /proc/{name}"
    text = PATH.sub("", text)
    for name in dict.fromkeys(re.findall(r"\b([A-Za-z_]\w*)\(\)", text)):
        if name not in tree.functions:
            yield f"there is no {name}()"
    for name in dict.fromkeys(re.findall(r"\b\w*[A-Za-z]_\w*\b(?!\(\))", text)):
        # A name that ends with an underscore stands for several, as in ring_wait_...
        if name not in tree.words and not (name.endswith("_") and any(word.startswith(name) for word in tree.words)):
            yield f"the name {name} stands nowhere in the code"


def named(name, text):
    """Is a function named? `ring_wait_...` names all that begin so."""
    beginnings = re.findall(r"\b(\w+_)\.\.\.", text)
    return re.search(rf"\b{name}\b", text) is not None or name.startswith(tuple(beginnings))


def command_faults(lab, text):
    for name, words in COMMAND.findall(text):
        if name != lab.name:
            yield f"a command names the lab {name}"
        stages = {check["stage"] for check in lab.checks}
        yield from (f"a command names the stage {stage}; there is none" for stage in re.findall(r"--stage (\w+)", words) if stage not in stages)
        for word in words.split():
            if re.fullmatch(r"[a-z][a-z0-9-]*", word) and not lab.check(word):
                yield f"a command names the check {word}; there is none"


def dashed_faults(lab, text, starter):
    programs = {Path(name).stem for name in starter.files if name.startswith("user/")}
    for name in dict.fromkeys(re.findall(r"`([a-z][a-z0-9]*(?:-[a-z0-9]+)+)`", text)):
        if not lab.check(name) and name not in programs and name not in starter.strings:
            yield f"{name} is no check, no program and no command"


def figure_faults(lab, text):
    """Numbers of instructions stand in the section about the challenge."""
    section = text.partition("hallenge\n")[2]
    if not lab.challenge:
        if "/bench/" in section:
            yield "the challenge counts instructions, but the manifest has no [challenge]"
        return
    if f"`{lab.challenge['row']}`" not in section or lab.challenge["program"] not in section:
        yield f"the challenge does not name the row `{lab.challenge['row']}` of {lab.challenge['program']}"
    known = lab.challenge.get("reference", 0)
    for figure in re.findall(r"\b\d{1,3},\d{3}\b|\b\d{4,}\b", section):
        if abs(int(figure.replace(",", "")) - known) > known * FIGURE_MAY_DIFFER:
            yield f"the challenge says {figure}, but its reference is {known}"


def row_faults(check, starter):
    if "row" in check and check["row"] not in starter.strings:
        yield f"no program has the row '{check['row']}'"
