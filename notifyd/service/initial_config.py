"""The configuration that a new service starts with."""

import re

_SYSTEM_TRIGGER = r"""
# One trigger is active: it needs nothing but the journal. Below is the example with every key.
# Remove the # from the triggers that you need, then: systemctl reload notifyd

[triggers.failed-units]
type = "log"
journal = "*"
patterns = '^\S+: Failed with result'
group_by = ["unit"]
title = "{{ unit }} failed"
body = "{{ line }}"
priority = "high"

"""
_TABLE = re.compile(r"\[(?P<name>[^\[\]]+)\]")


def initial_config(example: str, *, is_user: bool) -> str:
    """Return the example with its triggers commented out.

    The system's service also gets one that is right on every machine. A user may be unable to read
    the journal.
    """
    lines = []
    is_trigger = False
    for line in example.splitlines():
        if table := _TABLE.match(line):
            is_trigger = table["name"].startswith("triggers.")
        is_setting = is_trigger and line and not line.startswith("#")
        lines.append(f"#{line}" if is_setting else line)
    return ("" if is_user else _SYSTEM_TRIGGER.lstrip()) + "\n".join(lines) + "\n"
