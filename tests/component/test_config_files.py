import os
import socket
from pathlib import Path

import pytest

from notifyd.config import files
from notifyd.config.load import Loaded, load
from notifyd.model.errors import ConfigError

FILE = '[triggers.{name}]\ntype = "file"\npaths = "/x"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.d").mkdir()
    return tmp_path


def problems(*args: object) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load(*args)  # type: ignore[arg-type] # passed through
    return refusal.value.problems


def write(folder: Path, **contents: str) -> Path:
    for name, content in contents.items():
        file = "config.toml" if name == "main" else f"config.d/{name}.toml"
        (folder / file).write_text(content)
    return folder / "config.toml"


class TestFinding:
    def test_the_named_file_beats_all_others(self, tmp_path: Path):
        named, variable = tmp_path / "a.toml", tmp_path / "b.toml"
        named.write_text('[log]\nlevel = "debug"\n')
        variable.write_text('[log]\nlevel = "error"\n')
        environ = {"NOTIFYD_CONFIG": str(variable)}
        assert load(named, environ).settings.log.level == "debug"
        assert load(None, environ).settings.log.level == "error"

    def test_then_the_users_folder_then_the_systems(self, tmp_path: Path):
        user, system = tmp_path / "xdg/notifyd", tmp_path / "etc"
        for folder in (user, system):
            folder.mkdir(parents=True)
            (folder / "config.toml").touch()
        environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
        assert files.find(None, environ, system) == user / "config.toml"
        assert files.find(None, {}, system) == system / "config.toml"

    def test_the_home_folder_counts_where_xdg_says_nothing(self, tmp_path: Path):
        file = tmp_path / ".config/notifyd/config.toml"
        file.parent.mkdir(parents=True)
        file.touch()
        environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"}
        assert files.find(None, environ, tmp_path / "etc") == file

    def test_drop_ins_alone_are_a_configuration(self, folder: Path):
        write(folder, **{"10": '[log]\nlevel = "debug"\n'})
        assert files.find(None, {}, folder) == folder / "config.toml"
        assert files.listing(folder / "config.toml") == [folder / "config.d/10.toml"]

    def test_without_any_file_all_is_default(self, tmp_path: Path):
        assert files.find(None, {"HOME": str(tmp_path)}, tmp_path) is None

    @pytest.mark.parametrize("by", ["--config", "NOTIFYD_CONFIG"])
    def test_a_named_file_that_is_missing_is_an_error(self, tmp_path: Path, by: str):
        path = tmp_path / "config.toml"
        args = (path, {}) if by == "--config" else (None, {"NOTIFYD_CONFIG": str(path)})
        assert problems(*args) == [f"{path}: there is no such file, but {by} names it"]


class TestDropIns:
    def test_are_merged_deeply_in_the_order_of_their_names(self, folder: Path):
        main = write(
            folder,
            main='[log]\nlevel = "debug"\n[budget]\nmax = 5\nper = "5m"\n',
            **{"20": "[budget]\nmax = 7\n", "10": "[budget]\nmax = 6\n" + FILE.format(name="b")},
        )
        (folder / "config.d/.30.toml").write_text("broken by an editor")
        (folder / "config.d/30.toml~").write_text("broken by an editor")
        loaded = load(main, {})
        assert isinstance(loaded, Loaded)
        assert (loaded.settings.budget.max, loaded.settings.budget.per) == (7, 300.0)
        assert loaded.settings.log.level == "debug"
        assert [*loaded.settings.triggers] == ["b"]
        assert [file.name for file in loaded.files] == ["config.toml", "10.toml", "20.toml"]

    def test_a_trigger_in_two_files_is_an_error_that_names_both(self, folder: Path):
        trigger = FILE.format(name='"a.b"')
        main = write(folder, main=trigger, **{"10-x": trigger})
        assert problems(main, {}) == [
            (
                'config.d/10-x.toml: triggers."a.b": is defined twice, '
                "here and in config.toml: rename one"
            )
        ]

    def test_each_mistake_names_the_file_it_came_from(self, folder: Path):
        main = write(
            folder,
            main="[budget]\nmax = 5\n",
            **{
                "10": '[budget]\nper = 3\n[log]\nlevle = "info"\n',
                "20": '[triggers.a]\ntype = "file"\n',
            },
        )
        assert problems(main, {}) == [
            'config.d/10.toml: budget.per: needs a unit: write "3s" or "3m" (got \'3\')',
            "config.d/10.toml: log.levle: unknown key; did you mean 'level'? (got 'info')",
            "config.d/20.toml: triggers.a.paths: is missing",
        ]

    def test_a_broken_file_does_not_hide_the_mistakes_of_others(self, folder: Path):
        main = write(
            folder,
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
            ("[api]\n[log]\n[api]\n", "line 3, column 5: [api] is defined twice"),
            (
                '[triggers."a b"]\n[triggers."a b"]\n',
                'line 2, column 16: [triggers."a b"] is defined twice',
            ),
            ("[[api]]\n[api]\n", "line 2, column 5: [api] is defined twice"),
            ("[api.a]\n[api]\na.b = 1\n", "line 3, column 8: [api.a] is defined twice"),
            (
                "api = {}\napi.x = 1\n",
                "line 2, column 10: nothing can be added to [api] here: write it in one place",
            ),
        ],
    )
    def test_a_table_twice_is_named_as_it_is_written(self, tmp_path, content, sentence):
        (tmp_path / "config.toml").write_text(content)
        (line,) = problems(tmp_path / "config.toml", {})
        assert line == f"config.toml: {sentence}"

    def test_a_byte_order_mark_is_skipped(self, tmp_path: Path):
        (tmp_path / "config.toml").write_bytes(b'\xef\xbb\xbf[log]\r\nlevel = "debug"\r\n')
        assert load(tmp_path / "config.toml", {}).settings.log.level == "debug"

    def test_bytes_that_are_no_utf8_are_placed(self, tmp_path: Path):
        (tmp_path / "config.toml").write_bytes(b'[log]\n# \xff\nlevel = "debug"\n')
        assert problems(tmp_path / "config.toml", {}) == [
            "config.toml: line 2: is not UTF-8: save it in that encoding"
        ]

    def test_a_folder_in_its_place(self, tmp_path: Path):
        (tmp_path / "config.toml").mkdir()
        (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: cannot be read: Is a directory")

    def test_a_fifo_is_refused_and_not_waited_for(self, tmp_path: Path):
        os.mkfifo(tmp_path / "config.toml")
        (tmp_path / "config.d").mkdir()
        os.mkfifo(tmp_path / "config.d/10.toml")
        assert problems(tmp_path / "config.toml", {}) == [
            f"{name}: is no regular file: write the configuration into one ({tmp_path / name})"
            for name in ("config.toml", "config.d/10.toml")
        ]

    def test_so_are_devices_and_sockets(self, tmp_path: Path):
        (line,) = problems(Path("/dev/null"), {})
        assert line.startswith("null: is no regular file")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{tmp_path}/config.toml")
            (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: cannot be read: No such device or address")

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs to be another user for a while")
    def test_one_that_may_not_be_read_or_not_be_seen_is_not_taken_for_none(self, tmp_path: Path):
        for folder in [tmp_path, *tmp_path.parents][:-2]:
            folder.chmod(folder.stat().st_mode | 0o055)
        (tmp_path / "etc").mkdir()
        config = tmp_path / "etc" / "config.toml"
        config.touch(0o600)
        os.seteuid(12345)
        try:
            (unread,) = problems(config, {})
            os.seteuid(0)
            (tmp_path / "etc").chmod(0o700)
            os.seteuid(12345)
            (unseen,) = problems(config, {})
            with pytest.raises(ConfigError, match="cannot be seen"):
                files.find(None, {}, tmp_path / "etc")
        finally:
            os.seteuid(0)
        assert unread == (
            f"config.toml: cannot be read: Permission denied: let the user 12345 read it ({config})"
        )
        assert unseen == (
            f"{config}: cannot be seen: Permission denied: "
            "let the user 12345 enter the folders on the way to it"
        )

    def test_a_dangling_link(self, tmp_path: Path):
        (tmp_path / "config.toml").symlink_to(tmp_path / "gone")
        (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: cannot be read: No such file")

    @pytest.mark.parametrize(
        "content", ["x = " + "[" * 100_000, f"x = {'9' * 5000}", "x" * (9 << 20)]
    )
    def test_hostile_content_is_one_sentence(self, tmp_path: Path, content: str):
        (tmp_path / "config.toml").write_text(content)
        (line,) = problems(tmp_path / "config.toml", {})
        assert line.startswith("config.toml: ")
        assert "\n" not in line
        assert len(line) < 300
