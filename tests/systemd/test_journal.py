"""The journal source with a real journald, in a booted systemd."""

from support.booted import drilled, needs_systemd

pytestmark = needs_systemd


def test_every_entry_is_delivered_once_across_kills_rotations_and_reboots():
    output = drilled("systemd/journal_drill.py")
    for words in (
        "unit: all of them",
        "logged: all of them",
        "boots: 2",
        "left behind: []",
        "  - journal: the system journal cannot be read by the user nobody: permission denied; ",
        "0 warning: the system journal cannot be read by the user nobody: permission denied; ",
    ):
        assert words in output


def test_silence_is_no_gap_and_entries_dropped_in_a_flood_are_counted():
    output = drilled("systemd/journal_source_drill.py")
    for words in (
        "problems: ()",
        "match qiuet: 1 the journal has no entries of qiuet.service; `journalctl --field=_SYS",
        "match quiet: 1 \n",
        "read and dropped: 401",
        "problems: (\"t: journald's rate limit dropped ",
        "restored: True",
    ):
        assert words in output
