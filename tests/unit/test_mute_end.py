from notifyd.model.events import Now
from notifyd.model.notifications import Priority
from notifyd.shaping.mutes import mute_end
from notifyd.shaping.rules import Rule

RULE = Rule(trigger="app", identity="a", priority=Priority.DEFAULT)


def test_a_mute_ends_where_the_wall_clock_shows_no_later_time():
    # Else its digest would be due at once, again and again: the wall clock is the coarser one.
    now = Now(1030.2999999523163, 1_700_000_030.3)
    assert mute_end(RULE, {"": 1030.3}, now) == 0.0
    assert mute_end(RULE, {"": 1030.31}, now) > now.wall
    assert mute_end(RULE, {"app": 1000.0}, now) == 0.0
