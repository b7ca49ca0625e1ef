"""Edits of a JSON document as text: all that is not edited stays as it is, byte for byte.

New values are indented as the rest of the document. What was appended and is removed again leaves
no trace, except that a container that was empty is written without spaces.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder()
JsonPath = tuple[str | int, ...]
"""Keys and indices that lead to a value."""


class _Child(NamedTuple):
    """A member or an item. start: of its key, or of the item; value_start and end: of the value."""

    key: str | int
    start: int
    value_start: int
    end: int


class JsonText:
    """A JSON document. ValueError if it is none, also for comments and trailing commas."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.value: object = json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def append(self, path: JsonPath, value: object, key: str = "") -> None:
        """Append an item to an array, or a member to an object. The container has to exist."""
        start, end = self._span(path)
        children = list(self._children(start))
        unit = self._indent_unit()
        prefix = f"{json.dumps(key, ensure_ascii=False)}: " if key else ""
        text = prefix + _dump(value, unit, len(path) + 1)
        outer = "" if unit is None else "\n" + unit * len(path)
        inner = " " if unit is None else outer + unit
        if children:
            last = children[-1].end
            self._replace(last, last, f",{inner}{text}")
        else:
            self._replace(start + 1, end - 1, f"{inner if outer else ''}{text}{outer}")

    def remove(self, path: JsonPath) -> None:
        """Remove a member or an item, with its comma."""
        start, _ = self._span(path[:-1])
        children = list(self._children(start))
        index = next(i for i, child in enumerate(children) if child.key == path[-1])
        child = children[index]
        if len(children) == 1:
            container_end = self._span(path[:-1])[1]
            self._replace(start + 1, container_end - 1, "")
        elif index:
            self._replace(children[index - 1].end, child.end, "")
        else:
            self._replace(child.start, children[1].start, "")

    def replace(self, path: JsonPath, value: object) -> None:
        """Replace a value."""
        start, end = self._span(path)
        self._replace(start, end, _dump(value, self._indent_unit(), len(path)))

    def _replace(self, start: int, end: int, text: str) -> None:
        self.text = self.text[:start] + text + self.text[end:]
        self.value = json.loads(self.text)

    def _indent_unit(self) -> str | None:
        """Return the indent of one level; None if the document is written on one line."""
        start = self._skip_space(0)
        first = next(self._children(start), None)
        if first is None:
            return "  "
        between = self.text[start + 1 : first.start]
        return between.rpartition("\n")[2] or "  " if "\n" in between else None

    def _span(self, path: JsonPath) -> tuple[int, int]:
        """Return where a value begins and ends. Of equal keys the last one counts."""
        start = self._skip_space(0)
        for key in path:
            start = [child.value_start for child in self._children(start) if child.key == key][-1]
        return start, self._end(start)

    def _end(self, start: int) -> int:
        return _DECODER.raw_decode(self.text, start)[1]

    def _children(self, start: int) -> Iterator[_Child]:
        """Yield what is in the object or array that begins here."""
        is_object = self.text[start] == "{"
        if self.text[start] not in "{[":
            return
        at, index = self._skip_space(start + 1), 0
        while self.text[at] not in "}]":
            key: str | int = index
            value_start = at
            if is_object:
                key, colon = _DECODER.raw_decode(self.text, at)
                value_start = self._skip_space(self._skip_space(colon) + 1)
            end = self._end(value_start)
            yield _Child(key, at, value_start, end)
            at, index = self._skip_space(end), index + 1
            if self.text[at] == ",":
                at = self._skip_space(at + 1)

    def _skip_space(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in _SPACE:
            at += 1
        return at


def _dump(value: object, unit: str | None, depth: int) -> str:
    if unit is None:
        return json.dumps(value, ensure_ascii=False)
    text = json.dumps(value, ensure_ascii=False, indent=unit)
    return text.replace("\n", "\n" + unit * depth)


def format_document(value: object) -> str:
    """Return the text of a new file."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
