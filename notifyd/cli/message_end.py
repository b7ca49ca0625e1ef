"""The end of a text that is too long for a notification."""


def end_of(text: str, title: str, data: dict[str, object], *, lines: int | None) -> str:
    """Return the visible end of a text: at most this many lines, and as much as can be shown."""
    from notifyd.text.limits import keep_end  # noqa: PLC0415 - only for a long text
    from notifyd.text.visible import visible_text  # noqa: PLC0415 - as above

    text = visible_text(text).strip("\n")
    if lines is not None:
        text = "\n".join(text.split("\n")[-lines:])
    return keep_end(title, text, data)


def clip_start(kept: bytes) -> str:
    """Decode the end of an output, from the beginning of a line where there is one."""
    _, _, lines = kept.partition(b"\n")
    return (lines or kept).decode("utf-8", "replace")
