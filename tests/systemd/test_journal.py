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
        "  - journal: the system journal cannot be read by the user nobody: permission denied; ",
        "0 warning: the system journal cannot be read by the user nobody: permission denied; ",
    ):
        assert words in said


def test_silence_is_no_gap_a_flood_s_losses_are_counted_and_a_mistaken_name_is_told():
    said = drilled("systemd/journal_source_drill.py")
    for words in (
        "problems: ()",
        "match qiuet: 1 the journal has no entries of qiuet.service; `journalctl --field=_SYS",
        "match quiet: 1 \n",
        "said and lost: 401",
        "problems: (\"t: journald's rate limit dropped ",
        "still known: True",
    ):
        assert words in said
