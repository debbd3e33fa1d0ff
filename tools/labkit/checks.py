"""The kinds of checks. Each function carries out one check of a lab and returns a Verdict.

`place` is where the checks run, a labkit.grade.Place: the tree with the student's kernel, the folder for
logs, and how a program with student code is run.
"""

import importlib.util
import re
import signal
import sys

from . import build, functions, guests, manifest

OUTCOMES = "pass fail leak panic asleep spins no-boot no-build refused needs infra".split()
TEXT_MAX = 2048
COLUMNS_MAX = 34
TOOL_LINES = 3
UNWRITTEN = ", which is not written yet"


class Verdict:
    def __init__(self, outcome, expected="", got="", where="", cpu=0.0, seed=None, details=""):
        self.outcome, self.expected, self.got, self.where = outcome, cut(expected), cut(got), where
        self.cpu, self.seed, self.details = cpu, seed, details

    def passed(self):
        return self.outcome == "pass"


def cut(text):
    text = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    return text if len(text.encode()) <= TEXT_MAX else text.encode()[: TEXT_MAX - 4].decode(errors="ignore") + " ..."


# --- what a guest that died says ---


def place_of(text, place):
    """Returns the first place in the student's files that a panic or a report names: `merge() at FILE:LINE`."""
    for match in re.finditer(r"([\w/]+\.[ch]):(\d+)", text):
        for path in place.lab.files:
            if match[1].endswith(path):
                name = functions.function_at(place.texts[path], int(match[2]))
                return f"{name}() at {path}:{match[2]}" if name else f"{path}:{match[2]}"
    return stub_of(text, place)


def stub_of(text, place):
    """Returns where the stub is that a panic names."""
    found = re.search(r"lab \w+: (\w+)\(\) is yours to write: (\S+)", text)
    if not found or found[2] not in place.texts:
        return ""
    function = functions.functions(place.texts[found[2]]).get(found[1])
    return f"{found[1]}() at {found[2]}:{function.line if function else 1}"


def died(run, place, expected):
    """Returns the verdict on a guest that did not come to its end."""
    # The log is copied out of its folder at the end, so that its path is of no use here.
    text = re.sub(r" \(log: .*?\)", "", place.relative(run.text))
    head, _, trace = text.partition("\n")
    where = place_of(trace, place) or place_of(text, place)
    if run.end == "wall":
        return Verdict("infra", expected, "the machine was too busy to say: " + head, cpu=run.cpu)
    if run.end == "cannot-start":
        return Verdict("infra", expected, head, cpu=run.cpu)
    if run.end == "floods":
        return Verdict("fail", expected, run.text, where, run.cpu)
    stub = stub_of(head, place)
    if run.end == "panic" and stub:
        return Verdict("panic", expected, f"the kernel called {stub.split()[0]}{UNWRITTEN}", stub, run.cpu, details=text)
    sleepers = asleep_in(trace, place) if run.end == "asleep" else ""
    got = {"panic": "the kernel panicked: ", "gave-up": "the kernel gave up: ", "asleep": "", "spins": ""}[run.end] + head + sleepers
    return Verdict("panic" if run.end == "gave-up" else run.end, expected, got, where, run.cpu, details=text)


def asleep_in(report, place):
    """Returns in which of the student's functions tasks of the report sleep."""
    places = [place_of(line, place) for line in report.splitlines() if any(path in line for path in place.lab.files)]
    counts = [f"{places.count(where)} in {where}" for where in dict.fromkeys(places) if where]
    return "; tasks that sleep: " + ", ".join(counts) if counts else ""


# --- the kinds ---


def check_build(check, place):
    return Verdict("pass", check["shows"])


def check_guest(check, place):
    """Cases of the guest tests, in one guest of the student's kernel."""
    cases, verdict = manifest.guest_cases(check), None
    for number in range(check["rounds"]):
        run = place.guest(check, ["/test/runner", *cases], f"-{number + 1}" if number else "")
        verdict = judge_cases(run, cases, check, place)
        if not verdict.passed():
            if check["rounds"] > 1:
                verdict.got += f" (round {number + 1} of {check['rounds']})"
            break
    return verdict


def judge_cases(run, cases, check, place):
    expected = check["shows"]
    if run.end != "exit":
        return died(run, place, expected)
    if run.status == 0 and all(re.search(rf"^ok \d+ - {re.escape(case)}$", run.output, re.M) for case in cases):
        return Verdict("pass", expected, cpu=run.cpu)
    remarks = [line[2:] for line in run.output.splitlines() if line.startswith("# ")]
    leak = next((line for line in remarks if line.startswith("leak:")), None)
    failed = next((line for line in remarks if re.match(r"user/test/\S+:\d+: ", line)), None)
    if failed:
        where, _, got = failed.partition(": ")
        found = re.fullmatch(r"(.*) is (.*), expected (.*?)( \(errno .*\))?", got)
        if found:
            expected, got = f"{found[1]} is {found[3]}", f"{found[1]} is {found[2]}{found[4] or ''}"
        return Verdict("fail", expected, got, where, run.cpu, details=run.output)
    if leak:
        return Verdict("leak", "everything that the case used is free again after it", leak, "", run.cpu, details=run.output)
    got = remarks[0] if remarks else (run.output.strip().splitlines() or [f"it ended with status {run.status} and printed nothing"])[-1]
    return Verdict("fail", expected, got, "", run.cpu, details=run.output)


def check_unit(check, place):
    """Cases of a unit program, in a guest of the reference kernel."""
    try:
        program = place.unit_program(check["source"])
    except build.BuildFailed as failed:
        return Verdict("no-build", f"{check['source']} compiles with your files", str(failed), compiler_place(str(failed), place))
    cases = check["cases"]
    run = place.program(check, program, cases, "")
    verdict = judge_unit(run, cases, check, place)
    if verdict.passed() or verdict.outcome == "infra" or len(cases) == 1:
        return verdict
    # Which of the cases is it?
    for case in cases:
        single = judge_unit(place.program(check, program, [case], f"-{case}"), [case], check, place)
        single.cpu = verdict.cpu = verdict.cpu + single.cpu
        if not single.passed():
            return single
    return verdict


def judge_unit(run, cases, check, place):
    case = " ".join(cases)
    lines = (run.output + "\n" + run.text).splitlines()
    if stub := stub_of(run.output + "\n" + run.text, place):
        return Verdict("panic", check["shows"], f"the test called {stub.split()[0]}{UNWRITTEN}", stub, run.cpu)
    bad = next((line for line in lines if re.search(r"^not ok |Bail out!|panic: ", line)), None)
    passed = [line for line in lines if re.match(r"ok \d+", line)]
    if run.end == "exit" and run.status == 0 and len(passed) >= len(cases) and not bad:
        return Verdict("pass", check["shows"], cpu=run.cpu)
    if run.end in ("wall", "cannot-start", "floods"):
        return died(run, place, check["shows"])
    if run.end == "spins":
        return Verdict("spins", check["shows"], f"the case {case} does not end", cpu=run.cpu, details=run.text)
    said = place.relative(bad or (lines[-1] if lines and lines[-1] else f"the case {case} ended with status {run.status}"))
    said = re.sub(r"^not ok \d+ - |^Bail out! |^# ", "", said)
    found = re.match(r"(\S+:\d+): (.*)", said)
    expected = f"{found[2]}" if found else check["shows"]
    got = f"in the case {case}: " + ("it is not so" if found else said)
    where = found[1] if found else ""
    return Verdict("panic" if "panic:" in said else "fail", expected, got, place_of(said, place) or where, run.cpu, details=run.output)


def check_explore(check, place):
    """Scenarios of the explorer, which runs the student's code under every schedule within a bound."""
    try:
        module, program = place.explorer()
    except build.BuildFailed as failed:
        return Verdict("no-build", "the explorer compiles with your files", str(failed), compiler_place(str(failed), place))
    words = ["--bound", str(check.get("bound", 2)), "--seconds", str(check.get("seconds", 600))]
    wanted = [(scenario, tso) for scenario in check["scenarios"] for tso in check.get("tso", [False])]
    commands = [[scenario, *(["--tso"] if tso else []), *words] for scenario, tso in wanted]
    runs = place.in_turn(check, program, commands)
    cpu = runs[-1].cpu
    for (scenario, tso), run in zip(wanted, runs):
        if run.end != "exit":
            return died(run, place, check["shows"])
        result = module.Result(scenario, tso, run.output, run.status)
        if not result.ok():
            return schedule_verdict(check, place, module, program, result, cpu)
    return Verdict("pass", check["shows"], cpu=cpu)


def schedule_verdict(check, place, module, program, result, cpu):
    """Repeats the schedule that fails, for its interleaving in columns."""
    why, columns = result.why(), []
    if result.late:
        return Verdict("spins", check["shows"], f"{result.scenario}: {why}", cpu=cpu)
    if result.found and result.schedule != "-":
        memory = ["--tso"] if result.tso else []
        run = place.program(check, program, [result.scenario, *memory, "--schedule", result.schedule], "-schedule")
        columns = module.trace.columns(program, place.relative(run.output))
    for race in result.races[:3]:
        columns += module.trace.race(program, race, result.output)
    columns = [place.relative(line).rstrip() for line in columns]
    stub = stub_of(why, place)
    if stub:
        return Verdict("panic", check["shows"], f"the scenario {result.scenario} called {stub.split()[0]}{UNWRITTEN}", stub, cpu)
    where, log = last_place(columns, place), place.keep(check, "\n".join(columns) + "\n")
    outcome = "asleep" if "waits for ever" in why else "spins" if "does not end" in why else "fail"
    names = columns[2:3] if result.found and result.schedule != "-" else []
    return Verdict(outcome, check["shows"], f"in the scenario {result.scenario}: {why}", where, cpu, details="\n".join(last_lines(columns, names, log.name)))


def last_place(columns, place):
    """Returns the last place of an interleaving that is in the student's files."""
    for line in reversed(columns):
        found = re.search(r"(\w+), (\w+\.[ch]):(\d+)", line)
        for path in place.lab.files if found else []:
            if path.endswith("/" + found[2]) and found[1] in functions.functions(place.texts[path]):
                return f"{found[1]}() at {path}:{found[3]}"
    return ""


def last_lines(columns, names, log):
    """Returns the end of an interleaving, below the names of its tasks: what happens last is what went wrong. All of it is in the log."""
    shown, size = [], 0
    for line in reversed(columns):
        size += len(line.encode()) + 1
        if len(shown) == COLUMNS_MAX or size > TEXT_MAX - 300:
            return [f"(the {len(columns) - len(shown)} lines before these are in {log})", *names, *reversed(shown)]
        shown.append(line)
    return columns


def check_play(check, place):
    """Random operations, played in a guest and judged here by a model. The guest has no expectation."""
    model, cpu, seed = play_model(place.lab.top, check["model"]), 0.0, None
    for number in range(check.get("seeds", 1)):
        seed = place.seed(check) + number
        script, expected = model.generate(seed, check["steps"], kinds=check.get("ops"))
        file = place.keep(check, script, f"-{seed}.script")
        run = place.guest(check, ["/test/play", "/root/script"], f"-{seed}", ["--add", f"{file}:/root/script"])
        cpu += run.cpu
        verdict = judge_play(run, script.splitlines(), list(expected), check, place)
        verdict.seed, verdict.cpu = seed, cpu
        if not verdict.passed():
            return verdict
    return Verdict("pass", check["shows"], cpu=cpu, seed=seed)


def judge_play(run, script, expected, check, place):
    lines = run.output.splitlines()
    for number, want in enumerate(expected):
        if number < len(lines) and lines[number] == want:
            continue
        if number >= len(lines) and run.end != "exit":
            verdict = died(run, place, want)
        else:
            got = lines[number] if number < len(lines) else f"nothing (it ended with status {run.status})"
            verdict = Verdict("fail", want, got)
        operation = script[number] if number < len(script) else "(the end)"
        verdict.got = cut(f"step {number + 1}, `{operation}`: {verdict.got}")
        before = "\n".join(f"{script[at]}  -> {expected[at]}" for at in steps_before(script, number))
        verdict.details = cut(before + "\n\n" + verdict.details)
        return verdict
    if run.end != "exit":
        return died(run, place, check["shows"])
    if run.status or len(lines) > len(expected):
        return Verdict("fail", f"{len(expected)} lines and status 0", f"{len(lines)} lines and status {run.status}")
    return Verdict("pass")


def pipes_of(line):
    """Returns the numbers of the pipes of an operation."""
    name, *words = line.removeprefix("start ").split() or [""]
    numbers = [word for word in words if word.isdigit()]
    return set() if name == "join" else set(numbers[: 2 if name in ("splice", "tee") else 1])


def steps_before(script, number):
    """Returns the steps that explain a step: those that made its pipes, and the last six on them."""
    line = script[number] if number < len(script) else ""
    same = [at for at in range(number) if pipes_of(script[at]) & pipes_of(line)]
    if not same:
        return range(max(0, number - 6), number)
    made = {script[at].split()[1]: at for at in same if script[at].startswith("pipe ")}
    return sorted({*made.values(), *same[-6:]})


def play_model(top, name):
    spec = importlib.util.spec_from_file_location("play_" + name, top / "tests/play" / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    was, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    spec.loader.exec_module(module)
    sys.dont_write_bytecode = was
    return module


def check_tool(check, place):
    """A program of tests/guest-tool, which starts guests of the student's kernel and judges them from outside."""
    limit = place.cpu_limit(check)
    argv = [place.lab.top / "tests/guest-tool" / check["name"], "--kernel", place.kernel, check["case"]]
    run = guests.host(argv, limit, folder=place.lab.top, memory=8 << 30)
    place.keep(check, run.output + run.text)
    return judge_tool(run, check, place)


def judge_tool(run, check, place):
    """A failed case has remarks behind its line. The first ones say what happened."""
    if run.end != "exit":
        return died(run, place, check["shows"])
    if run.status == 0 and re.search(r"^ok ", run.output, re.M) and not re.search(r"^not ok", run.output, re.M):
        return Verdict("pass", check["shows"], cpu=run.cpu)
    said = place.relative(run.output)
    remarks = [line.lstrip("# ") for line in said.splitlines() if line.startswith("#")]
    got = "\n".join(remarks[:TOOL_LINES]) or said.strip()[-200:]
    where = place_of(said, place)
    if stub := stub_of(said, place):
        return Verdict("panic", check["shows"], f"the kernel called {stub.split()[0]}{UNWRITTEN}", stub, run.cpu, details=said)
    if f"QEMU ended with status {-signal.SIGXCPU}" in said:
        return Verdict("spins", check["shows"], "a guest used up its CPU time", where, run.cpu, details=said)
    return Verdict("fail", check["shows"], got, where, run.cpu, details=said)


def check_icount(check, place):
    """Instructions of a row of a benchmark, counted by QEMU."""
    value, run = measure(check, place)
    expected = f"at most {check['limit']} instructions for '{check['row']}'"
    if run.end != "exit":
        return died(run, place, expected)
    if value is None:
        return Verdict("fail", expected, "the benchmark has not printed the row", cpu=run.cpu, details=run.output)
    return Verdict("pass" if value <= check["limit"] else "fail", expected, f"{value} instructions", cpu=run.cpu)


def measure(check, place):
    """Returns (instructions, run) of a row. The number is None if the row was not printed."""
    run = place.guest(check, [check["program"], check["row"]], "", ["--icount"])
    found = re.search(rf"^{re.escape(check['row'])}\s*\t\s*(\d+)", run.output, re.M)
    return int(found[1]) if found else None, run


def compiler_place(text, place):
    found = re.search(r"([\w/]+\.[ch]):(\d+)(?::\d+)?: (?:(?:fatal )?error|undefined reference)", text)
    return f"{found[1]}:{found[2]}" if found else ""


KINDS = {
    "build": check_build,
    "guest": check_guest,
    "unit": check_unit,
    "explore": check_explore,
    "play": check_play,
    "tool": check_tool,
    "icount": check_icount,
}
