"""What a person sees: progress while the checks run, and then for each failed check what to do about it."""

import os
import shutil
import sys
import textwrap

from . import formats

FULL_REPORTS = 3  # so that everything fits on a screen
WORDS = {
    "pass": "ok", "fail": "FAILED", "leak": "FAILED: something is not freed", "panic": "FAILED: the kernel panicked",
    "asleep": "FAILED: asleep for ever", "spins": "FAILED: it does not end", "no-boot": "FAILED: the kernel does not boot",
    "no-build": "FAILED: it does not compile", "refused": "REFUSED", "needs": "does not count yet", "infra": "not known: this machine's fault",
}  # fmt: skip
READING = {
    "leak": "A page, an object or an open file is still in use after the case. Look for a reference that is taken and not dropped.",
    "asleep": "A task waits for a wakeup that never comes: a change was not followed by a wakeup, the sleeper looked before it joined the queue, only one of several sleepers was woken, or the bytes that it waits for were lost.",
    "spins": "It goes on without an end: a loop whose condition never changes, work that starts over again and again, or a task that asks again instead of sleeping.",
}


class Progress:
    """Says on a terminal what is going on, in one line that is overwritten. In a pipe it says nothing."""

    def __init__(self, stream=sys.stderr):
        self.stream, self.live, self.done = stream, stream.isatty(), 0

    def __call__(self, grader, news):
        if isinstance(news, dict):
            self.done += 1
            news = f"{self.done} of {len(grader.chosen)} checks; last: {news['id']} {'ok' if news['outcome'] == 'pass' else news['outcome']}"
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r\033[K" + f"lab {grader.lab.name}: {news} ..."[:width])
            self.stream.flush()

    def clear(self):
        if self.live:
            self.stream.write("\r\033[K")
            self.stream.flush()


def wrapped(label, text, width):
    """Returns lines with the label in a column of its own."""
    lines = []
    for line in str(text).splitlines() or [""]:
        lines += textwrap.wrap(line, width - 14, break_long_words=True) or [""]
    return [f"  {label if number == 0 else '':<11} {line}".rstrip() for number, line in enumerate(lines)]


def full(entry, lab, home):
    """Returns the report on one failed check: what was checked, expected, what happened, what to read, how to repeat."""
    width = min(110, shutil.get_terminal_size((100, 24)).columns)
    lines = [f"{entry['id']}: {WORDS[entry['outcome']]}"]
    lines += wrapped("checked", entry["shows"], width)
    if entry["expected"] and entry["expected"] != entry["shows"]:
        lines += wrapped("expected", entry["expected"], width)
    lines += wrapped("happened", entry["got"], width)
    if entry["where"]:
        # Of an interleaving, that is where it ended, and not always the cause.
        lines += wrapped("last place" if "in the scenario" in entry["got"] else "where", entry["where"], width)
    if entry["rule"]:
        lines += wrapped("rule", entry["rule"], width)
    if entry["outcome"] in READING:
        lines += wrapped("that means", READING[entry["outcome"]], width)
    if entry["seed"] is not None and entry["details"]:
        lines += wrapped("before it", entry["details"].split("\n\n")[0][:700], width)
    if entry["details"] and entry["outcome"] in ("fail", "asleep") and "in the scenario" in entry["got"]:
        lines += ["", *("    " + line for line in entry["details"].splitlines()), ""]
    if entry["read"] or lab.reading:
        lines += wrapped("read", entry["read"] or ", ".join(lab.reading), width)
    if home:
        lines += wrapped("repeat", f"{entry['repeat']}        (under gdb: add --gdb)", width)
    return lines


def table(result):
    """Returns a line for each check."""
    lines, stage = [], None
    for entry in result["checks"]:
        mark = {"pass": "ok", "needs": "--", "infra": "??"}.get(entry["outcome"], "NO")
        stage = entry["stage"] if entry["stage"] != stage else stage
        lines.append(f"  {mark}  {entry['points']:>3}/{entry['max']:<3} {stage} {entry['id']:<26} {entry['shows'][:70]}")
    return lines


def summary(result, lab, home=False, logs=None):
    """Returns the lines about a whole result: a table, and the first failures in full."""
    failed = [entry for entry in result["checks"] if entry["outcome"] not in ("pass", "needs")]
    lines = []
    same = len(result["checks"]) > 1 and len({(entry["outcome"], entry["got"]) for entry in failed}) == 1 and len(failed) == len(result["checks"])
    if same:
        entry = failed[0]
        lines += [f"{lab.name}: {WORDS[entry['outcome']]}", *wrapped("happened", entry["got"], 110)]
        lines += wrapped("where", entry["where"], 110) if entry["where"] else []
        failed = []
    elif len(result["checks"]) > 1:
        lines += table(result)
    for entry in failed[:FULL_REPORTS]:
        lines += ["", *full(entry, lab, home)]
    more = [entry["id"] for entry in failed[FULL_REPORTS:]]
    if more:
        lines += ["", *textwrap.wrap(f"{len(more)} more checks fail: {' '.join(more)}", 100)]
        lines += [f"`./run lab {lab.name} CHECK` carries out only the checks that you name."] if home else []
    waiting = [entry["id"] for entry in result["checks"] if entry["outcome"] == "needs"]
    if waiting:
        needs = " ".join(sorted({word for entry in result["checks"] if entry["outcome"] == "needs" for word in entry["got"].split(": ")[-1].split()}))
        lines += ["", f"{len(waiting)} checks count only once these pass: {needs}"]
    lines += [f"note: {warning}" for warning in result["warnings"]]
    lines += [formats.challenge(result)] if formats.challenge(result) else []
    lines += ["", f"{lab.name}: {result['score']} of {result['max']} points, {result['seconds']} s" + (f"; logs in {logs}" if logs else "")]
    return lines


def show(lines):
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
