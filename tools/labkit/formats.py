"""Turns a result into what other programs read. Each function takes the result and returns a text."""

import csv
import html
import io
import json
import re
from xml.sax.saxutils import escape, quoteattr

from .manifest import BadManifest

TEXT_MAX = 2048


def passed(entry):
    return entry["outcome"] == "pass"


def why(entry):
    """Returns in a few lines why a check did not pass."""
    if passed(entry):
        return ""
    lines = [f"{entry['outcome']}: {entry['got']}"]
    if entry["expected"] and entry["expected"] != entry["shows"]:
        lines.append(f"expected: {entry['expected']}")
    if entry["where"]:
        lines.append(f"where: {entry['where']}")
    lines.append(f"repeat: {entry['repeat']}")
    return plain("\n".join(lines))[:TEXT_MAX]


def plain(text):
    """XML and terminals cannot take control characters."""
    return re.sub(r"[^\t\n\x20-\x7e\x80-\uffff]", "?", text).replace("\ufffe", "?").replace("\uffff", "?")


def fraction(result):
    return round(result["score"] / result["max"], 4) if result["max"] else 0.0


def challenge(result):
    """Returns in a line what the submission needs for the challenge, or an empty text if it was not measured."""
    metric = result.get("metric")
    if not metric:
        return ""
    known = metric.get("reference")
    return f"challenge: {metric['value']} instructions for '{metric['name']}'" + (f"; the reference needs {known}" if known else "")


def gradescope(result):
    tests = []
    for number, entry in enumerate(result["checks"], 1):
        tests.append({
            "number": str(number), "name": f"{entry['id']}: {entry['shows']}", "score": entry["points"], "max_score": entry["max"],
            "status": "passed" if passed(entry) else "failed", "output": why(entry), "output_format": "text", "visibility": "visible",
        })  # fmt: skip
    out = {"tests": tests, "execution_time": round(result["seconds"]), "stdout_visibility": "hidden", "visibility": "visible"}
    out["output"] = f"lab {result['lab']}: {result['score']} of {result['max']} points ({result['outcome']})"
    if result.get("metric"):
        out["leaderboard"] = [{key: result["metric"][key] for key in ("name", "value", "order")}]
    return json.dumps(out, indent=1)


def autolab(result):
    hints = {entry["id"]: {"passed": passed(entry), "hint": why(entry)} for entry in result["checks"]}
    shown = {"_presentation": "semantic", "stages": ["Checks"], "Checks": hints}
    board = [result["score"]] + ([result["metric"]["value"]] if result.get("metric") else [])
    scores = {"scores": {entry["id"]: entry["points"] for entry in result["checks"]}, "scoreboard": board}
    return json.dumps(shown) + "\n" + json.dumps(scores)


def github(result):
    """The table for a job's summary. The points are given by the steps of classroom.yml."""
    lines = ["| check | points | |", "| --- | ---: | --- |"]
    for entry in result["checks"]:
        text = why(entry).replace("\n", "; ").replace("|", "\\|")
        lines.append(f"| {entry['id']} | {entry['points']}/{entry['max']} | {text} |")
    return "\n".join([*lines, f"| **all** | **{result['score']}/{result['max']}** | {challenge(result)} |"])


def junit(result):
    cases = []
    for entry in result["checks"]:
        name = f"classname={quoteattr(result['lab'])} name={quoteattr(entry['id'])} time=\"{entry['seconds']}\""
        kind = "error" if entry["outcome"] == "infra" else "failure"
        inner = "" if passed(entry) else f"<{kind} message={quoteattr(plain(entry['got'])[:200])}>{escape(why(entry))}</{kind}>"
        cases.append(f"  <testcase {name}>{inner}</testcase>")
    failures = sum(not passed(entry) and entry["outcome"] != "infra" for entry in result["checks"])
    errors = sum(entry["outcome"] == "infra" for entry in result["checks"])
    head = f'<testsuite name={quoteattr(result["lab"])} tests="{len(cases)}" failures="{failures}" errors="{errors}" time="{result["seconds"]}">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>"])


def prairielearn(result):
    tests = []
    for entry in result["checks"]:
        tests.append({"name": entry["id"], "points": entry["points"], "max_points": entry["max"], "message": why(entry), "output": ""})
    return json.dumps({"gradable": result["outcome"] != "infra", "score": fraction(result), "message": result["outcome"], "output": "", "tests": tests}, indent=1)


def vpl(result):
    lines = []
    for entry in result["checks"]:
        lines.append(f"Comment :=>> {'ok' if passed(entry) else 'NOT ok'} {entry['id']} {entry['points']}/{entry['max']}")
        lines += [f"Comment :=>>   {line}" for line in why(entry).splitlines()]
    lines += [f"Comment :=>> {challenge(result)}"] if challenge(result) else []
    return "\n".join([*lines, f"Grade :=>> {100 * fraction(result):.1f}"])


def codegrade(result):
    """A custom test step takes the number in the last line."""
    return f"{fraction(result):.4f}"


def tap(result):
    lines = [f"1..{len(result['checks'])}"]
    for number, entry in enumerate(result["checks"], 1):
        lines.append(f"{'' if passed(entry) else 'not '}ok {number} - {entry['id']}")
        lines += [f"# {line}" for line in why(entry).splitlines()]
    return "\n".join(lines)


def csv_rows(results):
    """Returns a table with a line for each result. All results are of one lab."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ids = [entry["id"] for entry in results[0]["checks"]] if results else []
    writer.writerow(["student", "lab", "score", "max", "outcome", "seconds", "hours", "challenge", *ids])
    for result in results:
        points = {entry["id"]: entry["points"] for entry in result["checks"]}
        hours = "" if result["hours"] is None else result["hours"]
        figure = result["metric"]["value"] if result.get("metric") else ""
        student = result["student"] if not result["student"].startswith(("=", "+", "-", "@")) else "'" + result["student"]
        writer.writerow([student, result["lab"], result["score"], result["max"], result["outcome"], result["seconds"], hours, figure, *[points.get(name, "") for name in ids]])
    return out.getvalue()


STYLE = "body{font:16px sans-serif;margin:2em;max-width:60em}td,th{padding:.3em .6em;text-align:left;vertical-align:top}.no{background:#fdd}.ok{background:#dfd}pre{white-space:pre-wrap;margin:0}"


def page(result):
    rows = []
    for entry in result["checks"]:
        text = html.escape(why(entry))
        details = f"<details><summary>more</summary><pre>{html.escape(plain(entry['details']))}</pre></details>" if entry["details"] else ""
        cells = [html.escape(entry["stage"]), html.escape(entry["id"]), f"{entry['points']}/{entry['max']}", html.escape(entry["shows"]), f"<pre>{text}</pre>{details}"]
        rows.append(f"<tr class={'ok' if passed(entry) else 'no'}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    title = html.escape(f"{result['student']}: lab {result['lab']}, {result['score']} of {result['max']} points")
    notes = "".join(f"<p>{html.escape(warning)}</p>" for warning in result["warnings"])
    notes += f"<p>{html.escape(challenge(result))}</p>" if challenge(result) else ""
    head = "<tr><th>stage</th><th>check</th><th>points</th><th>shows</th><th>what happened</th></tr>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>Outcome: {html.escape(result['outcome'])}.</p>{notes}<table>{head}{''.join(rows)}</table></html>"
    )


FORMATS = {
    "gradescope": gradescope, "autolab": autolab, "github": github, "junit": junit, "prairielearn": prairielearn, "vpl": vpl,
    "codegrade": codegrade, "tap": tap, "html": page, "csv": lambda result: csv_rows([result]).rstrip("\n"),
    "json": lambda result: json.dumps(result, indent=1),
}  # fmt: skip


def named(name):
    if name not in FORMATS:
        raise BadManifest(f"there is no format {name}; the formats are: {' '.join(FORMATS)}")
    return FORMATS[name]
