"""What an expression of PromQL names. No parser: enough for the expressions of this repository."""

import re

WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless"}
WORDS |= {"offset", "bool", "inf", "nan"}
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?\{([^}]*)\}")
MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
DURATION = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")


def labels(expression):
    """Labels that are grouped by."""
    return {name for group in GROUPED.findall(expression) for name in NAME.findall(group)}


def selectors(expression):
    """Of each series that is asked for: its name, and the name, operator and value of matchers."""
    found = []

    def take(selector):
        found.append((selector[1] or "", MATCHER.findall(selector[2])))
        return " "

    rest = SELECTOR.sub(take, DURATION.sub(" ", expression))
    rest = re.sub(r'"[^"]*"', " ", GROUPED.sub(" ", rest))
    rest = re.sub(r"\b\d[\w.]*", " ", rest)
    for name in NAME.finditer(rest):
        is_call = rest[name.end() :].lstrip().startswith("(")
        if name[0] not in WORDS and not is_call:
            found.append((name[0], []))
    return found
