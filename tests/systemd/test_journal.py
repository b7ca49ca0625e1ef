"""The journal source with a real journald, in a booted systemd."""

from support.booted import drilled, needs_systemd

pytestmark = needs_systemd


def test_every_entry_comes_once_over_kills_rotations_reboots_and_restarts_of_journald():
    said = drilled("systemd/journal_drill.py")
    for words in (
        "unit: all of them",
        "logged: all of them",
        "boots: 2",
        "left behind: []",
        "  - journal: the system's journal cannot be read by the user nobody: run usermod -aG ",
        "0 warning: the system's journal cannot be read by the user nobody: run usermod -aG ",
    ):
        assert words in said


def test_silence_for_longer_than_the_journal_is_kept_is_no_gap_and_what_a_flood_loses_is_counted():
    said = drilled("systemd/journal_source_drill.py")
    for words in (
        "problems: ()",
        "said and lost: 401",
        "problems: ('t: journald dropped ",
        "still known: True",
    ):
        assert words in said
