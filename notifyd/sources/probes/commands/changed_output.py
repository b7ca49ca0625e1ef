"""The last output of a check for changes: how it is stored, and what a new one changes."""

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from notifyd.sources.stored_values import StoredFields

_CLIP: Final = 1_000
"""Characters kept of an output."""
_LINE_CLIP: Final = 200


@dataclass(frozen=True, slots=True)
class KnownOutput:
    """An output: its text, which may be clipped, and the digest of all of it."""

    text: str
    digest: str

    @classmethod
    def of(cls, text: str) -> "KnownOutput":
        kept = text if len(text) <= _CLIP else f"{text[: _CLIP - 1]}…"
        return cls(kept, _digest(text))

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
    """Return "1.2 → 1.3", or of several lines the first that is gone and the first that is new."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) > 1 or len(new) > 1:
        gone = [line for line in old if line not in new]
        come = [line for line in new if line not in old]
        if gone or come:
            old, new = gone, come
    return f"{_one(old)} \N{RIGHTWARDS ARROW} {_one(new)}"


def _one(lines: list[str]) -> str:
    if not lines:
        return "nothing"
    first = lines[0] if len(lines[0]) <= _LINE_CLIP else f"{lines[0][: _LINE_CLIP - 1]}…"
    more = len(lines) - 1
    return f"{first} (and {more} more {'line' if more == 1 else 'lines'})" if more else first


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
