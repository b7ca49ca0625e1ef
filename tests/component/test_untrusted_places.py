"""Files and directories that other users own or may write to."""

import os
import tempfile
from pathlib import Path

import pytest

from notifyd.config.load import load
from notifyd.config.token import TokenSource
from notifyd.matching.hyperscan_database import load_or_compile
from notifyd.model.errors import ConfigError, StoreError, TokenError
from notifyd.model.ownership import describe_untrusted
from notifyd.outbox.location import check_directory
from notifyd.outbox.store import OutboxStore

NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files away")
lends = pytest.mark.parametrize(
    ("lend", "words"),
    [
        (lambda path: os.chown(path, NOBODY, 0), "belongs to user nobody; run chown 0"),
        (lambda path: path.chmod(0o777), "every user may change"),
        (lambda path: (os.chown(path, 0, NOBODY), path.chmod(0o770)), "group nogroup may change"),
    ],
    ids=["owner", "everyone", "group"],
)


@pytest.fixture
def public_folder():
    """A folder that other users can read, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def opened(folder):
    async def open_and_close():
        async with OutboxStore(folder):
            pass

    return open_and_close()


@root_only
@lends
async def test_root_uses_no_state_directory_that_others_may_change(tmp_path, lend, words):
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    lend(folder)
    with pytest.raises(StoreError, match="not used as root") as refusal:
        await opened(folder)
    assert words in str(refusal.value)
    assert list(folder.iterdir()) == []


@root_only
@lends
def test_root_reads_no_configuration_that_others_may_change(tmp_path, lend, words):
    main, drop_in = tmp_path / "config.toml", tmp_path / "config.d" / "a.toml"
    drop_in.parent.mkdir()
    for file in (main, drop_in):
        file.write_text("[log]\n")
    load(main, {})
    lend(drop_in)
    with pytest.raises(ConfigError, match=r"config\.d/a\.toml: not read as root") as refusal:
        load(main, {})
    assert words in str(refusal.value)


@root_only
@lends
def test_root_uses_no_token_that_others_may_change(tmp_path, lend, words):
    file = tmp_path / "token"
    file.write_text("onp_1")
    lend(file)
    with pytest.raises(TokenError, match="as root") as refusal:
        TokenSource("the file", path=file).read()
    assert words in str(refusal.value)


@root_only
def test_others_than_root_are_warned(public_folder):
    main, token, state = (
        public_folder / "config.toml",
        public_folder / "token",
        public_folder / "state",
    )
    main.write_text("[log]\n")
    token.write_text("onp_1")
    state.mkdir()
    for path in (main, token, state):
        path.chmod(0o777)
    os.seteuid(NOBODY)
    try:
        (config_warning,) = load(main, {}).warnings
        source = TokenSource("the file", path=token)
        assert source.read().get_secret_value() == "onp_1"
        token_warning, state_warning = source.warning, check_directory(state)
    finally:
        os.seteuid(0)
    assert config_warning.startswith(f"config.toml: not safe: every user may change {main}")
    assert f"every user may change {token}; run chmod o-w" in token_warning
    assert f"every user may change {state}" in state_warning


async def test_a_planted_link_in_place_of_the_lock_is_not_followed(tmp_path):
    target, folder = tmp_path / "target", tmp_path / "state"
    target.write_text("precious")
    folder.mkdir(0o700)
    (folder / "lock").symlink_to(target)
    with pytest.raises(StoreError, match="lock is a link"):
        await opened(folder)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("kind", ["pipe", "directory", "link"])
async def test_what_is_no_database_is_one_sentence(tmp_path, kind):
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    path, target = folder / "notifyd.db", tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(target)
    with pytest.raises(StoreError, match="is not a regular file; move it away"):
        await opened(folder)
    assert not target.exists()


def test_compiled_patterns_that_others_could_have_written_are_compiled_anew(tmp_path):
    load_or_compile([b"one.*two"], [1], tmp_path)
    (cached,) = tmp_path.glob("*.hsdb")
    own = cached.read_bytes()
    load_or_compile([b"one.*two"], [1], tmp_path)
    assert cached.read_bytes() == own
    load_or_compile([b"three.*four"], [1], tmp_path)
    (other,) = set(tmp_path.glob("*.hsdb")) - {cached}
    forged = other.read_bytes()
    cached.write_bytes(forged)
    cached.chmod(0o666)
    load_or_compile([b"one.*two"], [1], tmp_path)
    assert cached.read_bytes() not in (forged, b"")
    assert not describe_untrusted(cached, cached.stat())
