"""For any pattern and any bytes, every match is a candidate."""

import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from notifyd.matching import PatternSet, Scanner, approximate
from support.examples import examples

REAL = [
    r"(?P<level>ERROR|CRITICAL) (?P<msg>.*)",
    r"Traceback",
    r"^(?:\[\])?\s*(?:\S+ )?sshd(?:\[\d+\])?: Failed password for (?P<user>\S*) from",
    r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)? (?P<l>WARN|ERR)",
    r'"[A-Z]+ [^"]+ HTTP/\d\.\d" 5\d\d \d+',
    r'{"level": ?"(?:error|fatal)"',
    r"(?i)\bout of memory\b",
    r"(?i:panic|fatal):? (?P<what>.+)$",
    r"done$",
    r"\Afoo|bar\Z",
    r"(?<!no )error(?!s)",
    r"(\w+) \1",
    r"(?P<q>['\"])(?P<v>.*?)(?P=q)",
    r"\bOOM\b.*?(?P<pid>\d+)",
    r"(?s)a.b",
    r"(?x) disk \s+ full  # spaced out",
    r"naïve|Straße|Ωmega|日本",
    "(?i)\u01c6|\ufb01|ß|k|\u017f",
    r"[^\W\d_]{3,}!",
    r"(a+)+b",
    r"(?>ab|a)c|x*+y",
    r"(q)?(?(1)x|y)z",
    r"\x41\u0142\t",
    r"[\d\-.]+ms",
    r"[^a-z]\S\s\D",
    r"x{2,}y{,3}z{3}",
    "\ufffd",
    r"foo{e<=1}",
    r"[[:alpha:]]+9",
    r"\p{Lu}\p{Ll}+",
    r"^$",
    r"^\s*$",
    r"",
]
LONG_S, KELVIN, DOTLESS, DOTTED = "\u017f", "\u212a", "\u0131", "\u0130"
CLASSES = [r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"[^\s]", r"[\dx]", r"[\W_]", r"[ \x1c]"]
CLASSES += ["[^[:space:]]", "[_[:digit:]]", "[x[:^alpha:]]"]
CLASSES += ["[a-c]", "[^a]", "[é-ü]", "[^é]", f"[{KELVIN}]", f"[^{KELVIN}]"]
EMPTY = [r"\b", r"\B", "^", "$", r"\A", r"\Z", "(?=a)", "(?!b)", "(?<=k)", "(?<!s)"]
LITERALS = [*"abkKsSiI019 é日\ufffd", LONG_S, KELVIN, DOTLESS, r"\.", r"\t", r"\n", r"\x1d", "."]
QUANTIFIERS = ["*", "+", "?", "{2}", "{1,3}", "{,2}", "*?", "++", "{9,}"]


def grown(inner):
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.builds("(?:{}){}".format, inner, st.sampled_from(QUANTIFIERS)),
        st.builds("(?{}:{})".format, st.sampled_from(["i", "s", "a", "i-s", "-i"]), inner),
        st.builds("({})\\1".format, inner),
    )


def compiles(pattern):
    try:
        regex.compile(pattern)
    except (regex.error, ValueError):
        return False
    return True


PATTERNS = st.one_of(
    st.sampled_from(REAL),
    st.builds(
        "{}{}".format,
        st.sampled_from(["", "(?i)", "(?a)", "(?ia)", "(?m)", "(?s)"]),
        st.recursive(st.sampled_from(CLASSES + EMPTY + LITERALS + LITERALS), grown, max_leaves=8),
    ),
)
PIECES = [
    *"abcxyzkKsSiI019 .!\t\r\0é",
    LONG_S,
    KELVIN,
    DOTLESS,
    DOTTED,
    "日本",
    "\x1c",
    "\x1d",
    "\x85",
]
PIECES += [
    "\x85",
    "\u2028",
    "\xa0",
    "ERROR ",
    "done",
    "error",
    "OOM 7",
    "a b",
    "disk  full",
    "naïve",
]
PIECES += ["Straße", "foo", "2024-01-01 "]
BROKEN = [b"\xc3", b"\xe6\x97", b"\xff", b"\n", b"\r\n"]
BYTES = st.one_of(
    st.sampled_from(PIECES).map(str.encode), st.binary(max_size=3), st.sampled_from(BROKEN)
)


def decoded(raw, encoding):
    return raw.removesuffix(b"\r").decode(encoding, "replace")


def expected(patterns, block, encoding):
    """Search every line with the regex module; return line offsets and indexes of patterns."""
    offset, found = 0, []
    for raw in block.removesuffix(b"\n").split(b"\n") if block else []:
        for number, pattern in enumerate(patterns):
            if regex.search(pattern, decoded(raw, encoding)):
                found.append((offset, number))
                break
        offset += len(raw) + 1
    return found


def found(patterns, block, encoding):
    scanner = Scanner([PatternSet("t", tuple(patterns), (), encoding)], cache=None, time_limit=10)
    scan = scanner.scan(bytearray(block), 0, len(block), limit=10_000)
    assert scan.end == len(block)
    return [(hit.offset, hit.pattern) for hit in scan.hits]


@examples(60, 1000)
@given(
    patterns=st.lists(PATTERNS, min_size=1, max_size=3),
    block=st.lists(BYTES, max_size=30).map(b"".join),
    encoding=st.sampled_from(
        ["utf-8", "utf-8", "latin-1", "cp1251", "shift_jis", "gb18030", "big5", "euc_jp"]
    ),
)
@example([r"(?i)kiss"], f"K{DOTLESS}{LONG_S}S\n".encode(), "utf-8")
@example([r"\S"], b"\x1c\n", "utf-8")
@example([r"a.b"], b"a\xe6\x97b", "utf-8")
@example([r"(?a:\d|\s)"], b"\xc2\x85", "utf-8")
def test_the_scanner_finds_what_the_regex_module_finds(patterns, block, encoding):
    assume(all(map(compiles, patterns)))
    assert found(patterns, block, encoding) == expected(patterns, block, encoding)


def test_only_i_k_and_s_equal_a_character_beyond_ascii_when_ignoring_case():
    beyond = "".join(map(chr, [*range(0x80, 0xD800), *range(0xE000, 0x110000)]))
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert {c for c in letters if regex.search(c, beyond, regex.IGNORECASE)} == {"i", "k", "s"}


@pytest.mark.parametrize("pattern", [rf"\{category}" for category in "dwsDWS"])
def test_a_category_finds_every_ascii_character_that_it_matches(pattern):
    block = b"".join(b"%c\n" % code for code in range(0x80) if code != 0x0A)
    assert found([pattern], block, "utf-8") == expected([pattern], block, "utf-8")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"a*", "empty"),
        (r"^$", "empty"),
        (r"foo{e<=1}", "approximate"),
        (r"\p{Lu}", "only the regex module"),
        (r"[[:alpha:]]", "a POSIX class"),
        (r"(?x) a {2}", "verbose"),
    ],
)
def test_a_pattern_that_cannot_be_approximated_has_a_reason(pattern, reason):
    result = approximate(pattern)
    assert result.expression is None
    assert reason in result.reason


def test_an_encoding_with_ascii_inside_characters_is_not_approximated():
    assert "hz" in approximate("x", "hz").reason
    for plain in ("cp1252", "shift_jis", "gb18030"):
        assert approximate("x", plain).expression == approximate("x").expression


def test_optional_ends_are_trimmed():
    assert approximate(r"^.*?\s*foo\d*(?P<rest>.*)$").expression == approximate("foo").expression
