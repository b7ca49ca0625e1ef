import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.config.triggers import FileTriggerConfig
from notifyd.sources.files.registry import checkpoint_updates
from notifyd.sources.files.snapshot import FileChange, FileTerms, Snapshot
from notifyd.sources.files.state import FileState, read_state
from notifyd.sources.stored_values import CheckpointValueError, escape_path
from support.stored import changed, golden

STATES = st.one_of(st.none(), st.builds(FileState, *[st.integers(0, 1)] * 3))


def snapshot(**keys):
    return Snapshot(FileTriggerConfig.model_validate({"paths": ["/x/*"]} | keys))


def test_default_events_follow_settle():
    assert snapshot().events == {"created", "deleted"}
    assert snapshot(settle="1s").events == {"created", "modified", "deleted"}
    assert snapshot(settle="1s", events=["deleted"]).events == {"deleted"}


@given(st.lists(st.tuples(st.sampled_from("abc"), STATES)))
def test_without_settle_every_difference_is_reported_once_in_order(looks):
    known, reported = snapshot(), {}
    for path, state in looks:
        change = known.observe(path, state, 0.0)
        before = reported.get(path)
        assert (change is None) == (state == before)
        if change:
            kinds = {(True, False): "created", (False, True): "deleted", (False, False): "modified"}
            assert change.kind == kinds[before is None, state is None]
            known.apply(change)
            reported[path] = state
            assert known.observe(path, state, 0.0) is None


@given(st.lists(st.tuples(st.sampled_from("ab"), STATES, st.integers(0, 3))))
def test_a_settled_path_was_unchanged_for_the_configured_time(looks):
    known, now = snapshot(settle="2s"), 0
    steady: dict[str, tuple[FileState | None, float]] = {}
    for path, state, pause in looks:
        now += pause
        if path not in steady or steady[path][0] != state:
            steady[path] = (state, now)
        change = known.observe(path, state, now)
        if change:
            assert now - steady[path][1] >= 2.0
            known.apply(change)
        assert known.next_due is None or known.next_due > now - 3 * len(looks)
        deadlines = [deadline for _, deadline in known._unsettled.values()]
        assert deadlines == sorted(deadlines)


def test_due_lists_only_paths_that_waited_long_enough():
    known = snapshot(settle="2s")
    known.observe("a", FileState(1, 1, 1), 0.0)
    known.observe("b", FileState(1, 1, 1), 1.0)
    assert (known.next_due, known.due(1.9), known.due(2.0)) == (2.0, [], ["a"])
    assert known.observe("a", FileState(1, 1, 1), 2.0) == FileChange(
        "created", "a", FileState(1, 1, 1)
    )


def test_a_file_deleted_before_it_settled_is_not_reported():
    known = snapshot(settle="2s")
    known.observe("a", FileState(1, 1, 1), 0.0)
    assert known.observe("a", None, 1.0) is None
    assert known.next_due is None


def test_a_sweep_returns_differences_and_directories(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").touch()
    (tmp_path / "skip").mkdir()
    known = Snapshot(
        FileTriggerConfig.model_validate(
            {"paths": [f"{tmp_path}/*/*"], "ignore": [f"{tmp_path}/skip"]}
        )
    )
    gone, foreign = f"{tmp_path}/sub/gone", "/somewhere/else"
    known.known = {gone: FileState(0, 0, 0), foreign: FileState(0, 0, 0)}
    swept = known.sweep()
    assert dict(swept.differences) == {
        f"{tmp_path}/sub/a": read_state(f"{tmp_path}/sub/a"),
        gone: None,
        foreign: None,
    }
    assert swept.directories == {str(tmp_path), f"{tmp_path}/sub"}


def test_a_missing_directory_is_reached_up_to_its_first_missing_part(tmp_path):
    missing = snapshot(paths=[f"{tmp_path}/not/yet/*.log"]).sweep()
    assert missing.missing == {f"{tmp_path}/not/yet"}
    assert missing.chains[f"{tmp_path}/not/yet"].end == f"{tmp_path}/not"


def test_the_state_of_a_directory_ignores_its_content(tmp_path):
    before = read_state(str(tmp_path))
    (tmp_path / "a").touch()
    assert read_state(str(tmp_path)) == before


def test_a_link_has_a_state_of_its_own(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    assert read_state(str(link)) is not None
    assert read_state(str(tmp_path / "nowhere")) is None


@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name), STATES)
def test_a_stored_state_is_restored(name, state):
    path = "/x/" + name.decode("utf-8", "surrogateescape")
    (key, value), *_ = checkpoint_updates("t", [FileChange("created", path, state)]).items()
    key.encode()
    assert key == f"file:t:{escape_path(path)}"
    if state is not None:
        again = snapshot()
        assert again.restore(escape_path(path), value) is not state.is_directory
        assert again.known == ({} if state.is_directory else {path: state})
        assert json.loads(value) == [*state]


def test_the_state_of_a_file_is_written_as_before():
    key, value = golden("file-state")
    known = snapshot()
    known.restore(key.removeprefix("file:up:"), value)
    ((path, state),) = known.known.items()
    assert (path, state) == ("/srv/up/caf\udce9.csv", FileState(512, 1764496062123456789, 42))
    assert checkpoint_updates("up", [FileChange("created", path, state)]) == {key: value}


def test_the_terms_of_a_trigger_are_written_as_before():
    _, value = golden("file-terms")
    terms = snapshot(paths=["/srv/up/*.csv"], ignore=["*.swp"]).terms
    assert terms.encode() == value
    assert FileTerms.decode(changed(value, added_later=[1])) == terms
    ignoring = snapshot(gitignore=True).terms
    assert FileTerms.decode(ignoring.encode()) == ignoring != snapshot().terms


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", '"" is not JSON'),
        ("{}", "it must be a JSON array of size, mtime_ns, inode, not {}"),
        ("[1,2]", '"inode" is missing'),
        ('[1,"2",3]', '"mtime_ns" must be an integer'),
        ("[true,2,3]", '"size" must be an integer'),
        ('{"format": 2, "state": [1,2,3]}', "a newer version of notifyd wrote it in format 2"),
    ],
)
def test_a_damaged_state_is_refused(value, reason):
    known = snapshot()
    with pytest.raises(CheckpointValueError) as refusal:
        known.restore("/x/a", value)
    assert str(refusal.value).startswith(reason)
    assert known.known == {}


def test_additional_items_of_a_state_are_ignored():
    assert FileState.decode('[1,-2,3,"later"]') == FileState(1, -2, 3)


def test_an_ignored_name_is_ignored_in_every_directory(tmp_path):
    for name in ("a.txt", "b.swp", "~$c.txt", "node_modules/d.txt", "sub/e.swp", "sub/f.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    ignore = ["*.swp", "~$*", "node_modules", f"{tmp_path}/sub/f*"]
    found = Snapshot(
        FileTriggerConfig.model_validate({"paths": [f"{tmp_path}/**"], "ignore": ignore})
    ).sweep()
    assert {path for path, _ in found.differences} == {f"{tmp_path}/a.txt"}
    assert f"{tmp_path}/node_modules" not in found.directories


def test_an_ignored_name_matches_literally_or_as_a_pattern():
    known = snapshot(ignore=["[a]b", "c?"])
    paths = ("/x/[a]b", "/x/ab", "/x/cd", "/x/c", "/x/dcd")
    ours = [path for path in paths if known.matches(path, None)]
    assert ours == ["/x/c", "/x/dcd"]


def found_by(*patterns, **keys):
    found = Snapshot(FileTriggerConfig.model_validate({"paths": list(patterns)} | keys)).sweep()
    return {path for path, _ in found.differences}


def test_directories_are_found_only_by_patterns_that_end_in_a_slash(tmp_path):
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "log").touch()
    (tmp_path / "runs" / "link").symlink_to("one")
    runs = f"{tmp_path}/runs"
    assert found_by(f"{runs}/*") == {f"{runs}/log", f"{runs}/link"}
    assert found_by(f"{runs}/*/") == {f"{runs}/one"}
    everything = {f"{runs}/{name}" for name in ("one", "log", "link")}
    assert found_by(f"{runs}/*/", f"{runs}/*") == everything
    assert found_by(f"{tmp_path}/**/") == {runs, f"{runs}/one"}


def test_an_empty_file_of_the_epoch_is_no_directory(tmp_path):
    (tmp_path / "old").touch()
    os.utime(tmp_path / "old", (0, 0))
    assert found_by(f"{tmp_path}/*") == {f"{tmp_path}/old"}


def test_what_gitignore_leaves_out_is_not_found(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").touch()
    for name in ("src/a.py", "src/a.pyc", "build/out", "src/build", "src/keep/k.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("*.pyc\nbuild/\n")
    (tmp_path / "src" / "keep" / ".gitignore").write_text("!*.pyc\n")
    found = {
        os.path.relpath(path, tmp_path) for path in found_by(f"{tmp_path}/src/**", gitignore=True)
    }
    assert found == {"src/a.py", "src/build", "src/keep/.gitignore", "src/keep/k.pyc"}
    everything = found_by(f"{tmp_path}/**", gitignore=True)
    assert everything == {f"{tmp_path}/{name}" for name in (*found, ".gitignore")}


def test_changed_rules_of_gitignore_are_no_changes_of_files(tmp_path):
    (tmp_path / ".gitignore").write_text("*.a\n")
    for name in ("x.a", "x.b"):
        (tmp_path / name).touch()
    known = Snapshot(
        FileTriggerConfig.model_validate({"paths": [f"{tmp_path}/x*"], "gitignore": True})
    )
    for change in known.sweep().changes(known):
        known.apply(change)
    assert known.known.keys() == {f"{tmp_path}/x.b"}
    (tmp_path / ".gitignore").write_text("*.b\n")
    swept = known.sweep()
    assert swept.differences == []
    assert {(path, state is None) for path, state in swept.silent} == {
        (f"{tmp_path}/x.a", False),
        (f"{tmp_path}/x.b", True),
    }


def test_a_directory_that_changed_rules_of_gitignore_show_is_not_created(tmp_path):
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "build").mkdir()
    known = Snapshot(
        FileTriggerConfig.model_validate({"paths": [f"{tmp_path}/b*/"], "gitignore": True})
    )
    assert known.sweep().differences == []
    (tmp_path / ".gitignore").write_text("")
    swept = known.sweep()
    assert swept.differences == []
    assert [path for path, _ in swept.silent] == [f"{tmp_path}/build"]
