"""The messages in the logs of container runtimes, which wrap each line and split long ones."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from notifyd.text.visible import LongLine, visible_lines

_CRI_LINE: Final = re.compile(rb"\d{4}-\S+ (stdout|stderr) ([PF])(?::\S*)?(?: (.*))?", re.DOTALL)


class WrappedMessage(NamedTuple):
    """is_partial: the message continues in the next line of the same stream."""

    stream: str
    text: bytes
    is_partial: bool


def _unwrap_cri(line: bytes) -> WrappedMessage | None:
    """Unwrap a line of containerd and CRI-O: time, stream, P or F, message."""
    match = _CRI_LINE.fullmatch(line)
    if match is None:
        return None
    stream, tag, text = match.groups(b"")
    return WrappedMessage(stream.decode(), text, tag == b"P")


def _unwrap_docker(line: bytes) -> WrappedMessage | None:
    """Unwrap a line of Docker's json-file driver. A message without LF at its end is partial."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not isinstance(text := entry.get("log"), str):
        return None
    message = text.removesuffix("\n").replace("\n", " ").encode("utf-8", "replace")
    return WrappedMessage(str(entry.get("stream", ""))[:20], message, not text.endswith("\n"))


_UNWRAPPERS: Final[Mapping[str, Callable[[bytes], WrappedMessage | None]]] = {
    "cri": _unwrap_cri,
    "docker": _unwrap_docker,
}


class MessageJoiner:
    """Unwraps lines and joins split messages. A line in another format is a message as it is.

    wrapper: `cri` or `docker`. pending: the beginnings of split messages, by wrapper, kind of text
    and stream. limit: bytes to keep of a split message. raw: messages are not reduced to their
    visible text.
    """

    def __init__(
        self, wrapper: str, pending: Mapping[str, LongLine], *, limit: int, raw: bool
    ) -> None:
        self._unwrap, self._limit, self._raw = _UNWRAPPERS[wrapper], limit, raw
        self._prefix = f"{wrapper}:{'raw' if raw else ''}:"
        self.pending = {key: line for key, line in pending.items() if key.startswith(self._prefix)}

    def feed(self, line: bytes, offset: int) -> tuple[int, bytes] | None:
        """Return the message that a line ends, with the offset of its first line; else None."""
        message = self._unwrap(line)
        if message is None:
            return offset, self._shown(line)
        key = self._prefix + message.stream
        started = self.pending.pop(key, None)
        if not message.is_partial and started is None:
            return offset, self._shown(message.text)
        extended = self._extend(started or LongLine(offset), message.text)
        if message.is_partial:
            self.pending[key] = extended
            return None
        return extended.start, extended.text if self._raw else extended.finish()

    def _extend(self, started: LongLine, text: bytes) -> LongLine:
        if self._raw:
            return started._replace(text=(started.text + text)[: self._limit])
        return started.extend(text, self._limit)

    def _shown(self, text: bytes) -> bytes:
        return text if self._raw else visible_lines(text)
