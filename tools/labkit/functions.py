"""Finds the functions of a C file, and replaces bodies of some of them.

The kernel's source has no marks for the labs. A file is read as a student reads it: comments, strings
and preprocessor lines are masked first, and then a function is NAME ( ... ) { ... } outside of all
braces, where only attributes may stand between ) and {.
"""

import re
from collections import namedtuple

# Positions in the text: the comment over the function begins at `comment`, its type at `start`, and
# text[body:end] is { ... }. `line` counts from 1.
Function = namedtuple("Function", "name comment start body end line")

MASKED = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | ^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*""",
    re.S | re.M | re.X,
)
ATTRIBUTES = re.compile(r"\s*(?:__\w+\s*(?:\(\([^{}]*?\)\)|\([^{}]*?\))?\s*)*\{")
WORD = re.compile(r"[A-Za-z_]\w*")
COMMENTS_ABOVE = re.compile(r"(?:[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n|[ \t]*//[^\n]*\n)+\Z", re.S)


class NoSuchFunction(Exception):
    pass


def masked(text):
    """Returns text of the same length and lines. A directive becomes semicolons, because it ends a declaration."""

    def hide(match):
        fill = ";" if match[0].lstrip().startswith("#") else " "
        return re.sub(r"[^\n]", fill, match[0])

    return MASKED.sub(hide, text)


def without_comments(text):
    """Returns the text with blanks for its comments. Strings and directives stay."""

    def hide(match):
        return re.sub(r"[^\n]", " ", match[0]) if match[0].startswith(("/*", "//")) else match[0]

    return MASKED.sub(hide, text)


def after_bracket(text, at):
    """Returns the position behind the bracket that closes the one at `at`. An open one lasts until the end."""
    depth = 0
    for i in range(at, len(text)):
        if text[i] in "({[":
            depth += 1
        elif text[i] in ")}]":
            depth -= 1
            if depth <= 0:
                return i + 1
    return len(text)


def functions(text):
    """Returns a dictionary from name to Function, in the order of the file."""
    plain, found = masked(text), {}
    at = start = 0
    word = ""
    while at < len(plain):
        char = plain[at]
        if char in ";}":
            start, word = at + 1, ""
        elif char == "(":
            end = after_bracket(plain, at)
            opened = ATTRIBUTES.match(plain, end)
            if word and opened:
                stop = after_bracket(plain, opened.end() - 1)
                found.setdefault(word, describe(text, plain, word, start, opened.end() - 1, stop))
                start, at = stop, stop
            else:
                at = end
            word = ""
            continue
        elif char == "{":
            at, word = after_bracket(plain, at), ""
            continue
        match = WORD.match(plain, at)
        if match:
            word, at = match[0], match.end()
            continue
        if not char.isspace():
            word = ""
        at += 1
    return found


def describe(text, plain, name, start, body, end):
    begin = start + len(plain[start:]) - len(plain[start:].lstrip())
    above = COMMENTS_ABOVE.search(text, 0, begin)
    comment = above.start() if above else begin
    return Function(name, max(comment, 0), begin, body, end, text.count("\n", 0, begin) + 1)


def replace(text, bodies):
    """Returns the text with new bodies. `bodies` maps a name to a body with its braces, or to None.

    None means that the function and the comment above it go away.
    """
    found = functions(text)
    missing = sorted(set(bodies) - set(found))
    if missing:
        raise NoSuchFunction(" ".join(missing))
    for function in sorted((found[name] for name in bodies), key=lambda function: -function.body):
        body = bodies[function.name]
        if body is not None:
            text = text[: function.body] + body + text[function.end :]
        else:
            text = text[: function.comment].rstrip("\n") + "\n\n" + text[function.end :].lstrip("\n")
    return text


def function_at(text, line):
    """Returns the name of the function around a line, or None."""
    for function in functions(text).values():
        if function.line <= line <= text.count("\n", 0, function.end) + 1:
            return function.name
    return None


def solution_lines(body):
    """Returns the lines of a body that carry meaning, without comments, blanks and lone braces."""
    lines = (" ".join(line.split()) for line in without_comments(body).splitlines())
    return [line for line in lines if re.search(r"\w", line) and line not in ("else", "do", "return;", "break;")]


def runs(lines, length=3):
    """Yields each run of that many consecutive lines, as one string."""
    for at in range(len(lines) - length + 1):
        yield "\n".join(lines[at : at + length])
