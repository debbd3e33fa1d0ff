"""Prints a schedule of the explorer in columns, one for each task.

gdb knows which function and line an address of code is in, and which field of which variable an address of
data is; the stacks' waiters get their types from the lists that they hang in.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

READ, WRITE, MARKED_READ, MARKED_WRITE, ATOMIC, LOCK, UNLOCK, ARRIVES, NOTE, END = range(10)
WIDTH = 46
ABOUT = {READ: "reads", WRITE: "writes", MARKED_READ: "reads (marked)", MARKED_WRITE: "writes (marked)", ATOMIC: "atomic"}

# Runs inside gdb: asks for code addresses, data addresses and objects, answers with names.
IN_GDB = r"""
import gdb, json
ask = json.load(open(QUESTIONS))
code, data = {}, {}

def parts(kind, offset, path):
    kind = kind.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        for field in kind.fields():
            start = field.bitpos // 8
            if start <= offset < start + max(field.type.sizeof, 1):
                more = "." + field.name if field.name else ""
                return parts(field.type, offset - start, path + more)
    if kind.code == gdb.TYPE_CODE_ARRAY and kind.target().sizeof:
        size = kind.target().sizeof
        return parts(kind.target(), offset % size, path + "[%d]" % (offset // size))
    return path, str(kind.unqualified())

for pc in ask["code"]:
    line, block = gdb.find_pc_line(pc - 1), gdb.block_for_pc(pc - 1)
    while block and not block.function:
        block = block.superblock
    code[pc] = (block.function.name if block else "?", line.symtab.fullname() if line.symtab else "?", line.line)

objects = []
for address, kind, name in ask["objects"]:
    try:
        objects.append((address, gdb.lookup_type(kind), name))
    except gdb.error:
        pass

for at in ask["data"]:
    found = next((o for o in objects if o[0] <= at < o[0] + o[1].sizeof), None)
    if found:
        data[at] = parts(found[1], at - found[0], found[2])
        continue
    symbol = gdb.execute("info symbol 0x%x" % at, to_string=True).split()
    if not symbol or symbol[0] == "No":
        continue
    name = symbol[0].split(".")[0] if symbol[0].count(".") and symbol[0].split(".")[1].isdigit() else symbol[0]
    try:
        value = gdb.parse_and_eval("&'%s'" % symbol[0])
        data[at] = parts(value.type.target(), at - int(value), name)
    except gdb.error:
        data[at] = (name, "")

enums = {}
for name in ("task_state",):
    try:
        enums["enum " + name] = {f.enumval: f.name for f in gdb.lookup_type("enum " + name).fields()}
    except gdb.error:
        pass
json.dump({"code": code, "data": data, "enums": enums}, open(ANSWERS, "w"))
"""

# A list's head -> the structure whose member `link` hangs in it, and where the link is.
HANGS_IN = {"waiters": [("struct waiter", "waiter")], "buckets": [("struct page_waiter", "sleeper")]}


def ask_gdb(program, code, data, objects):
    with tempfile.TemporaryDirectory() as folder:
        questions, answers, script = (Path(folder) / name for name in ("questions", "answers", "ask.py"))
        questions.write_text(json.dumps({"code": sorted(code), "data": sorted(data), "objects": objects}))
        script.write_text(f"QUESTIONS, ANSWERS = {str(questions)!r}, {str(answers)!r}\n" + IN_GDB)
        argv = ["gdb", "-batch", "-nx", "-x", script, program]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if not answers.exists():
            raise RuntimeError("gdb cannot name the steps:\n" + done.stdout)
        found = json.loads(answers.read_text())
    found["code"] = {int(pc): where for pc, where in found["code"].items()}
    found["data"] = {int(at): name for at, name in found["data"].items()}
    return found


class Event:
    def __init__(self, line):
        numbers, self.text = line.split("|", 1)
        task, kind, pc, address, size, value, delayed = numbers.split()
        self.task, self.kind, self.size, self.delayed = int(task), int(kind), int(size), delayed == "1"
        self.pc, self.address, self.value = int(pc, 16), int(address, 16), int(value, 16)


def shared(events):
    """The words that two tasks touch, one of them writing."""
    tasks, written = {}, set()
    for event in events:
        if event.kind <= ATOMIC:
            tasks.setdefault(event.address & ~3, set()).add(event.task)
            if event.kind in (WRITE, MARKED_WRITE, ATOMIC):
                written.add(event.address & ~3)
    return {at for at, who in tasks.items() if len(who) > 1 and at in written}


class Names:
    """What code and data of a trace are called."""

    def __init__(self, program, output, events):
        self.tasks = [(name, int(top, 16)) for name, top in re.findall(r"^TASK (\S+) (\S+)$", output, re.M)]
        objects = re.findall(r"^OBJECT (\S+) (.*)\|(.*)$", output, re.M)
        objects = [(int(at, 16), kind if " " in kind else "struct " + kind, name) for at, kind, name in objects]
        # Waiters lie on stacks: a list's head points to them at some time.
        data = {event.address for event in events} | {event.value for event in events if event.size == 4}
        heads = ask_gdb(program, set(), data, objects)["data"]
        for event in events:
            head = heads.get(event.address, ("", ""))[0]
            if event.size == 4 and self.on_stack(event.value) and event.kind in (WRITE, MARKED_WRITE):
                for word, kinds in HANGS_IN.items():
                    if word in head and head.endswith((".next", ".prev")):
                        kind, name = kinds[0]
                        owner = self.on_stack(event.value)
                        objects.append((event.value, kind, f"{owner}'s {name}"))
        objects = list({at: (at, kind, name) for at, kind, name in objects}.values())
        found = ask_gdb(program, {event.pc for event in events if event.pc}, data, objects)
        self.code, self.data, self.enums = found["code"], found["data"], found["enums"]

    def on_stack(self, address):
        return next((name for name, top in self.tasks if top - 16384 <= address < top), None)

    def place(self, address):
        if address in self.data:
            return self.pretty(self.data[address][0])
        owner = self.on_stack(address)
        return f"{owner}'s stack" if owner else f"{address:#x}"

    def pretty(self, name):
        task = re.match(r"ex_tasks\[(\d+)\]", name)
        if task and int(task[1]) < len(self.tasks):
            name = self.tasks[int(task[1])][0] + name[task.end() :]
        return name.removesuffix(".value")

    def value(self, event):
        kind = self.data.get(event.address, ("", ""))[1]
        if kind in self.enums:
            return self.enums[kind].get(str(event.value), str(event.value))
        pointer = "*" in kind
        if event.value >= 0x8000000 and (event.value in self.data or self.on_stack(event.value)):
            # A structure, not the first field of its first field.
            return re.sub(r"(\.link)?\.next$|\.kernel_esp$", "", "&" + self.place(event.value))
        if pointer and event.value == 0:
            return "NULL"
        return str(event.value) if event.value < 100000 else f"{event.value:#x}"

    def where(self, pc):
        function, path, line = self.code.get(pc, ("?", "?", 0))
        return f"{function}, {short(path)}:{line}"


def short(path):
    """A file's name. Files of scenarios have names of the kernel's files, so their folder goes with it."""
    path = Path(path)
    return f"scenarios/{path.name}" if path.parent.name == "scenarios" else path.name


def describe(event, names):
    """Two lines of a step: where, and what it does."""
    where = names.where(event.pc) if event.pc else ""
    if event.kind == LOCK:
        return [where, f"locks {event.text}"]
    if event.kind == UNLOCK:
        return [where, f"unlocks {event.text}"]
    if event.kind == NOTE:
        return [where, event.text]
    if event.kind == END:
        return ["ends"]
    place, value = names.place(event.address), names.value(event)
    if event.kind == ARRIVES:
        return [f"(memory now has {place} = {value})"]
    if event.kind in (READ, MARKED_READ):
        return [where, f"{place} is {value}"]
    late = "  (delayed)" if event.delayed else ""
    return [where, f"{place} {':=' if event.kind == ATOMIC else '='} {value}{late}"]


def merged(steps):
    """Steps of one task in one line of code: the place once."""
    out = []
    for task, lines in steps:
        if out and len(lines) == 2 and out[-1][0] == task and out[-1][1][0] == lines[0]:
            if out[-1][1][-1] != lines[1]:
                out[-1][1].append(lines[1])
        else:
            out.append((task, list(lines)))
    return out


def columns(program, output):
    """The lines that show a failed run."""
    events = [Event(line) for line in re.findall(r"^EVENT (.*)$", output, re.M)]
    words = shared(events)
    events = [event for event in events if event.kind > ATOMIC or event.address & ~3 in words]
    names = Names(program, output, events)
    failure = re.search(r"^FAILURE (.*)$", output, re.M)
    preemptions = re.search(r"^PREEMPTIONS (\d+)$", output, re.M)
    lines = [f"{failure[1] if failure else 'no failure'}", ""]
    lines.append("".join(f"{name:{WIDTH}}" for name, _ in names.tasks).rstrip())
    for task, step in merged([(event.task, describe(event, names)) for event in events]):
        indent = " " * (WIDTH * task)
        lines += [indent + step[0], *(indent + "    " + line for line in step[1:])]
    return lines


def race(program, line, output):
    """The lines that show two accesses which nothing orders."""
    _, count, address, kind1, pc1, kind2, pc2 = line.split()
    pcs = [int(pc1, 16), int(pc2, 16)]
    objects = re.findall(r"^OBJECT (\S+) (.*)\|(.*)$", output, re.M)
    objects = [(int(at, 16), kind if " " in kind else "struct " + kind, name) for at, kind, name in objects]
    found = ask_gdb(program, set(pcs), {int(address, 16)}, objects)
    place = found["data"].get(int(address, 16), ("0x" + address, ""))[0]
    lines = [f"race on {place}, {count} times:"]
    for pc, kind in zip(pcs, (kind1, kind2)):
        function, path, number = found["code"][pc]
        text = Path(path).read_text().splitlines() if Path(path).exists() else []
        source = text[number - 1].strip() if 0 < number <= len(text) else ""
        lines.append(f"    {ABOUT[int(kind)]:16} {function}, {short(path)}:{number}: {source}")
    return lines
