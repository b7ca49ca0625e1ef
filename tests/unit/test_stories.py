"""Each file in tests/stories is one acceptance test: its first line is the promise."""

from pathlib import Path

import pytest

from support.story import Story

STORIES = sorted((Path(__file__).parents[1] / "stories").glob("*.story"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path, tmp_path: Path):
    assert Story(path.read_text(), tmp_path).play() == []
