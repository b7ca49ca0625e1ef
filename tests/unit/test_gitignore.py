"""The rules of .gitignore files, beside git itself."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from notifyd.sources.files.gitignore import GitignoreRules

FILES = {
    ".gitignore": "*.log\nbuild/\n!keep.log\n/top\n/a/b/x\n# note\n\\#odd\nend \n**/deep/*.t\n",
    "a/.gitignore": "!deep.log\ny\n[\n",
    "a/b/.gitignore": "*\n!.gitignore\n!k\n",
}
PATHS = [
    *("x.log", "keep.log", "top", "a/top", "a/x.log", "a/deep.log", "a/y", "a/c/y", "a/b/x"),
    *("a/b/k", "a/b/z", "build/z", "a/build/z", "notes", "#odd", "end", "a/deep/q.t", "q.t"),
    *("build.txt", "a/c/deep.log", "a/c/keep.log"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (*FILES, *PATHS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FILES.get(name, ""))
    return tmp_path


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_the_rules_are_those_of_git(tree: Path):
    git = ["git", "-C", str(tree), "-c", "core.excludesFile=/dev/null"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tree), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run([*git, "init", "-q"], check=True, env=environ)
    done = subprocess.run(
        [*git, "check-ignore", *PATHS], check=False, capture_output=True, text=True, env=environ
    )
    ignored = {line.strip('"') for line in done.stdout.splitlines()}
    assert len(ignored) > 8
    rules = GitignoreRules(f"{tree}/a")
    ours = {path for path in PATHS if rules.is_ignored(f"{tree}/{path}", is_directory=False)}
    assert ours == ignored


def test_a_directory_is_left_out_with_its_content_and_git_itself_always(tree: Path):
    rules = GitignoreRules(str(tree))
    assert rules.is_ignored(f"{tree}/build", is_directory=True)
    assert not rules.is_ignored(f"{tree}/a", is_directory=True)
    assert rules.is_ignored(f"{tree}/.git", is_directory=True)
    assert rules.is_ignored(f"{tree}/.git/HEAD", is_directory=False)


def test_outside_of_a_repository_the_rules_begin_at_the_root(tree: Path):
    rules = GitignoreRules(f"{tree}/a")
    assert not rules.is_ignored(f"{tree}/a/x.log", is_directory=False)
    assert rules.is_ignored(f"{tree}/a/y", is_directory=False)


def test_what_is_no_file_of_rules_says_nothing(tmp_path: Path):
    os.mkfifo(tmp_path / ".gitignore")
    assert not GitignoreRules(str(tmp_path)).is_ignored(f"{tmp_path}/x", is_directory=False)
    (tmp_path / ".gitignore").unlink()
    (tmp_path / ".gitignore").mkdir()
    assert not GitignoreRules(str(tmp_path)).is_ignored(f"{tmp_path}/x", is_directory=False)


def test_directories_may_be_nested_deeper_than_calls(tmp_path: Path):
    (tmp_path / ".gitignore").write_text("x\n")
    path = f"{tmp_path}{'/a' * 1500}"
    assert not GitignoreRules(str(tmp_path)).is_ignored(f"{path}/y", is_directory=False)
    assert GitignoreRules(str(tmp_path)).is_ignored(f"{path}/x", is_directory=False)


def test_unchanged_rules_are_not_compiled_again(tmp_path: Path):
    def rules_of(earlier: GitignoreRules | None) -> GitignoreRules:
        rules = GitignoreRules(str(tmp_path), earlier)
        assert rules.is_ignored(f"{tmp_path}/x", is_directory=False)
        return rules

    (tmp_path / ".gitignore").write_text("x\n")
    first = rules_of(None)
    second = rules_of(first)
    assert second.spec_in(str(tmp_path)) is first.spec_in(str(tmp_path))
    (tmp_path / ".gitignore").write_text("x\ny\n")
    third = rules_of(second)
    assert third.is_ignored(f"{tmp_path}/y", is_directory=False)
    assert not second.is_ignored(f"{tmp_path}/y", is_directory=False)


def test_of_a_file_the_first_thousand_rules_in_64_kib_count(tmp_path: Path):
    (tmp_path / ".gitignore").write_text("".join(f"# note\nf{n}\n" for n in range(1001)))
    (tmp_path / "long").mkdir()
    (tmp_path / "long" / ".gitignore").write_text(f"first\n#{'x' * (64 << 10)}\nlast\n")
    rules = GitignoreRules(str(tmp_path))
    names = ["f999", "f1000", "long/first", "long/last"]
    ignored = [name for name in names if rules.is_ignored(f"{tmp_path}/{name}", is_directory=False)]
    assert ignored == ["f999", "long/first"]
