"""Masks credentials in text and data."""

import re
from collections.abc import Iterable
from typing import NamedTuple, cast

from notifyd.model.notifications import Json
from notifyd.text.limits import ELLIPSIS

_MASK = "***"
_MAX_LENGTH = 8000
"""Characters that are searched: far more than a notification shows."""
_MAX_DEPTH = 64
_TRUNCATED = r"(?=…[ (cut)…]{0,7}\Z)"
"""The end of a truncated text; it may have been truncated twice."""
_START = r"(?<![A-Za-z0-9])"
_SENSITIVE_NAMES = (
    r"(?:pass(?:word|wd|phrase)|pwd|api[_-]?key|secret[_-]?key(?:[_-]base)?|access[_-]?key"
    r"|private[_-]?key|auth[_-]?key|client[_-]?secret|secret|credentials?)"
)
_VALUE = r"""(?:"[^"\n]{1,512}"?|'[^'\n]{1,512}'?|(?:\\["'])?[^\s"'`,;&<>\\]{1,4096})"""
_QUOTE = r"""(?:\\?["'])?"""
_AWS = r"(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}"
_USER = r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@?#\"'<>]{0,128}:)"
_TOKEN_SHAPES = (
    r"gh[pousr]_[A-Za-z0-9]{20,}+",
    r"github_pat_[A-Za-z0-9_]{20,}+",
    r"glpat-[\w-]{16,}+",
    r"xox[a-z]-[A-Za-z0-9-]{8,}+",
    r"xapp-[A-Za-z0-9-]{8,}+",
    r"[srp]k_(?:live|test)_[A-Za-z0-9]{8,}+",
    r"sk-[A-Za-z0-9_-]{20,}+",
    r"AIza[\w-]{30,}+",
    r"ya29\.[\w-]{20,}+",
    r"npm_[A-Za-z0-9]{30,}+",
    r"pypi-[\w-]{40,}+",
    r"hf_[A-Za-z0-9]{30,}+",
    r"dop_v1_[a-f0-9]{32,}+",
    r"shp(?:at|ss)_[a-fA-F0-9]{32}",
    r"SG\.[\w-]{16,64}\.[\w-]{16,}+",
    r"AGE-SECRET-KEY-1[A-Z0-9]{20,}+",
    r"[0-9]{8,10}:AA[\w-]{30,}+",
)
_SHAPE_HINTS = (
    "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xox xapp- k_live_ k_test_ sk- aiza ya29. npm_"
    " pypi- hf_ dop_v1_ shpat_ shpss_ sg. age-secret-key-1 :aa"
)
_UNSEPARATED_HINTS = frozenset({"bearer", "akia", "aiza"})
_NAME_HINTS = "pass pwd key secret credential"


class _Redaction(NamedTuple):
    """hints: case-folded texts; each match contains one. None: the pattern is always tried."""

    pattern: re.Pattern[str]
    replacement: str
    hints: tuple[str, ...] | None

    def may_match(self, folded: str) -> bool:
        """Return False if a case-folded text contains no match."""
        if self.hints is None:
            return True
        for hint in self.hints:  # noqa: SIM110 - any() takes three times as long
            if hint in folded:
                return True
        return False


def _redaction(*parts: str, keep: str = "", then: str = "", hints: str | None = None) -> _Redaction:
    """hints: separated by blanks."""
    found = None if hints is None else tuple(hints.split())
    return _Redaction(re.compile("".join(parts)), f"{keep}{_MASK}{then}", found)


# Every repeat is bounded, possessive or at the end of its pattern, so that no text is slow.
_REDACTIONS: tuple[_Redaction, ...] = (
    # A private key, up to its end or the end of the text.
    _redaction(
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)(?:[^-]|-(?!----))*+",
        r"(?:-----END[A-Z0-9 ]{0,60}-----)?",
        keep=r"\1",
        hints="-----begin",
    ),
    # scheme://user:password@host
    _redaction(
        _USER,
        r"[^\s/@\"'<>]{1,256}@",
        keep=r"\1",
        then="@",
        hints="://",
    ),
    _redaction(
        r"(?i)\b((?:proxy-)?authorization\b[\"']?\s{0,4}[=:]\s{0,4}[\"']?",
        r"(?:(?:bearer|basic|token|digest)\s{1,4})?)[^\s\"',;]{3,}+",
        keep=r"\1",
        hints="authorization",
    ),
    # But not "the bearer certificates".
    _redaction(
        r"(?i)\b(bearer\s{1,4})(?=[a-z._~+/=-]{0,64}[0-9]|[a-z._~+/=-]{16})",
        r"[a-z0-9._~+/=-]{6,}+",
        keep=r"\1",
        hints="bearer",
    ),
    _redaction(_START, r"onp_[A-Za-z0-9_-]{4,}+", hints="onp_"),
    # An AWS key id with the secret that follows it.
    _redaction(
        _START,
        _AWS,
        r"(?:[^A-Za-z0-9]{1,8}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?",
        hints="akia asia agpa aida aroa aipa anpa anva abia acca",
    ),
    _redaction(_START, "(?:", "|".join(_TOKEN_SHAPES), ")", hints=_SHAPE_HINTS),
    _redaction(
        r"(https://hooks\.slack\.com/(?:services|workflows)/)[\w/-]{8,}+",
        keep=r"\1",
        hints="hooks.slack.com",
    ),
    # A JSON Web Token.
    _redaction(r"(?<![\w-])eyJ[\w-]{8,4096}+\.[\w-]{8,4096}+(?:\.[\w-]*+)?", hints="eyj"),
    # password=…, "api_key": "…", token=…
    _redaction(
        rf"(?i)({_SENSITIVE_NAMES}{_QUOTE}\s{{0,4}}(?:=>|:=|[=:])\s{{0,4}}){_VALUE}",
        keep=r"\1",
        hints=_NAME_HINTS,
    ),
    _redaction(
        rf"(?i)(token{_QUOTE}\s{{0,4}}(?:=>|:=|=)\s{{0,4}}){_VALUE}", keep=r"\1", hints="token"
    ),
    # token: …, but not "invalid token: unexpected".
    _redaction(
        rf"(?i)(token{_QUOTE}\s{{0,4}}:\s{{0,4}})(?=\\?[\"']|\S{{0,64}}[0-9]){_VALUE}",
        keep=r"\1",
        hints="token",
    ),
    # --password …, curl -u user:…
    _redaction(
        rf"(?i)((?<!-)--[a-z-]{{0,20}}(?:{_SENSITIVE_NAMES}|token)\s{{1,4}}){_VALUE}",
        keep=r"\1",
        hints="--",
    ),
    _redaction(r"((?<!\S)(?:-u|--user)[ =]{1,4}[^\s:]{1,128}:)\S{1,256}", keep=r"\1", hints="-u"),
)


# Credentials that the rules above miss because they are truncated. Only truncated text ends in `…`.
_TRUNCATED_REDACTIONS: tuple[_Redaction, ...] = (
    _redaction(_USER, r"[^\s/@\"'<>…]{1,256}+", _TRUNCATED, keep=r"\1"),
    _redaction(_START, _AWS, r"[^A-Za-z0-9…]{1,8}[A-Za-z0-9/+]{1,39}+", _TRUNCATED),
    _redaction(
        _START,
        r"(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|[srp]k_(?:live|test)_|sk-|AIza|ya29\.",
        r"|npm_|pypi-|hf_|dop_v1_|shp(?:at|ss)_|SG\.|AGE-SECRET-KEY-1|[0-9]{8,10}:AA|onp_)",
        r"[\w.-]{0,128}+",
        _TRUNCATED,
    ),
    _redaction(r"(?<![\w-])eyJ[\w-]{0,4096}+(?:\.[\w-]{0,7})?", _TRUNCATED),
    _redaction(r"(?i)\b(bearer\s{1,4})[a-z0-9._~+/=-]{1,64}+", _TRUNCATED, keep=r"\1"),
    _redaction(
        rf"(?i)(token{_QUOTE}\s{{0,4}}:\s{{0,4}}{_QUOTE})[^\s\"'…]{{1,128}}+",
        _TRUNCATED,
        keep=r"\1",
    ),
    _redaction(
        r"(https://hooks\.slack\.com/(?:services|workflows)/)[\w/-]{1,8}+", _TRUNCATED, keep=r"\1"
    ),
)
_SEPARATOR = re.compile("[:=_.-]")
_WITHOUT_SEPARATOR = tuple(
    rule for rule in _REDACTIONS if rule.hints and _UNSEPARATED_HINTS.intersection(rule.hints)
)
"""The rules that can match a text without these characters."""
_ODD_CASES = re.compile("[\u0130\u0131\u017f\u212a]")
"""Letters that a pattern takes for i, s or k when it ignores case, and that fold to others."""
_HINTS = tuple(dict.fromkeys(hint for rule in _REDACTIONS for hint in rule.hints or ()))
"""A text without any of them, not truncated, has no credential, and no key of `_SECRET_KEY`."""
_SECRET_KEY = re.compile(rf"(?i)(?:{_SENSITIVE_NAMES}|token)\Z")


def redact(text: str) -> str:
    """Mask what looks like a credential, and truncate a text that is longer than could be shown.

    In a text that ends with `…` a truncated credential is masked too. The time is proportional to
    the length of the text.
    """
    if len(text) > _MAX_LENGTH:
        text = text[:_MAX_LENGTH] + ELLIPSIS
    rules = _REDACTIONS if ELLIPSIS not in text[-8:] else (*_TRUNCATED_REDACTIONS, *_REDACTIONS)
    folded = None if _ODD_CASES.search(text) else text.casefold()
    if folded is not None and rules is _REDACTIONS and not _SEPARATOR.search(text):
        rules = _WITHOUT_SEPARATOR
    for rule in rules:
        if folded is None or rule.may_match(folded):
            text = rule.pattern.sub(rule.replacement, text)
    return text


def redact_notification(title: str, body: str, data: Json) -> tuple[str, str, Json]:
    """Mask credentials in all of a notification."""
    if _may_hold_credentials(title, body, data):
        return redact(title), redact(body), redact_data(data)
    return title, body, data


def _may_hold_credentials(title: str, body: str, data: Json) -> bool:
    """Return False if there is nothing to mask for sure, after one look at all the texts."""
    try:
        text = "\n".join((title, body, *data, *cast("Iterable[str]", data.values())))
    except TypeError:  # not all values are texts
        return True
    if len(text) > _MAX_LENGTH or ELLIPSIS in text or _ODD_CASES.search(text):
        return True
    folded = text.casefold()
    for hint in _HINTS:  # noqa: SIM110 - any() takes three times as long
        if hint in folded:
            return True
    return False


def redact_data(data: Json) -> Json:
    """Mask credentials in a caller's data, and all text below a key such as `password`."""
    return {redact(key): _redact_value(value, key, 1) for key, value in data.items()}


def _redact_value(value: object, key: str, depth: int, *, secret: bool = False) -> object:
    secret = secret or bool(_SECRET_KEY.search(key))
    match value:
        case str():
            return _MASK if secret and value else redact(value)
        case dict() | list() if depth == _MAX_DEPTH:
            return _MASK
        case dict():
            return {
                redact(name): _redact_value(item, name, depth + 1, secret=secret)
                for name, item in value.items()
            }
        case list():
            return [_redact_value(item, "", depth + 1, secret=secret) for item in value]
    return value
