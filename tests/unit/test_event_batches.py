"""Batches of events on their way to the fold: how large they are, and which texts they may have."""

import pytest

from notifyd.config.shaping import ShapingConfig
from notifyd.engine.pipeline import _well_formed
from notifyd.engine.sources import most_events
from notifyd.model.events import Event
from support.logs import trigger


def shaping(**keys):
    return trigger("/var/log/app.log", **keys).shaping(ShapingConfig())


@pytest.mark.parametrize(
    "keys", [{"group_by": ["path"]}, {"debounce": "0s", "cooldown": "0s"}], ids=str
)
def test_a_batch_is_larger_if_all_its_events_are_counted_together(keys):
    bulk = shaping(debounce="0s", cooldown="1m")
    assert most_events([bulk, shaping()]) > most_events([bulk, shaping(**keys)])


def test_only_events_with_lone_surrogates_are_changed():
    facts = {"pattern": "0"}
    name = b"caf\xe9.log".decode(errors="surrogateescape")
    good = Event("t", 1.0, "line", "/a.log", facts=facts)
    events = (
        good,
        good._replace(path=name),
        good._replace(line="a\ud800b"),
        good._replace(fields={"user": "\udce9"}),
        good._replace(facts={"name": "\udce9"}),
        good,
    )
    assert _well_formed(events) == [
        good,
        good._replace(path="café.log"),
        good._replace(line="a\ufffdb"),
        good._replace(fields={"user": "\ufffd"}),
        good._replace(facts={"name": "\ufffd"}),
        good,
    ]
    assert _well_formed((good, good)) == (good, good)
