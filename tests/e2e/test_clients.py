"""The commands on the page of clients do what it says."""

from pathlib import Path

from support.daemon import wait_for
from support.markdown import blocks
from support.ports import free_port
from support.shell import environ, running, shell, wait_for_daemon

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()


def test_clients_of_ntfy_gotify_and_apprise_send_as_shown(tmp_path, platform):
    page = PAGE.replace("8787", str(free_port()))
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    (config,) = blocks(page, "toml")
    folder = tmp_path / ".config/notifyd"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(config)
    token, *commands = blocks(page, "sh")
    shell(token, env)
    with running("notifyd run", env, tmp_path):
        wait_for_daemon(tmp_path)
        for command in commands:
            shell(command, env)
        wait_for(lambda: len(platform.delivered) == 7)
    pushes = [
        (push.get("title", ""), push.get("body", ""), push["data"]["priority"])
        for push in (request.json for request in platform.delivered.values())
    ]
    assert sorted(pushes) == sorted(
        [
            ("", "Backup successful", "default"),
            ("Disk", "/data is 91% full", "high"),
            ("", "all green", "low"),
            ("Backup", "done", "high"),
            ("Backup", "done", "default"),
            ("Backup", "done", "high"),
            ("Backup", "done", "default"),
        ]
    )
