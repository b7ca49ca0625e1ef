"""Each file in tests/configs holds a configuration, a line of dashes and the expected report."""

from pathlib import Path

import pytest

from notifyd.config.load import load
from notifyd.model.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
DASHES = "\n-----\n"


@pytest.mark.parametrize("golden", CONFIGS, ids=lambda path: path.stem)
def test_the_report_is_as_expected(golden: Path, tmp_path: Path):
    text, _, expected = golden.read_text().partition(DASHES)
    (tmp_path / "config.toml").write_text(text)
    try:
        loaded = load(tmp_path / "config.toml", {})
        report = [*(f"warning: {warning}" for warning in loaded.warnings), "ok"]
    except ConfigError as error:
        report = error.problems
    assert "\n".join(report).replace(str(Path.cwd()), "{cwd}") == expected.rstrip("\n")


def test_one_report_names_all_errors(tmp_path: Path):
    golden = next(path for path in CONFIGS if path.stem == "ten_mistakes")
    (tmp_path / "config.toml").write_text(golden.read_text().partition(DASHES)[0])
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path / "config.toml", {})
    assert len(refusal.value.problems) >= 10


@pytest.mark.parametrize("golden", CONFIGS, ids=lambda path: path.stem)
def test_no_report_shows_a_secret(golden: Path):
    assert "my-own-secret-value" not in golden.read_text().partition(DASHES)[2]
