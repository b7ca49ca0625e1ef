"""`notifyd match`: the same engine, over a file or standard input."""

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from support import forked

CONFIG = r"""
[triggers.errors]
type = "log"
paths = "/var/log/app.log"
patterns = ['(?P<level>ERROR) (?P<what>.*)', 'Traceback']
exclude = ['healthz']
title = "{{ count }} x {{ fields.what }}"
[triggers.around]
type = "log"
paths = "/var/log/app.log"
patterns = 'ERROR'
before = 1
after = 2
[triggers.records]
type = "log"
paths = "/var/log/app.log"
patterns = '(?s)ERROR.*at (?P<where>\w+)$'
multiline = '^\S'
[triggers.pod]
type = "log"
paths = "/var/log/pods/app/0.log"
patterns = '^(?P<level>ERROR) end$'
format = "cri"
[triggers.json]
type = "log"
paths = "/var/log/app.log"
patterns = 'route'
format = ["docker", "json"]
levels = "error"
group_by = "level"
before = 1
body = "{{ fields.http.status }} {{ trace }} {{ fields['http.status'] }} {{ fields.http.x }}"
[triggers.silent]
type = "log"
paths = "/var/log/app.log"
stale = "1h"
[triggers.steps]
type = "log"
paths = "/var/log/app.log"
patterns = ['step (?P<progress>\d+)', 'ERROR']
stalled = "10m"
[triggers.files]
type = "file"
paths = "/tmp/x"
"""
COMMAND = [sys.executable, "-m", "notifyd", "match"]


@pytest.fixture
def match(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)

    def run(*args, given=b"", stdout=None):
        words = ["match", "--config", tmp_path / "config.toml", *args]
        environ = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        return forked.run(words, environ=environ, stdin=given, stdout=stdout)

    return run


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_line_is_an_object_followed_by_the_notification(match, tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(
        b"\xef\xbb\xbfERROR one\r\nfine\nERROR healthz\n\nTraceback\nERROR \xc3\xa9\xff"
    )
    done = match("errors", log)
    assert (done.returncode, done.stderr) == (0, b"")
    first, second, third, last = objects(done)
    assert first == {
        "number": 1,
        "line": "ERROR one",
        "pattern": "(?P<level>ERROR) (?P<what>.*)",
        "fields": {"level": "ERROR", "what": "one"},
    }
    assert (second["number"], second["pattern"], second["fields"]) == (5, "Traceback", {})
    assert (third["number"], third["line"]) == (6, "ERROR é\ufffd")
    notification = last["notification"]
    assert (notification["title"], notification["count"]) == ("3 x é\ufffd", 3)
    assert "ERROR one" in notification["body"]


def test_standard_input_and_count(match):
    lines = b"ERROR x\nnothing\n" * 30_000
    assert match("errors", "-", "--count", given=lines).stdout == b"30000\n"
    assert match("errors", "--count", given=lines).stdout == b"30000\n"


def test_line_numbers_are_right_across_blocks_and_overlong_lines(match):
    text = b"x" * (1 << 20) + b"ERROR\n" + b"y\n" * 1_000_000 + b"ERROR far\n" + b"ERROR " * 400_000
    done = match("errors", given=text)
    first, second, _ = objects(done)
    assert (first["number"], first["line"]) == (1_000_002, "ERROR far")
    assert second["number"] == 1_000_003
    assert second["line"].endswith("… (cut)")


def test_nothing_matched_is_1(match):
    done = match("errors", given=b"fine\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert match("errors", "--count").stdout == b"0\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["erors"], "unknown trigger 'erors'; did you mean 'errors'?"),
        (["files"], "files is a file trigger; only log triggers have patterns"),
        (["silent"], "silent has no patterns; it reports only a stale log"),
        (["errors", "/does/not/exist"], "cannot read /does/not/exist: No such file"),
        (["errors", "/"], "cannot read /: Is a directory"),
    ],
)
def test_an_error_is_2_with_one_sentence(match, args, sentence):
    done = match(*args)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(sentence)
    assert done.stderr.count(b"\n") == 1


def test_each_group_has_its_own_notification(match, tmp_path):
    config = CONFIG.replace("[triggers.around]", 'group_by = ["what"]\n[triggers.around]')
    (tmp_path / "config.toml").write_text(config)
    done = match("errors", given=b"ERROR b\nERROR a\nERROR b\nTraceback\n")
    shown = [line["notification"] for line in objects(done)[4:]]
    assert sorted((one["title"], one["count"]) for one in shown) == [
        ("1 x", 1),
        ("1 x a", 1),
        ("2 x b", 2),
    ]
    assert done.stderr == b""
    many = b"".join(b"ERROR %d\n" % number for number in range(1500))
    done = match("errors", given=many * 2)
    shown = [line["notification"] for line in objects(done)[3000:]]
    assert len({one["title"] for one in shown}) == 20
    assert all(one["count"] == 2 for one in shown)
    assert done.stderr == b"1 more notification not shown\n"  # the digest of what is over budget


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_is_refused(match, tmp_path, compress):
    file = tmp_path / "app.log.gz"
    file.write_bytes(compress(b"ERROR disk full\n" * 1000))
    for words, given in ((["errors", str(file)], b""), (["errors"], file.read_bytes())):
        done = match(*words, given=given)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"the daemon does not read compressed files" in done.stderr


def test_matches_below_the_threshold_are_not_reported(match, tmp_path):
    config = tmp_path / "config.toml"
    text = config.read_text()
    config.write_text(text.replace("[triggers.around]", "threshold = 3\n[triggers.around]", 1))
    done = match("errors", given=b"ERROR disk full\n" * 2)
    assert done.returncode == 0
    assert b"notification" not in done.stdout
    assert done.stderr == b"2 matches below threshold = 3, not reported\n"
    done = match("errors", given=b"ERROR disk full\n" * 7)
    notification = json.loads(done.stdout.splitlines()[-1])["notification"]
    assert notification["title"] == "6 x disk full"
    assert done.stderr == b"1 match below threshold = 3, not reported\n"


def shaped(match, tmp_path, keys, given, extra=""):
    """Return title, count and time of each notification."""
    config = CONFIG.replace("[triggers.around]", f"{keys}\n[triggers.around]", 1) + extra
    (tmp_path / "config.toml").write_text(config)
    done = match("errors", given=given)
    assert done.returncode == 0
    shown = [each["notification"] for each in objects(done) if "notification" in each]
    return [(each["title"], each["count"], each["after"]) for each in shown]


def test_lines_with_a_number_that_is_watched_make_no_notification(match):
    found = objects(match("steps", given=b"step 1\nERROR\nstep 2\n"))
    assert [each["fields"] for each in found if "number" in each] == [
        *({"progress": "1"}, {}, {"progress": "2"}),
    ]
    (sent,) = [each["notification"] for each in found if "notification" in each]
    assert (sent["body"], sent["count"]) == ("ERROR", 1)


def test_the_cooldown_is_applied(match, tmp_path):
    keys = 'debounce = "0s"\ncooldown = "3m"'
    shown = shaped(match, tmp_path, keys, b"ERROR a\nERROR b\nERROR c\n")
    assert shown == [("1 x a", 1, "0s"), ("2 x c", 2, "3m")]


def test_every_match_is_a_notification_without_debounce_and_cooldown(match, tmp_path):
    keys = 'debounce = "0s"\ncooldown = "0s"'
    shown = shaped(match, tmp_path, keys, b"ERROR a\nERROR b\nERROR a\n")
    assert sorted(title for title, _, _ in shown) == ["1 x a", "1 x a", "1 x b"]


def test_what_is_over_the_budget_is_in_a_digest(match, tmp_path):
    keys = 'debounce = "0s"\ncooldown = "0s"'
    given = b"".join(b"ERROR %d\n" % number for number in range(7))
    shown = shaped(match, tmp_path, keys, given, "[budget]\nmax = 3\n")
    assert [count for _, count, _ in shown] == [1, 1, 1, 4]
    assert shown[-1][0] == "4 more from errors"


def test_what_is_muted_is_in_a_digest_at_the_end(match, tmp_path):
    now = datetime.now(UTC)
    span = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    mute = f'[mute.now]\ntimes = "{span}"\ntimezone = "UTC"\n'
    shown = shaped(match, tmp_path, 'mute = "now"', b"ERROR a\nERROR b\n", mute)
    assert [(title, count) for title, count, _ in shown] == [("2 from errors while muted", 2)]


def test_a_mute_that_never_ends_is_named(match, tmp_path):
    mute = '[mute.always]\ntimes = "00:00-24:00"\ntimezone = "UTC"\n'
    config = CONFIG.replace("[triggers.around]", 'mute = "always"\n[triggers.around]', 1) + mute
    (tmp_path / "config.toml").write_text(config)
    done = match("errors", given=b"ERROR a\nERROR b\n")
    assert b"notification" not in done.stdout
    assert done.stderr == b"2 matches held back by a mute that does not end within a week\n"


def test_beyond_max_groups_the_others_share_one(match, tmp_path):
    config = CONFIG.replace(
        "[triggers.around]", 'group_by = ["what"]\nmax_groups = 2\n[triggers.around]'
    )
    (tmp_path / "config.toml").write_text(config)
    done = match("errors", given=b"ERROR a\nERROR b\nERROR c\nERROR d\nERROR a\n")
    shown = [line["notification"]["count"] for line in objects(done)[5:]]
    assert sorted(shown) == [1, 2, 2]


@pytest.mark.parametrize("times", [1, 100_000])
def test_output_that_cannot_be_written_is_2_with_one_sentence(match, tmp_path, times):
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - the device itself
        done = match("errors", given=b"ERROR x\n" * times, stdout=full)
    assert done.returncode == 2
    assert done.stderr == b"cannot write the output: No space left on device\n"


def test_a_closed_pipe_is_2_without_a_message(match, tmp_path):
    log = tmp_path / "app.log"
    log.write_text("ERROR x\n" * 100_000)
    with subprocess.Popen(
        [*COMMAND, "--config", str(tmp_path / "config.toml"), "errors", str(log)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 2, "1 would say that nothing matched"


def test_lines_that_ran_out_of_time_are_counted(match, tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG.replace("'Traceback'", "'(a|a)+$'"))
    done = match("errors", given=b"a" * 40 + b"b\nERROR x\n")
    assert done.returncode == 0
    assert b"1 line could not be decided in time" in done.stderr


def test_context_lines_are_in_the_notification(match):
    done = match("around", given=b"one\ntwo\nERROR\nthree\nfour\nERROR\n")
    first, second, last = objects(done)
    assert (first["number"], first["line"], second["number"]) == (3, "ERROR", 6)
    assert last["notification"]["body"].startswith("four\nERROR\n2 ")


def test_a_record_has_the_number_of_its_first_line(match):
    given = b" at start\nERROR one\n at a\r\n at b\nINFO\n at c\nERROR two\n at d"
    done = match("records", given=given)
    first, second, last = objects(done)
    assert (first["number"], first["line"]) == (2, "ERROR one\n at a\n at b")
    assert (second["number"], second["fields"]) == (7, {"where": "d"})
    assert last["notification"]["count"] == 2
    assert match("records", "--count", given=given).stdout == b"2\n"


def test_options_are_accepted_between_trigger_and_file(match, tmp_path):
    (tmp_path / "app.log").write_bytes(b"ERROR a\nfine\n")
    done = match("errors", "--count", tmp_path / "app.log")
    assert (done.stdout, done.returncode) == (b"1\n", 0)


def test_lines_are_matched_by_their_visible_text_however_long(match):
    bar = b"\x1b[32m1%\x1b[0m\r" * 200_000
    done = match(
        "errors", given=b"\x1b[31mERROR\x1b[0m one\r\n" + bar + b"ERROR two\n" + bar + b"Traceback"
    )
    lines = [found["line"] for found in objects(done)[:-1]]
    assert lines == ["ERROR one", "ERROR two", "Traceback"]


def test_split_messages_of_a_container_are_joined_and_numbered_by_their_first_line(match):
    time = b"2026-11-29T18:00:00.1Z stdout "
    done = match("pod", given=time + b"F x\n" + time + b"P ERROR \n" + time + b"F end\nplain\n")
    assert [(each["number"], each["line"]) for each in objects(done)[:-1]] == [(2, "ERROR end")]


def test_json_inside_a_containers_log_is_matched_by_its_message(match):
    first = '{"level":30,"msg":"route a","http":{}}\n'
    second = '{"level":50,"msg":"no route","err":"timeout","http":{"status":502}}\n'
    parts = (first[:20], first[20:], second)
    lines = (json.dumps({"log": part, "stream": "stdout"}) for part in parts)
    done = match("json", "-", given="\n".join(lines).encode())
    (found, shown) = map(json.loads, done.stdout.decode().splitlines())
    assert (found["number"], found["line"]) == (3, "no route")
    assert found["fields"]["level"] == "error"
    assert shown["notification"]["title"] == "json (error)"
    assert shown["notification"]["body"] == "502 no route\ntimeout 502 "
