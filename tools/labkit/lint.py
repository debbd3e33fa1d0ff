"""Two gates in front of the checks, against code that fools a grader instead of solving the lab.

1. The source lint runs before the compiler, because a source can make the compiler read other files. It
   compares each file with the reference: what the language has for reaching around the kernel (assembly,
   sections, pragmas, conditional compilation, pasted tokens) is allowed only as far as the reference has it.
2. The object lint runs on what was compiled: functions that are called, global names, sections, and
   instructions that only a kernel may execute. A lab's objects may use what the reference's objects use,
   what the manifest adds (may_call), and a short list of harmless functions.
"""

import json
import re
import subprocess
from pathlib import Path

from . import functions

CROSS = "i686-linux-gnu-"
WORDS = re.compile(
    r"\b(asm|__asm__|__asm|naked|constructor|destructor|alias|weak|ifunc|section|__section|cleanup|INITCALL\w*|DRIVER|_Pragma"
    r"|__attribute__|__attribute|__builtin_\w+|__has_include\w*|__COUNTER__)\b"
)
SIGNS = {"##": "pastes tokens together (##)", "%:": "has a digraph (%:)", "??": "has a trigraph (??)"}
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*(.*?)[ \t]*$", re.M)
PRIVILEGED = re.compile(
    r"\b(in|out|ins|outs|ins[bwl]|outs[bwl]|hlt|cli|sti|l[gil]dt|ltr|lmsw|clts|invd|wbinvd|invlpg|wrmsr|rdmsr|rdtscp?|rdpmc"
    r"|iretl?|int3?|int|sysexit|sysenter|syscall|lret|ljmp|lcall|vm\w+|mov\s+%[a-z]+,%[cd]r\d|mov\s+%[cd]r\d,)(?=\s|$)"
)
# Functions that any kernel code may call.
HARMLESS = set(
    "panic log_at memcpy memset memmove memcmp strlen strcmp spin_contended spin_bad_unlock mutex_bad_unlock mutex_lock_slow"
    " mutex_unlock_slow mutex_lock_killable_slow schedule wait_prepare wait_finish wake_all_slow wake_one signal_pending"
    " kill_pending mem_map direct_map_end wait_until assert_failed div64".split()
)


# --- the source ---


def joined(text):
    """Returns the text as the compiler sees its lines, without comments."""
    return functions.without_comments(text.replace("\\\n", ""))


def source_uses(text):
    text = joined(text)
    uses = {"words": sorted({match[0] for match in WORDS.finditer(text)}), "signs": sorted(sign for sign in SIGNS if sign in text)}
    directives = [(match[1], " ".join(match[2].split())) for match in DIRECTIVE.finditer(text)]
    uses["includes"] = sorted({value for name, value in directives if name in ("include", "include_next", "import")})
    uses["directives"] = sorted({f"#{name} {value}" for name, value in directives if name not in ("include", "define", "endif", "else")})
    return uses


def source_lint(lab, texts, allowed):
    """Returns a line for each use in the texts that the reference does not have."""
    found = []
    for path, text in texts.items():
        uses, known = source_uses(text), allowed["source"].get(path, {})
        new = lambda key: [item for item in uses[key] if item not in known.get(key, [])]
        found += [f"{path}: uses `{word}`" for word in new("words")]
        found += [f"{path}: {SIGNS[sign]}" for sign in new("signs")]
        found += [f"{path}: includes {name}" for name in new("includes") if name not in lab.may_include]
        found += [f"{path}: has the directive {line}" for line in new("directives")]
    return found


# --- the objects ---


def output(*argv):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, errors="replace")
    return done.stdout


def object_uses(path):
    undefined = {line.split()[-1] for line in output(CROSS + "nm", "-u", path).splitlines()}
    defined = {line.split()[-1] for line in output(CROSS + "nm", "--defined-only", "-g", path).splitlines()}
    names = re.findall(r"^\s*\d+ (\.\S+)", output(CROSS + "objdump", "-h", path), re.M)
    sections = {name for name in names if not re.match(r"\.(text|rodata|data|bss|debug|rel|comment|note)", name)}
    code = [line.split("\t")[-1] for line in output(CROSS + "objdump", "-d", "--no-show-raw-insn", path).splitlines() if "\t" in line]
    privileged = {" ".join(match[0].split()) for match in map(PRIVILEGED.match, code) if match}
    return {"calls": undefined, "defines": defined, "sections": sections, "instructions": privileged}


def object_lint(lab, tree, allowed):
    """Returns (faults, warnings) of the lab's objects in a tree that has been built."""
    faults, warnings = [], []
    rules = {key: set(allowed["objects"][key]) for key in ("calls", "defines", "sections", "instructions")}
    for name in lab.objects():
        path = Path(tree) / "build" / name
        if not path.is_file():
            continue
        uses, source = object_uses(path), name[:-2] + ".c"
        calls = uses["calls"] - rules["calls"] - rules["defines"] - HARMLESS - set(lab.may_call)
        faults += [f"{source}: calls {call}()" for call in sorted(calls)]
        faults += [f"{source}: executes `{word}`" for word in sorted(uses["instructions"] - rules["instructions"])]
        faults += [f"{source}: has a section {word}" for word in sorted(uses["sections"] - rules["sections"])]
        warnings += [f"{source}: defines a global {word}" for word in sorted(uses["defines"] - rules["defines"])]
    return faults, warnings


# --- what the reference uses ---


def allowed(lab):
    """Returns what the lab's files may use. A starter brings this as a file, because it has no reference."""
    stored = lab.folder / "allowed.json"
    if stored.is_file():
        return json.loads(stored.read_text())
    objects = {key: set() for key in ("calls", "defines", "sections", "instructions")}
    for name in lab.objects():
        path = lab.top / "build" / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: run make first")
        for key, value in object_uses(path).items():
            objects[key] |= value
    return {
        "source": {path: source_uses((lab.top / path).read_text()) for path in lab.files},
        "objects": {key: sorted(value) for key, value in objects.items()},
    }
