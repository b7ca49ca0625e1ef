"""The configuration to begin with: the example, in which one trigger is active."""

import re

_HINT = """\
# One trigger is active: it {needs}.
# Below is the example with every key. Remove the # from the triggers that you need, then:
# notifyd reload

"""
_JOURNAL_TRIGGER = r"""
[triggers.failed-units]
type = "log"
journal = "*"
patterns = '^\S+: Failed with result'
group_by = ["unit"]
title = "{{ unit }} failed"
body = "{{ line }}"
priority = "high"

"""
_OF_EVERY_MACHINE = "triggers.disk"
_TABLE = re.compile(r"\[(?P<name>[^\[\]]+)\]")


def initial_config(example: str, *, reads_journal: bool) -> str:
    """Return the example with all triggers but one commented out.

    reads_journal: the active one reports failed units from the journal of the system, which users
    may be unable to read. Otherwise it watches the disk, which is right on every machine.
    """
    active = "" if reads_journal else _OF_EVERY_MACHINE
    lines = []
    is_silent = False
    for line in example.splitlines():
        if table := _TABLE.match(line):
            is_silent = table["name"].startswith("triggers.") and table["name"] != active
        is_setting = is_silent and line and not line.startswith("#")
        lines.append(f"#{line}" if is_setting else line)
    needs = (
        "needs nothing but the journal"
        if reads_journal
        else "watches the disk, at the end of this file"
    )
    head = _HINT.format(needs=needs) + (_JOURNAL_TRIGGER.lstrip() if reads_journal else "")
    return head + "\n".join(lines) + "\n"
