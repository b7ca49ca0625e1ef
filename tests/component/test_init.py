"""`notifyd init`: a first configuration that passes `notifyd check`, and is never overwritten."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from support.command import run


@pytest.fixture
def home():
    """A directory of another user, who cannot enter pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 65534, 65534)
        yield Path(folder)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_what_it_writes_passes_the_check_it_names(tmp_path):
    config = tmp_path / "a b" / "notifyd" / "config.toml"
    wrote = await run("init", "--config", str(config), HOME=str(tmp_path))
    assert (wrote.status, wrote.err) == (0, "")
    first, _, token, _, check = wrote.out.splitlines()
    assert first.startswith(f"wrote {config}: it reports ")
    assert token.strip() == f"notifyd token create --workspace ID --save --config '{config}'"
    assert check.strip() == f"notifyd check --config '{config}' && notifyd run --config '{config}'"
    checked = await run("check", "--config", str(config), HOME=str(tmp_path))
    assert checked.status == 0
    assert checked.out.startswith("ok: 1 trigger; ")


async def test_nothing_is_overwritten(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("# mine\n")
    refused = await run("init", "--config", str(config))
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith(f"{config} exists and is not changed; ")
    assert config.read_text() == "# mine\n"
    dangling = tmp_path / "link.toml"
    dangling.symlink_to(tmp_path / "nowhere")
    assert (await run("init", "--config", str(dangling))).status == 1
    assert not (tmp_path / "nowhere").exists()


async def test_a_token_that_is_there_is_not_asked_for(tmp_path):
    (tmp_path / "send-token").write_text("onp_1\n")
    wrote = await run("init", NOTIFYD_CONFIG=str(tmp_path / "config.toml"), HOME=str(tmp_path))
    assert "token create" not in wrote.out
    assert "  notifyd check && notifyd run\n" in wrote.out


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
async def test_a_user_gets_a_private_file_in_their_home_that_watches_the_disk(home):
    ended = await run("init", uid=65534, HOME=str(home))
    config = home / ".config/notifyd/config.toml"
    assert ended.status == 0, ended.err
    assert mode(config) == 0o600
    assert mode(config.parent) == 0o700
    assert "it reports a full disk\n" in ended.out


async def test_a_place_where_nothing_can_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    refused = await run("init", "--config", str(tmp_path / "file" / "config.toml"))
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.count("\n") == 1
    assert "--config" in refused.err
