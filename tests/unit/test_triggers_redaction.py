"""A credential is masked wherever it is, also where a cut goes through it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import LogTriggerConfig
from notifyd.matching.verifier import CUT_MARK
from notifyd.model.events import Event
from notifyd.shaping.summaries import extend_digest, merge_summaries, new_digest, summarize_one
from notifyd.text.redaction import redact
from notifyd.triggers import Trigger, render_digest
from support.examples import examples

SECRET = "hunter2hunter2Wq81"
AWS = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab"
SHAPES = [
    ("postgres://app:{}@db.internal:5432/app", SECRET),
    ("redis://:{}@cache", SECRET),
    ("password={}", SECRET),
    ("DB_PASSWORD='two words {}'", SECRET),
    ('{{"api_key": "{}"}}', SECRET),
    ("Authorization: Bearer {}", SECRET),
    ("bearer {}", SECRET),
    ("token: {}", SECRET),
    ("curl -u me:{} https://example.com", SECRET),
    ("--password {}", SECRET),
    ("ghp_{}", "q7Rz" * 9),
    ("npm_{}", "q7Rz" * 9),
    ("xoxb-{}", "123456789012-abcdef"),
    ("sk-{}", "ant-api03-" + "q7Rz" * 5),
    ("AIza{}", "SyAq7RzbcdefghijkLmnopqrstu0v1w2x3y"),
    ("SG.{}", "q7Rz" * 5 + "." + "w8Tx" * 10),
    ("ASIAIOSFODNN7EXAMPLE {}", AWS),
    ("aws_secret_access_key = {}", AWS),
    ("eyJhbGciOiJIUzI1NiJ9.{}", "eyJzdWIiOiIxMjM0In0.abcdefghijk_lmn-op"),
    ("-----BEGIN RSA PRIVATE KEY-----\n{}", "MIIEowIBAAKCAQEAq7Rz"),
]
PREFIX = 5
"""Characters of a secret that may be shown."""


def trigger(**keys: object) -> Trigger:
    config = LogTriggerConfig.model_validate({"paths": "/x", "patterns": "(?P<msg>.*)"} | keys)
    return Trigger("app", config, ShapingConfig(), redact=redact)


TRIGGERS = (
    trigger(group_by="msg"),
    trigger(title="{{ fields.msg }}", body="{{ fields.msg[:300] }}|{{ line[:200] }}"),
    trigger(title="{{ lines[:2] | join('|') }}", body="{{ first_line[-50:] }}{{ 1 / 0 }}"),
)


def event(line: str, most: int = 64 << 10) -> Event:
    """Return an event as the log source does: its fields come from the part before the cut."""
    seen = line[:most]
    return Event("app", 0.0, seen if seen == line else seen + CUT_MARK, "/x", {"msg": seen})


def leaks(secret: str, texts: tuple[str, str]) -> bool:
    """Whether a part of the secret can be read, also after another redaction."""
    shown = "\n".join(redact(text) for text in texts)
    return secret[: PREFIX + 1] in shown or secret[-PREFIX - 1 :] in shown


@given(
    st.sampled_from(SHAPES),
    st.sampled_from(["x", "x ", "päd ", "=", '"a": 1, ']),
    st.integers(0, 2100) | st.integers(1900, 2010) | st.integers(150, 360),
    st.sampled_from([80, 200, 2000, 64 << 10]) | st.integers(80, 2100),
)
@examples(40, 1000)
@example(SHAPES[0], "x", 1995 - len("postgres://app:") - 5, 64 << 10)
@example(SHAPES[0], "x", 1996 - len("postgres://app:hunter2"), 1996)
def test_a_credential_never_leaves(shape: tuple[str, str], filler: str, padding: int, most: int):
    form, secret = shape
    pad = (filler * padding)[:padding]
    line = f"{pad} {form.format(secret)} and {filler * 2000}"
    first = summarize_one(event(line, most))
    several = merge_summaries(
        merge_summaries(first, summarize_one(event("another"))), summarize_one(event(line, most))
    )
    for summary in (first, several):
        for own in TRIGGERS:
            assert not leaks(secret, own.render(summary))
        digest = extend_digest(new_digest("budget", 0.0), {"app": 3}, 0.0, summary.lines)
        assert not leaks(secret, render_digest(digest, 0.0, redact))


@examples(30, 1000)
@given(st.sampled_from(SHAPES), st.integers(7900, 8000))
def test_nor_if_only_the_beginning_of_a_text_is_redacted(shape: tuple[str, str], padding: int):
    form, secret = shape
    line = f"{'password=' + 'x' * 4000} {'y ' * 4000}"[: padding - 20] + f" {form.format(secret)}"
    assert not leaks(secret, (redact(f"{line} and more {'z ' * 4000}"), ""))


@pytest.mark.parametrize("text", ["it goes on…", "see http://host/x…", "saved to ~/a… (cut)", "…"])
def test_text_that_was_cut_elsewhere_stays(text: str):
    assert redact(text) == text


def test_without_redaction_everything_is_shown():
    config = LogTriggerConfig.model_validate({"paths": "/x", "patterns": "x"})
    assert (
        "password=x"
        in Trigger("app", config, ShapingConfig()).render(summarize_one(event("password=x")))[1]
    )
    digest = extend_digest(new_digest("budget", 0.0), {"app": 1}, 0.0, ["password=x"])
    assert "password=x" in render_digest(digest)[1]


def test_paths_and_facts_are_masked_too():
    own = trigger(title="{{ cmdline }}", body="{{ path }} {{ paths[0] }} {{ pid + 1 }}")
    seen = event("x")._replace(
        path="/srv/token=abc", facts={"cmdline": "psql postgres://a:bcd@db", "pid": "41"}
    )
    assert own.render(summarize_one(seen)) == (
        "psql postgres://a:***@db",
        "/srv/token=*** /srv/token=*** 42",
    )
