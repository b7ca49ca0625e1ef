import os
import socket
from pathlib import Path

import pytest

from notifyd.config import files
from notifyd.config.load import LoadedConfig, load
from notifyd.model.errors import ConfigError

FILE = '[triggers.{name}]\ntype = "file"\npaths = "/x"\n'


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "config.d").mkdir()
    return tmp_path


def problems(*args: object) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load(*args)  # type: ignore[arg-type] # passed through
    return refusal.value.problems


def write(directory: Path, **contents: str) -> Path:
    for name, content in contents.items():
        file = "config.toml" if name == "main" else f"config.d/{name}.toml"
        (directory / file).write_text(content)
    return directory / "config.toml"


class TestFinding:
    def test_the_named_file_beats_all_others(self, tmp_path: Path):
        named, variable = tmp_path / "a.toml", tmp_path / "b.toml"
        named.write_text('[log]\nlevel = "debug"\n')
        variable.write_text('[log]\nlevel = "error"\n')
        environ = {"NOTIFYD_CONFIG": str(variable)}
        assert load(named, environ).settings.log.level == "debug"
        assert load(None, environ).settings.log.level == "error"

    def test_then_the_directory_of_the_user_then_that_of_the_system(self, tmp_path: Path):
        user, system = tmp_path / "xdg/notifyd", tmp_path / "etc"
        for directory in (user, system):
            directory.mkdir(parents=True)
            (directory / "config.toml").touch()
        environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
        assert files.find_config_file(None, environ, system) == user / "config.toml"
        assert files.find_config_file(None, {}, system) == system / "config.toml"

    def test_the_home_directory_is_used_without_xdg_config_home(self, tmp_path: Path):
        file = tmp_path / ".config/notifyd/config.toml"
        file.parent.mkdir(parents=True)
        file.touch()
        environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"}
        assert files.find_config_file(None, environ, tmp_path / "etc") == file

    def test_drop_ins_alone_are_a_configuration(self, directory: Path):
        write(directory, **{"10": '[log]\nlevel = "debug"\n'})
        assert files.find_config_file(None, {}, directory) == directory / "config.toml"
        assert files.list_files(directory / "config.toml") == [directory / "config.d/10.toml"]

    def test_without_a_file_there_is_no_configuration(self, tmp_path: Path):
        assert files.find_config_file(None, {"HOME": str(tmp_path)}, tmp_path) is None

    @pytest.mark.parametrize("by", ["--config", "NOTIFYD_CONFIG"])
    def test_a_missing_named_file_is_an_error(self, tmp_path: Path, by: str):
        path = tmp_path / "config.toml"
        args = (path, {}) if by == "--config" else (None, {"NOTIFYD_CONFIG": str(path)})
        assert problems(*args) == [f"{path}: no such file (given by {by})"]


class TestDropIns:
    def test_are_merged_recursively_in_name_order(self, directory: Path):
        main = write(
            directory,
            main='[log]\nlevel = "debug"\n[budget]\nmax = 5\nper = "5m"\n',
            **{"20": "[budget]\nmax = 7\n", "10": "[budget]\nmax = 6\n" + FILE.format(name="b")},
        )
        (directory / "config.d/.30.toml").write_text("broken by an editor")
        (directory / "config.d/30.toml~").write_text("broken by an editor")
        loaded = load(main, {})
        assert isinstance(loaded, LoadedConfig)
        assert (loaded.settings.budget.max, loaded.settings.budget.per) == (7, 300.0)
        assert loaded.settings.log.level == "debug"
        assert [*loaded.settings.triggers] == ["b"]
        assert [file.name for file in loaded.files] == ["config.toml", "10.toml", "20.toml"]

    def test_a_trigger_defined_twice_is_an_error_that_names_both_files(self, directory: Path):
        trigger = FILE.format(name='"a.b"')
        main = write(directory, main=trigger, **{"10-x": trigger})
        assert problems(main, {}) == [
            (
                'config.d/10-x.toml: triggers."a.b": already defined in config.toml; '
                "rename one of them"
            )
        ]

    def test_each_error_names_its_file(self, directory: Path):
        main = write(
            directory,
            main="[budget]\nmax = 5\n",
            **{
                "10": '[budget]\nper = 3\n[log]\nlevle = "info"\n',
                "20": '[triggers.a]\ntype = "file"\n',
            },
        )
        assert problems(main, {}) == [
            (
                'config.d/10.toml: budget.per: invalid duration "3": add a unit, '
                "for example \"3m\" (got '3')"
            ),
            "config.d/10.toml: log.levle: unknown key; did you mean 'level'? (got 'info')",
            "config.d/20.toml: triggers.a.paths: required key is missing",
        ]

    def test_a_broken_file_does_not_hide_the_errors_of_others(self, directory: Path):
        main = write(
            directory,
            main="[budget]\nmax = 0\n",
            **{"10": "[log\n", "20": "x = [1,\n", "30": "[text]\nredact = 5\n"},
        )
        assert problems(main, {}) == [
            "config.d/10.toml: line 1, column 5: expected ']' at the end of a table declaration",
            "config.d/20.toml: line 2, column 1: invalid value",
            "config.toml: budget.max: must be at least 1 (got '0')",
            "config.d/30.toml: text.redact: must be true or false (got '5')",
        ]


class TestReading:
    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (
                "[[x]]\n[api]\n[log]\n[api]\n",
                "line 4, column 5: [api] is defined twice, first in line 2; write its keys there",
            ),
            (
                '[triggers."a b"]\n[triggers."a b"]\n',
                (
                    'line 2, column 16: [triggers."a b"] is defined twice, first in line 1; '
                    "write its keys there"
                ),
            ),
            (
                "[[api]]\n[api]\n",
                "line 2, column 5: [api] is defined twice; write its keys in one place",
            ),
            (
                "[api.a]\n[api]\na.b = 1\n",
                (
                    "line 3, column 8: [api.a] is defined twice, first in line 1; "
                    "write its keys there"
                ),
            ),
            (
                "api = {}\napi.x = 1\n",
                (
                    "line 2, column 10: cannot extend the inline value of [api]; "
                    "define it in one place"
                ),
            ),
        ],
    )
    def test_a_duplicate_table_is_named_as_it_is_written(self, tmp_path, content, sentence):
        (tmp_path / "config.toml").write_text(content)
        (line,) = problems(tmp_path / "config.toml", {})
        assert line == f"config.toml: {sentence}"

    def test_a_byte_order_mark_is_skipped(self, tmp_path: Path):
        (tmp_path / "config.toml").write_bytes(b'\xef\xbb\xbf[log]\r\nlevel = "debug"\r\n')
        assert load(tmp_path / "config.toml", {}).settings.log.level == "debug"

    def test_invalid_utf8_is_located(self, tmp_path: Path):
        (tmp_path / "config.toml").write_bytes(b'[log]\n# \xff\nlevel = "debug"\n')
        assert problems(tmp_path / "config.toml", {}) == [
            "config.toml: line 2: invalid UTF-8; save the file as UTF-8"
        ]

    def test_a_directory_is_refused(self, tmp_path: Path):
        (tmp_path / "config.toml").mkdir()
        (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: cannot read the file: Is a directory")

    def test_a_fifo_is_refused_without_blocking(self, tmp_path: Path):
        os.mkfifo(tmp_path / "config.toml")
        (tmp_path / "config.d").mkdir()
        os.mkfifo(tmp_path / "config.d/10.toml")
        assert problems(tmp_path / "config.toml", {}) == [
            f"{name}: not a regular file ({tmp_path / name})"
            for name in ("config.toml", "config.d/10.toml")
        ]

    def test_devices_and_sockets_are_refused(self, tmp_path: Path):
        (line,) = problems(Path("/dev/null"), {})
        assert line.startswith("null: not a regular file")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{tmp_path}/config.toml")
            (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: cannot read the file: No such device or address")

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
    def test_an_unreadable_file_is_an_error_and_not_treated_as_missing(self, tmp_path: Path):
        for directory in [tmp_path, *tmp_path.parents][:-2]:
            directory.chmod(directory.stat().st_mode | 0o055)
        (tmp_path / "etc").mkdir()
        config = tmp_path / "etc" / "config.toml"
        config.touch(0o600)
        os.seteuid(12345)
        try:
            (unreadable,) = problems(config, {})
            os.seteuid(0)
            (tmp_path / "etc").chmod(0o700)
            os.seteuid(12345)
            (inaccessible,) = problems(config, {})
            with pytest.raises(ConfigError, match="cannot access the file"):
                files.find_config_file(None, {}, tmp_path / "etc")
        finally:
            os.seteuid(0)
        assert unreadable == (
            "config.toml: cannot read the file: Permission denied; grant read access to user 12345 "
            f"({config})"
        )
        assert inaccessible == (
            f"{config}: cannot access the file: Permission denied; "
            "grant user 12345 search access to its parent directories"
        )

    def test_a_dangling_link_is_refused(self, tmp_path: Path):
        (tmp_path / "config.toml").symlink_to(tmp_path / "gone")
        (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: cannot read the file: No such file")

    @pytest.mark.parametrize(
        "content", ["x = " + "[" * 100_000, f"x = {'9' * 5000}", "x" * (9 << 20)]
    )
    def test_hostile_content_is_one_sentence(self, tmp_path: Path, content: str):
        (tmp_path / "config.toml").write_text(content)
        (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: ")
        assert "\n" not in line
        assert len(line) < 300


@pytest.mark.parametrize(
    "text",
    [
        f"[{'.'.join('a' * 50_000)}]",
        f"{'.'.join('a' * 50_000)} = 1",
        f"x = {{ {'.'.join('a' * 50_000)} = 1 }}",
        "'a'.\"b\" . " * 100 + "c = 1",
        f"a = {'[' * 200}{']' * 200}",
        f"a = {'{a=' * 100}1{'}' * 100}",
        "[" + ".".join("a" * 40) + "]",
    ],
)
def test_deep_nesting_is_refused_at_once(tmp_path: Path, text: str):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load(tmp_path / "config.toml", {})


def test_a_text_with_many_dots_is_not_deep(tmp_path: Path):
    name = ".".join("0123456789abcdef" * 2) + ".ip6.arpa"
    (tmp_path / "config.toml").write_text(
        f"[triggers.a]\ntype = 'file'\npaths = '/x'\ntitle = '{name}'\n"
    )
    assert load(tmp_path / "config.toml", {}).settings.triggers["a"].title == name
