"""The last output of a check for changes: how it is stored, and what a new one changes."""

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from notifyd.sources.stored_values import StoredFields
from notifyd.text.limits import clip

_CLIP: Final = 2_000
"""Characters kept of an output."""
_LINE_CLIP: Final = 200
_LINES_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class KnownOutput:
    """An output: its text, which may be clipped, and the digest of all of it."""

    text: str
    digest: str

    @classmethod
    def of(cls, text: str) -> "KnownOutput":
        return cls(clip(text, _CLIP), _digest(text))

    def encode(self, terms: str) -> str:
        fields = {"terms": terms, "output": self.text, "digest": self.digest}
        return json.dumps(fields, ensure_ascii=False)


def decode_output(text: str, terms: str) -> KnownOutput | None:
    """Decode a stored output; None if it was stored for another command.

    CheckpointValueError if it is unusable.
    """
    fields = StoredFields.decode(text)
    if fields.text("terms") != terms:
        return None
    return KnownOutput(fields.text("output"), fields.text("digest"))


def terms_of(argv: list[str]) -> str:
    """Return what identifies a command: a digest, because its arguments may hold a password."""
    return _digest(json.dumps(argv))


def describe_change(before: str, after: str) -> str:
    """Return "1.2 → 1.3", or of several lines those that are gone and those that are new.

    Lines that replace each other are shown as pairs, others with "-" and "+" before them.
    """
    if before == after:  # as far as they are kept
        return f"the output after its first {_CLIP} characters"
    old, new = before.splitlines(), after.splitlines()
    if len(old) <= 1 and len(new) <= 1:
        return _pair(old[0] if old else "nothing", new[0] if new else "nothing")
    removed = [line for line in old if line not in new]
    added = [line for line in new if line not in old]
    if len(removed) == len(added):
        lines = [_pair(*each) for each in zip(removed, added, strict=True)]
    else:
        lines = [f"- {clip(line, _LINE_CLIP)}" for line in removed]
        lines += [f"+ {clip(line, _LINE_CLIP)}" for line in added]
    if not lines:
        return "the order or the number of equal lines"
    if len(lines) > _LINES_SHOWN:
        lines = [*lines[:_LINES_SHOWN], f"and {len(lines) - _LINES_SHOWN} more"]
    return "\n".join(lines)


def _pair(old: str, new: str) -> str:
    return f"{clip(old, _LINE_CLIP)} \N{RIGHTWARDS ARROW} {clip(new, _LINE_CLIP)}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
