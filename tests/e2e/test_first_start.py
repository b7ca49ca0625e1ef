"""A daemon that was just installed, with what is usually wrong then: said where one looks first."""


def test_without_a_configuration_file_it_is_said_where_one_belongs(daemon, tmp_path):
    one = daemon("")
    one.config.unlink()
    one.environ["XDG_CONFIG_HOME"] = str(tmp_path)
    one.named = ()
    one.start()
    [line] = [line for line in one.log.read_text().splitlines() if "[warning" in line]
    assert "there is no configuration file, so nothing is watched" in line
    assert f"write {tmp_path}/notifyd/config.toml or /etc/notifyd/config.toml" in line
