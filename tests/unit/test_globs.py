import os
import re
from fnmatch import translate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.globs import Glob

NAME = st.text("ab.[]*{,} é", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))


def matches(glob):
    return [found.path for found in glob.walk() if found.is_match]


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("/var/log/*.log", "/var/log/a.log", True),
        ("/var/log/*.log", "/var/log/.hidden.log", True),
        ("/var/log/*.log", "/var/log/sub/a.log", False),
        ("/var/log/*.log", "/var/logs/a.log", False),
        ("/var/log/**/*.log", "/var/log/a.log", True),
        ("/var/log/**/*.log", "/var/log/a/b/c.log", True),
        ("/var/log/**", "/var/log/a/b", True),
        ("/var/log/**", "/var/log", False),
        ("/a/**/**/b", "/a/b", True),
        ("/a/**/x/**/b", "/a/x/b", True),
        ("/a/**/x/**/b", "/a/1/x/2/3/b", True),
        ("/a/**/x/**/b", "/a/1/2/3/b", False),
        ("/a/b?", "/a/bc", True),
        ("/a/b?", "/a/b", False),
        ("/a/[ab]1", "/a/b1", True),
        ("/a/[!ab]1", "/a/b1", False),
        ("/a/x[1].log", "/a/x1.log", True),
        ("/a/x[1].log", "/a/x[1].log", True),
        ("/a[1]/*.log", "/a[1]/x.log", True),
        ("/a/{b,c}", "/a/b", False),
        ("/a/{b,c}", "/a/{b,c}", True),
        ("/a/!b", "/a/!b", True),
        (r"/a/\*", "/a/*", True),
        (r"/a/\*", "/a/b", False),
        ("/a//./b/", "/a/b", True),
        ("/a/b", "/a/b", True),
        ("/a/B", "/a/b", False),
        ("/*", "/x", True),
    ],
)
def test_what_a_pattern_matches(pattern, path, is_match):
    assert Glob(pattern).matches(path) is is_match


@pytest.mark.parametrize(
    ("pattern", "root"),
    [
        ("/var/log/*.log", "/var/log"),
        ("/var/log/**/x", "/var/log"),
        ("/var/log/a.log", "/var/log"),
        ("/var/l*/a.log", "/var"),
        ("/*", "/"),
        ("/a", "/"),
    ],
)
def test_the_root_is_the_literal_leading_directory(pattern, root):
    assert Glob(pattern).root == Path(root)


@pytest.mark.parametrize("pattern", ["", "a/*.log", "/", "//", "~/x"])
def test_a_pattern_that_is_not_an_absolute_path_is_refused(pattern):
    with pytest.raises(ValueError, match="absolute"):
        Glob(pattern)


@given(st.lists(NAME, min_size=1, max_size=4))
def test_a_literal_path_matches_itself(names):
    path = "/" + "/".join(names)
    if os.path.normpath(path) == path:
        assert Glob(path).matches(path)
        assert Glob("/**").matches(path)


@given(st.text("ab*?.", min_size=1, max_size=6).filter(lambda p: "**" not in p), NAME)
def test_a_component_matches_as_in_the_shell(part, name):
    if part in (".", ".."):
        return
    expected = part == name or re.fullmatch(translate(part), name) is not None
    assert Glob(f"/x/{part}").matches(f"/x/{name}") is expected


def test_a_walk_finds_what_matches(tmp_path):
    for name in ("a.log", "sub/b.log", "sub/deep/.c.log", "sub/d.txt", "x[1].log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    everything = {str(path) for path in tmp_path.rglob("*")}
    for pattern in (
        "**",
        "*",
        "**/*.log",
        "*.log",
        "sub/**/*.log",
        "x[1].log",
        "su?/*",
        "**/deep/**",
    ):
        glob = Glob(f"{tmp_path}/{pattern}")
        found = matches(glob)
        assert sorted(found) == sorted(path for path in everything if glob.matches(path)), pattern
        assert found


def test_a_missing_root_or_a_file_in_its_place_has_no_matches(tmp_path):
    (tmp_path / "file").touch()
    assert matches(Glob(f"{tmp_path}/none/*")) == []
    assert matches(Glob(f"{tmp_path}/file/*")) == []


def test_a_walk_does_not_follow_links_in_a_loop(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "sub" / "self").symlink_to("self")
    (tmp_path / "a").touch()
    assert sorted(matches(Glob(f"{tmp_path}/**"))) == [
        f"{tmp_path}/a",
        f"{tmp_path}/sub",
        f"{tmp_path}/sub/self",
        f"{tmp_path}/sub/up",
    ]
    assert matches(Glob(f"{tmp_path}/sub/*/a")) == [f"{tmp_path}/sub/up/a"]


def test_a_walk_shows_the_directories_in_which_matches_could_appear(tmp_path):
    for name in ("a/b/c", "a/x", "other"):
        (tmp_path / name).mkdir(parents=True)
    glob = Glob(f"{tmp_path}/a/*/*.log")
    assert {found.path for found in glob.walk() if found.is_entered} == {
        f"{tmp_path}/a",
        f"{tmp_path}/a/b",
        f"{tmp_path}/a/x",
    }
    skipped = glob.walk(skip=lambda entry: entry.name == "x")
    assert f"{tmp_path}/a/x" not in {found.path for found in skipped}


def test_a_directory_that_cannot_be_listed_is_reported_and_skipped(tmp_path):
    (tmp_path / "gone").mkdir()
    (tmp_path / "here").touch()
    failed, found = [], []
    for each in Glob(f"{tmp_path}/**").walk(onerror=lambda error: failed.append(error.filename)):
        found.append(each.path)
        if each.path == f"{tmp_path}/gone":
            (tmp_path / "gone").rmdir()
    assert f"{tmp_path}/here" in found
    assert failed == [f"{tmp_path}/gone/"]
