import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import TRIGGER_TYPES
from notifyd.model.events import LINES_KEPT, Event
from notifyd.model.notifications import Digest, MatchSummary
from notifyd.shaping.summaries import merge_summaries, summarize
from notifyd.text.limits import truncate_notification
from notifyd.triggers import Trigger, render_digest
from notifyd.triggers.default_text import TIMES

NOON = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
LOG = {"paths": ["/x"], "patterns": [r"(?P<level>\w+) (?P<items>.*)"]}
WITHOUT_RULES = st.characters(exclude_categories=["C", "Z"], exclude_characters="=-_*#~+─━═")
"""A line is shown without the rules around it."""
REQUIRED = {"log": LOG, "file": {"paths": ["/x"]}, "process": {"name": "python"}}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def trigger(kind: str = "log", **keys: object) -> Trigger:
    config = TRIGGER_TYPES[kind].model_validate(REQUIRED[kind] | keys)
    return Trigger("app", config, ShapingConfig(), host="box", workspace="ws")


def event(line: str = "ERROR disk full", **facts: str) -> Event:
    fields = {"level": "ERROR", "items": "disk full"}
    return Event("app", NOON, line, path="/var/log/app.log", fields=fields, facts=facts)


def summary(*events: Event, count: int = 0) -> MatchSummary:
    events = events or (event(),)
    return MatchSummary(
        count=count or len(events),
        first=NOON - 60 * (len(events) - 1),
        last=NOON,
        first_line=events[0].line,
        lines=tuple(event.line for event in events)[-20:],
        paths=("/var/log/app.log",),
        event=events[-1],
    )


def test_the_default_body_shows_the_lines_around_the_last_match():
    around = {"before": "one\ntwo", "after": "three"}
    assert trigger().render(summary(event("hit", **around)))[1] == "one\ntwo\nhit\nthree"
    body = trigger().render(summary(event("a", before="gone"), event("b", **around)))[1]
    assert body.splitlines()[:-1] == ["one", "two", "b", "three", "a"]


def test_the_default_body_of_a_trace_begins_with_the_exceptions_newest_first():
    chained = (Path(__file__).parent.parent / "cases" / "chained.log").read_text()
    _, body = trigger().render(summary(event(chained)))
    assert body.splitlines() == ["RuntimeError: cannot load user-17", "KeyError: 'user-17'"]


def test_the_default_body_of_a_clipped_trace_has_the_exceptions_that_were_found_in_it():
    line = "Traceback (most recent call last):\n  File"
    _, body = trigger().render(summary(event(line, trace="ValueError: x"), event(line)))
    assert body.splitlines()[0] == line.splitlines()[0]
    _, body = trigger().render(summary(event(line), event(line, trace="ValueError: x")))
    assert "ValueError: x" in body.splitlines()
    _title, body = trigger(body="{{ trace }}").render(summary(event(line, trace="ValueError: x")))
    assert body == "ValueError: x"


def test_the_default_body_says_where_the_newest_exception_was_raised():
    place = {"trace": "ValueError: x\nKeyError: 'a'", "frame": "a.py:3 in f"}
    _, body = trigger().render(summary(event("Traceback\n…", **place)))
    assert body.splitlines() == ["ValueError: x", "at a.py:3 in f", "KeyError: 'a'"]
    place["trace"] = "failed\nValueError: x"
    _, body = trigger().render(summary(event("failed", **place)))
    assert body.splitlines() == ["failed", "ValueError: x", "at a.py:3 in f"]
    _, body = trigger().render(summary(event("x", trace="E: " + "x" * 1800, frame="a.py:3")))
    assert "a.py:3" not in body


def test_templates_have_the_lines_around_a_match():
    made = trigger(body="{{ before }}|{{ line }}|{{ after }}")
    assert made.render(summary(event("hit", before="one")))[1] == "one|hit|"


class TestMatch:
    def test_without_group_by_all_events_are_one_group(self):
        assert trigger().match(event()) == ((), event())

    def test_a_group_is_made_of_fields_and_facts(self):
        found = trigger(group_by=["level", "path", "line", "pid", "unit"]).match(event(pid="7"))
        assert found.group == ("ERROR", "/var/log/app.log", "ERROR disk full", "7", "")

    def test_a_process_is_grouped_by_its_name_and_outcome(self):
        ended = event(name="python", outcome="success")
        assert trigger("process").match(ended).group == ("python", "success")

    def test_a_field_comes_before_a_fact_of_the_same_name(self):
        own = trigger(patterns="(?P<path>x)", group_by="path")
        assert own.match(event()._replace(fields={"path": "own"})).group == ("own",)

    def test_identity_is_name_type_and_grouping(self):
        names = {trigger().identity, trigger("file").identity, trigger(group_by="level").identity}
        assert len(names) == 3
        assert trigger(title="x", cooldown="1s").identity == trigger().identity


class TestTemplates:
    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("{{ trigger }} {{ type }} {{ host }} {{ workspace }}", "app log box ws"),
            ("{{ count }} {{ first }} {{ last }}", "2 22:12:20 22:13:20"),
            ("{{ path }} {{ paths | join(',') }}", "/var/log/app.log /var/log/app.log"),
            ("{{ line }}|{{ first_line }}|{{ lines | join(',') }}", "two|one|one,two"),
            ("{{ fields.level }} {{ fields['items'] }}", "ERROR disk full"),
            ("{{ fields.items or line }} {{ fields.items | upper }}", "disk full DISK FULL"),
            ("{{ pid + 1 }} {{ name }} {{ cmdline }} {{ unit }}|", "43 py py x.py |"),
            ("{{ 'failed' if exit_code != 0 }} {{ signal }}|{{ duration }}", "failed |4m5s"),
        ],
    )
    def test_every_name(self, source: str, text: str):
        facts = {"pid": "42", "name": "py", "cmdline": "py x.py", "exit_code": "3"}
        last = event("two", duration="245.2", **facts)
        own = trigger(title=source, body=source)
        assert own.render(summary(event("one"), last)) == (text, text)

    def test_an_exit_status_of_zero_is_a_number(self):
        own = trigger("process", title="{{ 'fine' if exit_code == 0 else 'bad' }}")
        assert own.render(summary(event(exit_code="0")))[0] == "fine"

    def test_names_that_the_event_lacks_are_empty(self):
        own = trigger(
            patterns=["(?P<a>x)", "(?P<b>y)"],
            title="[{{ fields.b }}{{ pid }}{{ exit_code }}{{ duration }}]",
        )
        assert own.render(summary(event()._replace(fields={"a": "x"})))[0] == "[]"

    def test_times_of_another_day_carry_their_date(self):
        own = trigger(title="{{ first }} {{ last }}")
        title, _ = own.render(summary(event("one"), event("two")), NOON + 86400)
        assert title == "2023-11-14 22:12:20 2023-11-14 22:13:20"

    def test_a_template_that_fails_says_so_and_the_default_text_is_sent(self):
        own = trigger(title="{{ count / 0 }}", body="{{ 'x' * 99999 }}")
        title, body = own.render(summary())
        assert title == "app"
        assert "(The template" in own.render(summary(event("x" * 60_000)))[1][:2000]
        assert body.startswith("ERROR disk full\n(The template for the title failed: division")
        assert "(The template for the body failed: repeated text is too long)" in body

    def test_a_template_that_works_too_long_says_so(self):
        nested = "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}"
        title, body = trigger(title=nested, body="{{ line }}").render(summary())
        assert title == "app"
        assert body.startswith("ERROR disk full\n(The template for the title failed: more than")

    def test_endless_output_is_stopped(self):
        own = trigger(body="{% for i in range(9999) %}{{ line }}{% endfor %}")
        assert len(own.render(summary(event("x" * 1000)))[1]) <= 8000

    def test_a_title_may_be_left_empty_but_not_everything(self):
        assert trigger(title="").render(summary()) == ("", "ERROR disk full")
        assert trigger(title="", body=" ").render(summary()) == ("app", " ")

    @given(
        st.sampled_from(["{{", "}}", "{%", "%}", "{#", "%s", "{0}", "\x1b[0m", "{{ 7 * 7 }}"])
        | st.text(st.characters())
    )
    def test_values_arrive_as_text_and_are_never_evaluated(self, hostile: str):
        value = f"{hostile}{{{{ 7*7 }}}}{{% raw %}}{hostile}"
        happened = Event(
            "app", NOON, value, value, {"level": value, "items": value}, {"name": value}
        )
        for source in (
            "{{ line }}",
            "{{ fields.level }}",
            "{{ path }}",
            "{{ name }}",
            "{{ lines[0] }}",
        ):
            own = trigger(title=source)
            assert own.render(summary(happened)) == (value, value)


class TestDefaultText:
    def test_log(self):
        assert trigger().render(summary()) == ("app", "ERROR disk full")
        lines = [event(f"line {number}") for number in range(7)]
        title, body = trigger(group_by="level").render(summary(*lines))
        assert title == f"app (ERROR): 7 {TIMES}"
        assert body.splitlines() == [
            *(f"line {number}" for number in reversed(range(7))),
            f"7 {TIMES} from 22:07:20 to 22:13:20",
        ]

    def test_what_does_not_fit_is_counted(self):
        lines = [event(f"{number} " + "x" * 298) for number in range(7)]
        shown = [each.line for each in reversed(lines[2:])]
        body = trigger().render(summary(*lines))[1]
        assert body.splitlines()[:-1] == [*shown, "and 2 more"]

    @given(
        words=st.lists(st.text(WITHOUT_RULES, min_size=1), min_size=1),
        unkept=st.integers(0, 500),
        repeat=st.integers(1, 900),
    )
    @example(words=["0", "="], unkept=0, repeat=8)
    def test_each_match_is_shown_or_counted(self, words: list[str], unkept: int, repeat: int):
        lines = [event(word * repeat) for word in words]
        total = summary(*lines, count=len(lines) + unkept)
        title, body = trigger().render(total)
        shown = body.splitlines()
        more = [line for line in shown if line.startswith("and ")]
        hidden = int(more[0].split()[1]) if more else 0
        texts = {line.removesuffix("…") for line in shown}
        visible = sum(
            each.line in texts or each.line[:350] in texts for each in lines[-LINES_KEPT:]
        )
        if len({each.line for each in lines}) > 1:
            assert hidden + visible >= total.count
        _, sent, _ = truncate_notification(title, body, {"notification_id": "x" * 36})
        if repeat * max(map(len, words)) < 350:
            assert sent == body  # nothing of it is cut

    def test_a_line_that_is_only_a_rule_is_shown_if_there_is_no_other(self):
        assert trigger().render(summary(event("=" * 8)))[1] == "=" * 8

    def test_equal_lines_are_shown_once(self):
        many = [event("same")] * 3 + [event("other")] * 2 + [event("same")]
        assert trigger().render(summary(*many))[1].splitlines()[:-1] == ["same", "other"]
        same = summary(*[event("same")] * 20, count=300)
        assert trigger().render(same)[1].splitlines()[:-1] == ["same"]

    def test_a_match_in_the_context_of_the_next_is_shown_once(self):
        first = event("ERROR one", before="start")
        last = event("ERROR two", before="start\nERROR one", after="end")
        assert trigger().render(summary(first, last))[1].splitlines()[:-1] == [
            *("start", "ERROR one", "ERROR two", "end")
        ]

    def test_wide_characters_leave_room_for_the_counts(self):
        lines = [event(f"{number} " + "\N{PILE OF POO}" * 300) for number in range(20)]
        title, body = trigger().render(summary(*lines, count=90))
        _, sent, _ = truncate_notification(title, body, {"notification_id": "x" * 36})
        assert sent == body
        assert "more\n90" in body

    def test_a_group_for_many_names_none_of_them(self):
        own = trigger(
            patterns="(?P<u>u[0-9]+)",
            group_by="u",
            max_groups=50,
            title="{{ fields.u }}: {{ count }} failed logins",
            body="{{ fields.u }} again",
        )
        many = replace(summary(event("login of u298"), event("login of u299"), count=250))
        title, body = own.render(replace(many, is_overflow=True))
        assert title == "app: 250 in other groups (more than max_groups = 50)"
        assert body.splitlines() == [
            *("login of u299", "login of u298", "and 248 more"),
            f"250 {TIMES} from 22:12:20 to 22:13:20",
        ]

    def test_a_long_line_leaves_room_for_the_others(self):
        _, body = trigger().render(summary(event("x" * 5000), event("last")))
        assert f"last\n{'x' * 350}…\n2 {TIMES} from" in body
        assert trigger().render(summary(event("x" * 5000)))[1] == "x" * 5000

    def test_file(self):
        own = trigger("file")
        created = event("created /srv/report.pdf", event="created")._replace(path="/srv/report.pdf")
        assert own.render(summary(created)) == (
            "app: created report.pdf",
            "created /srv/report.pdf",
        )
        assert own.render(summarize([created, created]))[0] == "app: 2 created"

    def test_changes_of_files_are_counted_by_kind(self):
        own = trigger("file")
        kinds = ["created"] * 78 + ["deleted"] * 2
        events = [event(f"{kind} /srv/{n}", event=kind) for n, kind in enumerate(kinds)]
        assert own.render(summarize(events))[0] == "app: 78 created, 2 deleted"
        counted = merge_summaries(summarize(events[:50]), summarize(events[50:]))
        assert own.render(counted)[0] == "app: 78 created, 2 deleted"
        of_earlier_version = replace(counted, kinds={})
        assert own.render(of_earlier_version)[0] == "app: 80 changes"

    @pytest.mark.parametrize(
        ("facts", "title"),
        [
            ({"outcome": "success", "exit_code": "0", "signal": ""}, "app ended"),
            ({"outcome": "unknown", "exit_code": ""}, "app ended, status unknown"),
            ({"outcome": "failure", "exit_code": "3"}, "app failed: status 3"),
            ({"outcome": "failure", "signal": "SIGKILL"}, "app killed by SIGKILL"),
            ({"outcome": "failure", "cause": "out of memory"}, "app killed: out of memory"),
            ({"outcome": "failure"}, "app failed"),
            ({"event": "failure"}, "app failed"),
            ({"event": "start"}, "app started"),
        ],
    )
    def test_process(self, facts: dict[str, str], title: str):
        ended = event("python (pid 7) ended with exit status 3 after 4m", name="python", **facts)
        assert trigger("process").render(summary(ended)) == (title, ended.line)

    def test_the_tail_of_a_job_comes_before_its_pid_and_rules_around_it_go(self):
        rule = "=" * 20
        lines = (f"{rule} summary {rule}", "-" * 20, "FAILED t.py", f"{rule} 1 failed {rule}")
        ended = event("python (pid 7) exited", name="python", pid="7", after="\n".join(lines))
        _, body = trigger("process").render(summary(ended))
        assert body.split("\n") == [
            "summary",
            "FAILED t.py",
            "1 failed",
            "python (pid 7) exited",
        ]

    @pytest.mark.parametrize("line", ["--- a/x.py", "-v x", "x ======== y", "train: 10%|████  |"])
    def test_other_lines_are_shown_as_they_are(self, line: str):
        assert trigger().render(summary(event(line)))[1] == line

    def test_of_several_ends_the_worst_comes_first(self):
        def end(number, **facts):
            return event(f"python (pid {number}) ended", name="python", event="exit", **facts)

        good = [end(number, outcome="success", exit_code="0") for number in range(4)]
        bad = end(9, outcome="failure", signal="SIGKILL", exit_code="")
        unknown = end(8, outcome="unknown")
        ends = merge_summaries(summarize([*good[:2], bad]), summarize([unknown, *good[2:]]))
        title, body = trigger("process", group_by=[]).render(ends)
        assert title == "app: 1 failed, 1 with unknown status, 4 succeeded"
        assert body.splitlines()[0] == bad.line
        assert body.splitlines()[1] == good[-1].line
        own = trigger("process", title="{{ signal or exit_code }}, {{ outcome }}")
        assert own.render(ends)[0] == "SIGKILL, failure"
        many = merge_summaries(ends, summarize(good * 10))
        assert trigger("process").render(many)[1].startswith(f"{bad.line}\n")


COUNTS = {"builds": 2, "app-errors": 30, "uploads": 5}


class TestDigest:
    def digest(self, reason: str = "budget", counts: dict[str, int] | None = None) -> Digest:
        lines = tuple(f"line {number}" for number in range(20))
        return Digest(reason, counts or COUNTS, NOON - 3600, NOON, lines)

    def test_counts_by_trigger_then_the_last_lines(self):
        title, body = render_digest(self.digest())
        assert title == "37 more from 3 triggers"
        assert body.splitlines() == [
            "Held back by the budget, from 21:13:20 to 22:13:20.",
            *(f"30 {TIMES} app-errors", f"5 {TIMES} uploads", f"2 {TIMES} builds", ""),
            *(f"line {number}" for number in reversed(range(20))),
            "and 17 more",
        ]

    @pytest.mark.parametrize(
        ("reason", "title"),
        [
            ("budget", "4 more from app"),
            ("storm", "4 more from app"),
            ("full", "4 more from app"),
            ("expired", "4 from app expired"),
            ("removed", "4 from app, changed or removed"),
            ("what comes later", "4 more from app"),
        ],
    )
    def test_each_reason_has_its_title(self, reason: str, title: str):
        found, body = render_digest(self.digest(reason, {"app": 4}))
        assert found == title
        assert TIMES not in body  # the title says it

    def test_many_triggers_still_add_up(self):
        counts = {f"t{number:02}": number + 1 for number in range(40)}
        _, body = render_digest(self.digest(counts=counts))
        counts_shown = [
            int(line.split(f" {TIMES} ")[0]) for line in body.splitlines() if f" {TIMES} " in line
        ]
        assert (len(counts_shown), sum(counts_shown)) == (13, sum(counts.values()))

    @pytest.mark.parametrize(
        ("reason", "count", "title"),
        [
            ("mute", 1, "1 message while muted"),
            ("mute", 2, "2 messages while muted"),
            ("budget", 1, "1 more message"),
            ("expired", 3, "3 messages expired"),
        ],
    )
    def test_messages_have_no_trigger(self, reason: str, count: int, title: str):
        found, body = render_digest(self.digest(reason, {"socket": count}))
        assert found == title
        assert TIMES not in body

    def test_a_moment_is_no_span(self):
        one = Digest("mute", {"socket": 1}, NOON, NOON, ("Build finished",))
        assert render_digest(one)[1].splitlines() == [
            "Held back while muted, at 22:13:20.",
            *("", "Build finished"),
        ]

    @pytest.mark.parametrize(("reason", "rest"), [("mute", ["and 2 more"]), ("storm", [])])
    def test_lines_that_are_left_out_are_counted_where_each_is_one(self, reason, rest):
        some = Digest(reason, {"socket": 4}, NOON, NOON, ("Build finished", "Tests finished"))
        assert render_digest(some)[1].splitlines()[2:] == [
            "Tests finished",
            "Build finished",
            *rest,
        ]


def test_the_hosts_zone_is_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(os.environ, "TZ", "Asia/Tokyo")
    time.tzset()
    assert trigger(title="{{ last }}").render(summary())[0] == "07:13:20"
