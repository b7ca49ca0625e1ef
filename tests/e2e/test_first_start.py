"""A daemon that was just installed: what is missing is reported."""

from support.daemon import PLENTY, wait_for
from support.logs import append


def test_without_a_configuration_file_the_log_says_where_to_create_one(daemon, tmp_path):
    one = daemon("", fresh=True)
    one.config.unlink()
    one.environ["XDG_CONFIG_HOME"] = str(tmp_path)
    one.named = ()
    one.start()
    [line] = [line for line in one.log.read_text().splitlines() if "[warning" in line]
    assert "no configuration file; nothing is watched" in line
    assert f"create {tmp_path}/notifyd/config.toml or /etc/notifyd/config.toml" in line


def test_the_variables_of_a_kubernetes_service_are_ignored_with_one_line(daemon, platform):
    config = "[triggers.app]\ntype = 'log'\npaths = '/x'\npatterns = '(?P<what>.*)'\n"
    one = daemon(f"{PLENTY}{config}title = 'to {{{{ fields.what }}}}'\n")
    one.environ |= {"NOTIFYD_SERVICE_HOST": "10.0.0.1", "NOTIFYD_PORT": "tcp://10.0.0.1:80"}
    one.start()
    [line] = [line for line in one.log.read_text().splitlines() if "environment variables" in line]
    assert "[info" in line
    assert "NOTIFYD_PORT, NOTIFYD_SERVICE_HOST" in line
    assert one.command("test", "app").returncode == 0
    wait_for(lambda: platform.delivered)
    [sent] = platform.delivered.values()
    assert sent.json["title"] == "Test: to what"


def test_a_missing_log_is_reported_until_it_appears(daemon, tmp_path, platform):
    (tmp_path / "logs").mkdir()
    append(tmp_path / "logs" / "there.log", "of old")
    paths = [f"{tmp_path}/logs/{name}" for name in ("app.log", "there.log", "later/*.log")]
    keys = "type = 'log'\npatterns = 'line'\ndebounce = '0s'\ncooldown = '0s'"
    config = f"[triggers.t]\n{keys}\npaths = {paths}\n"
    one = daemon(PLENTY + config).start()

    def log_lines(path):
        lines = one.log.read_text().splitlines()
        return [
            line
            for line in lines
            if any(f"{words} {path}" in line for words in ("log file:", "appeared:", "matches"))
        ]

    def missing_paths():
        [source] = one.ask("GET", "/v1/status")["sources"]
        assert source["problems"] == []
        return source["awaited"]

    assert [len(log_lines(path)) for path in paths] == [1, 0, 1]
    assert missing_paths() == [paths[0], paths[2]]
    assert f"waiting for  {paths[0]}" in one.command("status").stdout
    append(tmp_path / "logs" / "app.log", "line")
    wait_for(lambda: "log file appeared: " in log_lines(paths[0])[-1])
    assert missing_paths() == [paths[2]]
    (tmp_path / "logs" / "later").mkdir()
    append(tmp_path / "logs" / "later" / "x.log", "line")
    wait_for(lambda: "a log file now matches " in log_lines(paths[2])[-1])
    assert missing_paths() == []
    (tmp_path / "logs" / "app.log").unlink()
    append(tmp_path / "logs" / "there.log", "line")
    wait_for(lambda: len(platform.delivered) == 3)
    assert len(log_lines(paths[0])) == 2
