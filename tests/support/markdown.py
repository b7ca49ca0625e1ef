"""The parts of a Markdown page that tests execute."""

import re
from textwrap import dedent

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PUSH = re.compile(r"^ *Push(?:es)?: (.*?)\.$", re.MULTILINE)


def section(page: str, heading: str) -> str:
    """Return the text below a heading, as far as the next heading of its level or above."""
    level = heading.index(" ")
    _, found, rest = f"\n{page}".partition(f"\n{heading}\n")
    assert found, f"the page has no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, without their indentation."""
    return [dedent(body) for _, name, body in _BLOCK.findall(text) if name == language]


def pushes(text: str) -> list[tuple[str, str]]:
    """Return the announced notifications as title and body: Push: `title | body`."""
    shown = [push for line in _PUSH.findall(text) for push in re.findall(r"`([^`]+)`", line)]
    return [(title, body) for title, _, body in (push.partition(" | ") for push in shown)]
