import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.text.redaction import (
    _ODD_CASES,
    _REDACTIONS,
    _SEPARATOR,
    _WITHOUT_SEPARATOR,
    redact,
    redact_data,
    redact_notification,
)
from support.examples import examples

KEY = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE/abc+\nxyz=\n"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer S3CRET",
        "'authorization': 'Basic S3CRETvalue=='",
        "curl -H 'Authorization: token S3CRET'",
        "bearer S3CRET.with-more_of~it",
        "the token is onp_S3CRETabcdef.",
        "onp_S3CRET-with_more",
        "password=S3CRET",
        "Passwd: S3CRET",
        "pwd = S3CRET",
        "PGPASSWORD=S3CRET psql",
        "DB_PASSWORD='S3CRET with spaces'",
        '{"password": "S3CRET", "user": "me"}',
        r"{\"api_key\": \"S3CRET\"}",
        "api-key: S3CRET",
        "apikey=S3CRET",
        "token=S3CRET",
        "?access_token=S3CRET&page=2",
        "auth_token: S3CRET99",
        '"token": "S3CRET"',
        "client_secret=S3CRET",
        "secret: S3CRET",
        "--password S3CRET",
        "--api-token S3CRET --verbose",
        "curl -u me:S3CRET https://example.com",
        "postgres://me:S3CRET@db:5432/app",
        "redis://:S3CRET@cache",
        "https://S3CRETuser:S3CRET@host/".replace("S3CRETuser", "me"),
        "aws_secret_access_key = S3CRET/abc+def",
        "https://hooks.slack.com/services/S3CRET000/B000/abcdef",
        f"{KEY}S3CRET\n-----END RSA PRIVATE KEY-----",
        f"{KEY}S3CRET and no end",
    ],
)
def test_a_secret_is_masked(text: str):
    assert "S3CRET" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghij_klmnop",
        "glpat-abcdefghij0123456789",
        "xoxb-123456789012-abcdefghijkl",
        "sk_live_abcdefghijklmnop",
        "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
        "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk_lmn-op",
        "123456789:AAabcdefghijklmnopqrstuvwxyz0123456",
    ],
)
def test_a_token_is_recognized_by_its_shape(secret: str):
    assert redact(f"got {secret}, then") == "got ***, then"


@pytest.mark.parametrize(
    "text",
    [
        "invalid token: unexpected '<' at line 1",
        "max_tokens=4096 input_tokens: 12",
        "password is wrong",
        "Password for user me: ",
        "the bearer certificates expired",
        "token_file = /etc/notifyd/send-token",
        "at 12:30:00 the task-runner-with-a-very-long-name ended",
        "https://example.com:8080/path?page=2#top",
        "ssh me@host and mail you@example.com",
        "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "éüñ 🦊 \ud800",
    ],
)
def test_other_text_is_unchanged(text: str):
    assert redact(text) == text


def test_text_around_a_secret_is_unchanged():
    assert redact("a password=x b") == "a password=*** b"
    assert redact("see postgres://me:x@db/app now") == "see postgres://me:***@db/app now"
    assert redact(f"before\n{KEY}-----END RSA PRIVATE KEY-----\nafter") == (
        "before\n-----BEGIN RSA PRIVATE KEY-----***\nafter"
    )


@given(st.text(st.sampled_from("ab:=/@- \n\"'.\\token password")))
def test_masking_twice_changes_nothing_more(text: str):
    assert redact(redact(text)) == redact(text)


PIECES = [
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "http://a:", "a://", "a", "A", "0", " ", "\n"),
    *("bearer ", "bearer a", "eyJ", "eyJaaaaaaaa.", "token:", "token: ", 'password="', "password"),
    *("--a", "--", "-", " -u a", "AKIA", "authorization:", '\\"', 'token\\"', "password:  ", "="),
    *("xox-", "12345678:", "SG.aaaaaaaaaaaaaaaa", "sk-", "secret_key_", "https://hooks.slack.com/"),
]


def cpu_time(text: str) -> float:
    start = time.thread_time()
    redact(text)
    return time.thread_time() - start


def test_the_time_is_proportional_to_the_length():
    """A quadratic pattern takes 256 times as long for 16 times the text."""
    for piece in PIECES:
        times = []
        for length in (4096, 65536):
            text = (piece * length)[: length - 1] + "…"
            times.append(min(cpu_time(text) for _ in range(3)))
        assert times[1] < max(times[0], 0.002) * 64, piece


@pytest.mark.parametrize(
    ("data", "masked"),
    [
        ({"url": "postgres://me:x@db/app"}, {"url": "postgres://me:***@db/app"}),
        ({"DB_PASSWORD": "abc", "user": "me"}, {"DB_PASSWORD": "***", "user": "me"}),
        (
            {"apiKey": "abc", "access_token": "", "token": 7},
            {"apiKey": "***", "access_token": "", "token": 7},
        ),
        ({"token_count": "12", "tokens_used": "3"}, {"token_count": "12", "tokens_used": "3"}),
        (
            {"credentials": {"user": "me", "ids": ["a", 1]}},
            {"credentials": {"user": "***", "ids": ["***", 1]}},
        ),
        (
            {"a": [{"secret": "b"}, "password=c", None]},
            {"a": [{"secret": "***"}, "password=***", None]},
        ),
        ({"password=x": 1}, {"password=***": 1}),
    ],
)
def test_data_is_masked_by_its_content_and_its_keys(data: object, masked: object):
    assert redact_data(data) == masked


def test_deeply_nested_data_ends_in_a_mask():
    deep: dict[str, object] = {"a": "b"}
    for _ in range(10_000):
        deep = {"a": [deep]}
    text = str(redact_data(deep))
    assert text.count("***") == 1
    assert text.count("{") == 32


@pytest.mark.parametrize("rule", [rule for rule in _REDACTIONS if rule.hints is not None])
@given(data=st.data())
def test_what_a_rule_masks_contains_one_of_its_hints(rule, data):
    text = data.draw(st.from_regex(rule.pattern))
    found = rule.pattern.search(text)
    if found is not None and not _ODD_CASES.search(text):
        assert is_hinted(found[0], rule)
        assert _SEPARATOR.search(found[0]) or rule in _WITHOUT_SEPARATOR


@given(data=st.data())
@examples(100, 2000)
def test_a_notification_is_masked_like_each_of_its_texts(data):
    texts = st.sampled_from(_REDACTIONS).flatmap(lambda rule: st.from_regex(rule.pattern))
    words = st.sampled_from(["password", "TOKEN", "gh…", "\u017fecret", ""])
    text = st.one_of(st.text(), texts, words)
    values = st.one_of(text, text, text, st.integers(), st.lists(text, max_size=2))
    title, body = data.draw(text), data.draw(text)
    fields = data.draw(st.dictionaries(text, values, max_size=3))
    assert redact_notification(title, body, fields) == (
        redact(title),
        redact(body),
        redact_data(fields),
    )


def test_each_rule_has_hints():
    assert all(rule.hints for rule in _REDACTIONS)


def is_hinted(text, rule):
    return rule.may_match(text.casefold())


def test_letters_that_fold_to_others_do_not_hide_a_secret():
    assert redact("pa\u017f\u017fword=S3CRET") == "pa\u017f\u017fword=***"
    assert redact("to\u212aen=S3CRET") == "to\u212aen=***"


@pytest.mark.parametrize("letter", ["\u0130", "\u0131"])
def test_letters_that_only_patterns_take_for_others_hide_no_credential(letter):
    assert "abcdef" not in redact(f"author{letter}zation: abcdef")
