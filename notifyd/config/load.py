"""Load the configuration from files and environment, or report everything wrong with it."""

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
class LoadedConfig:
    """Valid settings, the files they came from and their warnings.

    table: the merged document as written. report: accepts further warnings. ignored_variables:
    environment variables that begin like settings and are none.
    """

    settings: Settings
    files: tuple[Path, ...]
    table: Json
    report: ErrorReport
    ignored_variables: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self.report.warnings)


def load(path: Path | None, environ: Mapping[str, str]) -> LoadedConfig:
    """Load the configuration. path: the value of --config.

    Raise ConfigError with one line for each error.
    """
    main = files.find_config_file(path, environ)
    found = files.list_files(main) if main else []
    origins = Origins()
    report = ErrorReport(origins)
    table: Json = {}
    for file in found:
        document = files.read_document(file, files.file_label(file, main or file), report)
        if document:
            files.merge_document(table, document, origins, report)
    try:
        ignored = environment.apply_environment(table, environ, origins)
        validate(table, report)
        if report.errors:
            raise ConfigError(report.errors)
        settings = Settings.model_validate(table)
    except RecursionError:  # in the environment: the files were checked
        problem = "a value in the environment is nested too deeply"
        raise ConfigError([problem]) from None
    return LoadedConfig(settings, tuple(found), table, report, ignored)
