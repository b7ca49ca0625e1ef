import os
from pathlib import Path

import pytest

from notifyd.config.sections import ApiConfig
from notifyd.config.token import VARIABLES, TokenSource, find_token, remove_token
from notifyd.model.errors import NoTokenError, TokenError
from notifyd.model.user import effective_user

TOKEN = "onp_abcdefgh"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


def refusal(source: TokenSource) -> str:
    with pytest.raises(TokenError) as error:
        source.read()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_file_beats_the_credential_which_beats_the_environment(tmp_path: Path, file: Path):
    (tmp_path / "send-token").write_text("credential")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "NOTIFYD_SEND_TOKEN": "variable"}
    source = find_token(ApiConfig(token_file=file), environ)
    assert (source.read().get_secret_value(), source.path) == (TOKEN, file)
    source = find_token(ApiConfig(), environ)
    assert source.read().get_secret_value() == "credential"
    assert source.path == tmp_path / "send-token"
    (tmp_path / "send-token").unlink()
    source = find_token(ApiConfig(), environ)
    assert (source.read().get_secret_value(), source.path) == ("variable", None)


def test_the_variables_are_tried_in_order():
    environ = {name: name.lower() for name in reversed(VARIABLES)}
    for name in VARIABLES:
        source = find_token(ApiConfig(), environ)
        assert source.read().get_secret_value() == name.lower()
        assert name in source.name
        environ[name] = ""


def test_a_changed_file_is_read_again(file: Path):
    source = find_token(ApiConfig(token_file=file), {})
    source.read()
    file.write_text("another")
    assert source.read().get_secret_value() == "another"


def test_without_a_token_the_error_names_the_three_ways_to_set_one(tmp_path: Path):
    source = find_token(ApiConfig(), {"NOTIFYD_SEND_TOKEN": ""}, (tmp_path / "config.toml",))
    sentence = refusal(source)
    for way in (f"{tmp_path}/send-token", "token_file", "NOTIFYD_SEND_TOKEN"):
        assert way in sentence


def test_the_file_beside_the_configuration_beats_the_environment(tmp_path: Path):
    files = (tmp_path / "config.d" / "a.toml",)
    environ = {"NOTIFYD_SEND_TOKEN": "variable", "HOME": "/nonexistent"}
    assert find_token(ApiConfig(), environ, files).read().get_secret_value() == "variable"
    (tmp_path / "send-token").write_text(TOKEN)
    source = find_token(ApiConfig(), environ, files)
    assert (source.read().get_secret_value(), source.path) == (TOKEN, tmp_path / "send-token")


def test_an_awaited_token_whose_path_cannot_be_looked_up_is_none_yet(tmp_path: Path):
    too_long = TokenSource("the file", path=tmp_path / ("x" * 300) / "token", awaited=True)
    with pytest.raises(NoTokenError, match="there is no send token"):
        too_long.read()


def test_a_token_that_comes_later_is_read_where_it_was_awaited(tmp_path: Path):
    source = find_token(ApiConfig(), {}, (tmp_path / "config.toml",))
    with pytest.raises(NoTokenError):
        source.read()
    (tmp_path / "send-token").write_text(TOKEN)
    assert source.read().get_secret_value() == TOKEN


def test_a_missing_file_is_an_error_although_another_source_is_set(tmp_path: Path):
    source = find_token(ApiConfig(token_file=tmp_path / "gone"), {"NOTIFYD_SEND_TOKEN": TOKEN})
    assert f"{tmp_path}/gone" in refusal(source)
    assert "No such file" in refusal(source)
    assert refusal(source).endswith(f"store it there, readable only by user {effective_user()}")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_the_error_for_a_file_of_another_user_says_how_to_fix_it(file: Path):
    for directory in list(file.parents)[:-2]:
        directory.chmod(directory.stat().st_mode | 0o055)
    file.chmod(0o600)
    os.seteuid(12345)
    try:
        sentence = refusal(find_token(ApiConfig(token_file=file), {}))
    finally:
        os.seteuid(0)
    assert sentence.endswith(f"grant user 12345 read access: run `chown 12345 {file}` as root")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("one two", "spaces"),
        ("one\ntwo", "line breaks"),
        ("tök\u200ben", "characters that are not allowed"),
        ("a\x1b[0m", "characters that are not allowed"),
        ("x" * 10_000, "larger than 8192 bytes"),
    ],
)
def test_invalid_content_is_refused_and_not_shown(file: Path, content: str, words: str):
    file.write_text(content)
    sentence = refusal(find_token(ApiConfig(token_file=file), {}))
    assert words in sentence
    assert not content.strip() or content.strip()[:5] not in sentence.replace(str(file), "")


@pytest.mark.parametrize("content", [f"\ufeff{TOKEN}", f"\ufeff{TOKEN}\r\n", f"{TOKEN}\r"])
def test_a_byte_order_mark_and_a_trailing_cr_are_dropped(file: Path, content: str):
    file.write_bytes(content.encode())
    assert find_token(ApiConfig(token_file=file), {}).read().get_secret_value() == TOKEN


def test_a_fifo_is_refused_without_blocking(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    sentence = refusal(find_token(ApiConfig(token_file=tmp_path / "pipe"), {}))
    assert "not a regular file" in sentence


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 0), (0o644, 1)])
def test_a_world_readable_file_is_warned_about(file: Path, mode: int, warned: int):
    file.chmod(mode)
    assert bool(find_token(ApiConfig(token_file=file), {}).warning) == warned


def test_no_representation_of_the_source_shows_the_token(file: Path):
    for source in (
        find_token(ApiConfig(), {"SEND_TOKEN": TOKEN}),
        find_token(ApiConfig(token_file=file), {}),
    ):
        assert TOKEN not in f"{source!r} {source.name} {source.read()!r} {source.read()}"


def test_the_token_is_removed_from_the_environment():
    environ = dict.fromkeys(VARIABLES, TOKEN) | {"PATH": "/bin"}
    remove_token(environ)
    assert environ == {"PATH": "/bin"}
