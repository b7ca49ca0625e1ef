"""What the log source stores: the formats of released versions, and the refusal of others."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.logs.checkpoint import (
    AggregatorId,
    Checkpoint,
    FileId,
    decode_first_scan,
    encode_first_scan,
    first_scan_key,
)
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.reading.registry import CHECKPOINT_TTL, Registry
from notifyd.sources.logs.rotation.lost_generations import LostGenerations
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues
from support.stored import changed, golden, without

PATTERN = ("web", "/var/log/*.log")
CHECKPOINT, CATCH_UP, FIRST_SCAN, RECORD = map(
    golden, ("log-checkpoint", "log-catch-up", "log-first-scan", "record")
)
STORED = dict([CHECKPOINT, CATCH_UP, FIRST_SCAN, RECORD])
FILE = FileId(2049, 131072)
WALL = 1_764_500_000.0

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def registry(stored):
    refused = RefusedValues("log")
    return Registry([PATTERN], stored, refused), refused


def test_a_checkpoint_is_written_as_before():
    key, value = CHECKPOINT
    checkpoint = Checkpoint.decode(FILE, value)
    assert FILE.to_key() == key
    assert checkpoint == Checkpoint(
        "/var/log/app.log",
        1048576,
        "37cf015c704736ef",
        skipping_line=True,
        only_nul=False,
        start_offsets={"web": 0, "db": 4096},
        catch_up_end=None,
        last_seen=1764496062.25,
        modified_ns=1764496062123456789,
        head_digest="1350ad21b0246597",
        content_since=1764409662000000001,
        truncated_at=0,
        inode_generation=3735928559,
        archived_path="/var/log/old/app.log.1",
        is_copy=False,
        copy_search_done=True,
        tail_len=512,
    )
    assert checkpoint.encode() == value


def test_every_stored_key_belongs_to_one_attribute():
    """No two keys are swapped: each changes exactly one attribute, and is written back."""
    _, value = CHECKPOINT
    others = {
        "path": "/x",
        "place": "/y",
        "check": "c",
        "head": "h",
        "since": {"web": 7},
        "seen": 7.5,
        "checked": 7,
    }
    before = Checkpoint.decode(FILE, value)
    for key, stored in json.loads(value).items():
        if key == "until":
            continue
        other = others.get(key, not stored if isinstance(stored, bool) else 7)
        text = json.dumps(json.loads(value) | {key: other}, separators=(",", ":"))
        after = Checkpoint.decode(FILE, text)
        names = [name for name in after.__slots__ if getattr(after, name) != getattr(before, name)]
        assert len(names) == 1, key
        assert after.encode() == text


def test_a_catch_up_is_written_as_before():
    key, value = CATCH_UP
    file = FILE._replace(catch_up_trigger="web")
    assert FileId.from_key(key) == file
    checkpoint = Checkpoint.decode(file, value)
    assert (checkpoint.offset, checkpoint.catch_up_end) == (4096, 65536)
    assert checkpoint.encode() == value


def test_a_checkpoint_of_an_early_version_lacks_what_came_later():
    key, value = golden("log-checkpoint-early")
    checkpoint = Checkpoint.decode(FileId.from_key(key), value)
    assert (checkpoint.tail_len, checkpoint.head_digest, checkpoint.content_since) == (64, "", 0)
    assert not checkpoint.is_copy
    bare = {name: json.loads(value)[name] for name in ("path", "offset", "check")}
    assert Checkpoint.decode(FILE, json.dumps(bare)).start_offsets == {}


def test_the_time_of_a_first_scan_is_written_as_before():
    key, value = FIRST_SCAN
    assert first_scan_key(*PATTERN) == key
    assert encode_first_scan(decode_first_scan(value)) == value


def lost_generations(value):
    own, refused = registry({"log:lost": value})
    return LostGenerations(own, PathScanner({PATTERN[0]: [PATTERN[1]]}, ())), own, refused


def test_the_counts_of_lost_generations_are_written_as_before():
    key, value = golden("log-lost")
    lost, own, refused = lost_generations(value)
    assert [problem.message.partition(" before")[0] for problem in lost.problems] == [
        "/var/log/app.log lost 2 generations, deleted",
        "/var/log/app.log lost 1 generation, compressed",
    ]
    lost.add_deleted("/var/log/app.log", 1, 1764496062.25)
    lost.store(1764496062.25)
    assert own.take_changes()[key] == value.replace(",2,1,", ",3,1,")
    later = 1764496062.25 + CHECKPOINT_TTL + 1
    lost.add_deleted("/var/log/b.log", 1, later)
    lost.store(later)
    assert "app.log" not in own.take_changes()[key]
    assert refused.problems == []


def test_the_counts_of_the_logs_that_lost_generations_last_are_stored():
    lost, own, _ = lost_generations("")
    for number in range(1001):
        lost.add_deleted(f"/var/log/{number}.log", 1, 1e9 + number)
    lost.store(1e9 + 1001)
    rows = json.loads(own.take_changes()["log:lost"])["logs"]
    assert len(rows) == 1000
    assert "/var/log/0.log" not in {path for path, *_ in rows}


@pytest.mark.parametrize("value", ["", "[]", '{"logs":[["/x",-1,0,0]]}', '{"logs":{}}', "{"])
def test_refused_counts_of_lost_generations_begin_at_zero(value):
    lost, own, refused = lost_generations(value)
    assert lost.problems == ()
    assert value == "" or (own.take_changes()["log:lost"] is None and len(refused.problems) == 1)


def test_keys_are_parsed_as_they_were_written():
    key, _ = RECORD
    assert AggregatorId.from_key(key) == AggregatorId("web", FileId(8, 42))
    assert AggregatorId.from_key(key).to_key() == key
    for file in (FileId(1, 2), FileId(1, 2, "a:b")):
        assert FileId.from_key(file.to_key()) == file
        aggregator = AggregatorId("a:b", file)
        assert AggregatorId.from_key(aggregator.to_key()) == aggregator


@pytest.mark.parametrize(
    "key",
    [
        first_scan_key(*PATTERN),
        "log:file:x:1:",
        "log:file:1",
        "file:1:2:",
        "log:file:²:1:",
        f"log:file:1:{'9' * 5000}:",
        "log:carry:1",
        "log:carry:x:1::web",
    ],
)
def test_other_keys_are_of_no_file(key):
    assert FileId.from_key(key) is None
    assert AggregatorId.from_key(key) is None


def test_unknown_keys_are_ignored():
    _, value = CHECKPOINT
    assert Checkpoint.decode(FILE, changed(value, added_later=[1])) == Checkpoint.decode(
        FILE, value
    )


def test_a_usable_registry_is_restored_without_a_change():
    restored, refused = registry(STORED)
    assert dict(restored.closed_files()) == {
        # A trigger that is not configured any more is forgotten.
        FILE: Checkpoint.decode(FILE, changed(CHECKPOINT[1], since={"web": 0})),
        FILE._replace(catch_up_trigger="web"): Checkpoint.decode(
            FILE._replace(catch_up_trigger="web"), CATCH_UP[1]
        ),
    }
    assert restored.first_scan(PATTERN) == 1764496062.25
    assert not restored.is_new_pattern(PATTERN)
    restored.mark_scanned(WALL)
    restored.expire(WALL)
    assert restored.take_changes() == {}
    assert refused.problems == []


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"path": 7}, '"path" must be a string, not 7'),
        ({"path": "app.log"}, '"path" must be an absolute path'),
        ({"path": "/a\0b"}, '"path" must be an absolute path'),
        ({"path": "/\ud800"}, '"path" must be an absolute path'),
        ({"place": "app.log.1"}, '"place" must be an absolute path'),
        ({"offset": -1}, '"offset" must be an integer from 0 to'),
        ({"offset": 1.5}, '"offset" must be an integer from 0 to'),
        ({"offset": 1 << 63}, '"offset" must be an integer from 0 to'),
        ({"check": None}, '"check" must be a string, not null'),
        ({"skipping": 1}, '"skipping" must be true or false, not 1'),
        ({"blank": "no"}, '"blank" must be true or false, not "no"'),
        ({"since": ["web"]}, '"since" must be an object of integers'),
        ({"since": {"web": "0"}}, '"web" must be an integer from 0 to'),
        ({"until": 7}, '"until" must be an offset for a catch-up, and null otherwise'),
        ({"seen": "now"}, '"seen" must be a number of seconds'),
        ({"modified": 1 << 64}, '"modified" must be an integer from'),
        ({"head": 1}, '"head" must be a string, not 1'),
        ({"begun": None}, '"begun" must be an integer from'),
        ({"cut": []}, '"cut" must be an integer from'),
        ({"version": -1}, '"version" must be an integer from 0 to'),
        ({"copied": 0}, '"copied" must be true or false, not 0'),
        ({"sought": 0}, '"sought" must be true or false, not 0'),
        ({"checked": 0}, '"checked" must be an integer from 1 to'),
        ({"format": 2}, "a newer version of notifyd wrote it in format 2"),
    ],
)
def test_one_refused_checkpoint_leaves_the_other_values_as_they_are(damage, reason):
    key, value = CHECKPOINT
    restored, refused = registry(STORED | {key: changed(value, **damage)})
    (problem,) = refused.problems
    where = "inode 131072 of device 2049" if "path" in damage else "/var/log/app.log"
    assert problem.message.startswith(f"discarded the stored log checkpoint of {where}: {reason}")
    assert problem.message.endswith("; the file counts as new")
    assert [file for file, _ in restored.closed_files()] == [FILE._replace(catch_up_trigger="web")]
    assert restored.take_changes() == {key: None}


@pytest.mark.parametrize("value", ["", "nonsense", "[1]", "1.5", "{}", '{"path": "/x"}'])
def test_what_is_not_a_checkpoint_is_refused(value):
    key, _ = CHECKPOINT
    restored, refused = registry({key: value, FIRST_SCAN[0]: FIRST_SCAN[1]})
    assert len(refused.problems) == 1
    assert restored.take_changes() == {key: None}


def test_a_catch_up_without_an_end_is_refused():
    key, value = CATCH_UP
    restored, refused = registry(STORED | {key: without(value, "until")})
    (problem,) = refused.problems
    assert problem.message == (
        "discarded the stored catch-up position of trigger web in /var/log/app.log: "
        '"until" must be an offset for a catch-up, and null otherwise; '
        "the earlier lines that it has not read are skipped"
    )
    assert restored.take_changes() == {key: None}


@pytest.mark.parametrize("value", ["", "-1", "1e300", "NaN", '"now"', '{"format": 2}', "[]"])
def test_a_refused_time_of_a_first_scan_becomes_the_present(value):
    """The pattern is not new: else what was appended since the last run would be skipped."""
    key, _ = FIRST_SCAN
    restored, refused = registry(STORED | {key: value})
    (problem,) = refused.problems
    assert problem.message.startswith(
        "discarded the stored time of the first scan of /var/log/*.log for trigger web: "
    )
    assert not restored.is_new_pattern(PATTERN)
    assert restored.first_scan(PATTERN) is None
    restored.mark_scanned(WALL)
    assert restored.first_scan(PATTERN) == WALL
    assert restored.take_changes() == {key: encode_first_scan(WALL)}


def test_the_checkpoint_of_a_file_that_is_gone_for_long_is_forgotten():
    key, value = CHECKPOINT
    restored, _ = registry({key: value, FIRST_SCAN[0]: FIRST_SCAN[1]})
    seen = json.loads(value)["seen"]
    restored.expire(seen + CHECKPOINT_TTL)
    assert FILE in restored
    restored.expire(seen + CHECKPOINT_TTL + 1)
    assert FILE not in restored
    assert restored.take_changes() == {key: None}


@given(st.sampled_from(sorted(json.loads(CHECKPOINT[1]))), JSON)
def test_any_field_is_read_or_refused(name, damage):
    text = changed(CHECKPOINT[1], **{name: damage})
    with suppress(CheckpointValueError):  # and nothing else
        assert Checkpoint.decode(FILE, Checkpoint.decode(FILE, text).encode())
