"""The way in: from files and environment to the settings, or to one report of all mistakes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from notifyd.config import environment, files
from notifyd.config.errors import ErrorReport, Origins
from notifyd.config.settings import Settings
from notifyd.config.validation import validate
from notifyd.model.errors import ConfigError
from notifyd.model.notifications import Json


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, the files that they came from, and what is doubtful in them.

    table: as it was written, merged. report: takes more doubts, and says which file they are of.
    """

    settings: Settings
    files: tuple[Path, ...]
    table: Json
    report: ErrorReport

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self.report.warnings)


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Read the configuration. `path` is what --config named; ConfigError holds every mistake."""
    main = files.find(path, environ)
    found = files.listing(main) if main else []
    origins = Origins()
    report = ErrorReport(origins)
    table: Json = {}
    for file in found:
        document = files.read(file, files.label(file, main or file), report)
        if document:
            files.merge_document(table, document, origins, report)
    environment.apply_environment(table, environ, origins)
    validate(table, report)
    if report.problems:
        raise ConfigError(report.problems)
    return Loaded(Settings.model_validate(table), tuple(found), table, report)
