"""Messages of wrapped lines: of container runtimes, which split long ones too, and of JSON logs."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from notifyd.text.json_lines import message_of, parse_object
from notifyd.text.visible import LongLine, visible_lines

_STREAMS: Final = ("stdout", "stderr")
_CRI_LINE: Final = re.compile(rb"\d{4}-\S+ (stdout|stderr) ([PF])(?::\S*)?(?: (.*))?", re.DOTALL)
JSON: Final = "json"


class WrappedMessage(NamedTuple):
    """is_partial: the message continues in the next line of the same stream."""

    stream: str
    text: bytes
    is_partial: bool


class UnwrappedMessage(NamedTuple):
    """offset: where its first line begins. entry: the JSON object that it comes from, if any."""

    offset: int
    text: bytes
    entry: bytes = b""


def _unwrap_cri(line: bytes) -> WrappedMessage | None:
    """Unwrap a line of containerd, CRI-O and Podman: time, stream, P or F, message."""
    match = _CRI_LINE.fullmatch(line)
    if match is None:
        return None
    stream, tag, text = match.groups(b"")
    return WrappedMessage(stream.decode(), text, tag == b"P")


def _unwrap_docker(line: bytes) -> WrappedMessage | None:
    """Unwrap a line of Docker's json-file driver. A message without LF at its end is partial."""
    entry = parse_object(line)
    if entry is None or not isinstance(text := entry.get("log"), str):
        return None
    message = _one_line(text.removesuffix("\n"))
    stream = entry.get("stream")
    known = str(stream) if stream in _STREAMS else ""  # others could be any number
    return WrappedMessage(known, message, not text.endswith("\n"))


_UNWRAPPERS: Final[Mapping[str, Callable[[bytes], WrappedMessage | None]]] = {
    "cri": _unwrap_cri,
    "docker": _unwrap_docker,
}


class MessageJoiner:
    """Unwraps lines and joins split messages. A line in another format is a message as it is.

    formats: `cri` or `docker`, `json`, or one of the former and `json`, which then is the format of
    the unwrapped messages. pending: the beginnings of split messages, by format, kind of text and
    stream. limit: bytes to keep of a split message. raw: messages are not reduced to their visible
    text.
    """

    def __init__(
        self, formats: Sequence[str], pending: Mapping[str, LongLine], *, limit: int, raw: bool
    ) -> None:
        wrapper = formats[0]
        self._unwrap = _UNWRAPPERS.get(wrapper)
        self._is_json = JSON in formats
        self._limit, self._raw = limit, raw
        # Triggers that do not read JSON may keep fewer bytes of the same message.
        is_nested = self._is_json and self._unwrap is not None
        self._prefix = f"{wrapper}:{'raw' if raw else ''}{JSON if is_nested else ''}:"
        self.pending = {key: line for key, line in pending.items() if key.startswith(self._prefix)}

    @property
    def may_be_split(self) -> bool:
        """Whether messages may be split."""
        return self._unwrap is not None

    def feed(self, line: bytes, offset: int) -> UnwrappedMessage | None:
        """Return the message that a line ends, with the offset of its first line; else None."""
        wrapped = None if self._unwrap is None else self._unwrap(line)
        if wrapped is None:
            return self._to_message(line, offset)
        key = self._prefix + wrapped.stream
        started = self.pending.pop(key, None)
        if not wrapped.is_partial and started is None:
            return self._to_message(wrapped.text, offset)
        extended = self._extend(started or LongLine(offset), wrapped.text)
        if wrapped.is_partial:
            self.pending[key] = extended
            return None
        return self._to_message(
            extended.text if self._raw else extended.finish(), extended.start, is_visible=True
        )

    def _to_message(
        self, line: bytes, offset: int, *, is_visible: bool = False
    ) -> UnwrappedMessage:
        text = line if self._raw or is_visible else visible_lines(line)
        if not self._is_json or (entry := parse_object(text)) is None:
            return UnwrappedMessage(offset, text)
        message = message_of(entry)
        if message is None:
            return UnwrappedMessage(offset, text, text)
        shown = _one_line(message)
        return UnwrappedMessage(offset, shown if self._raw else visible_lines(shown), text)

    def _extend(self, started: LongLine, text: bytes) -> LongLine:
        if self._raw:
            return started._replace(text=(started.text + text)[: self._limit])
        return started.extend(text, self._limit)


def _one_line(text: str) -> bytes:
    return text.replace("\n", " ").encode("utf-8", "replace")
