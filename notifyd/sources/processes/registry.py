"""The checkpoints of processes: what was watched, and with which selection."""

from collections.abc import Mapping
from typing import Final

from notifyd.sources.processes.selector import ProcessSelector, ProcessTerms
from notifyd.sources.processes.watched import WatchedProcess
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues

_PREFIX: Final = "process:"


def terms_key(trigger: str) -> str:
    """Return the key of the selection with which a trigger was armed."""
    return f"{_PREFIX}{trigger}"


def process_key(trigger: str, pid: int) -> str:
    """Return the key of a process that a trigger watches."""
    return f"{_PREFIX}{trigger}:{pid}"


class ProcessRegistry:
    """restored: watched processes, by identity. armed: triggers with an unchanged selection.

    obsolete_keys: to be deleted, unless they are written before. refused: unusable checkpoints.
    """

    def __init__(
        self, selectors: Mapping[str, ProcessSelector], checkpoints: Mapping[str, str]
    ) -> None:
        self.restored: dict[tuple[int, int, str], WatchedProcess] = {}
        self.armed: set[str] = set()
        self.obsolete_keys: set[str] = set()
        self.refused = RefusedValues("process")
        for key, value in checkpoints.items():
            name, *pid = key.removeprefix(_PREFIX).split(":", 1)
            if name not in selectors:
                self.obsolete_keys.add(key)
            elif pid:
                self._restore_process(key, name, pid[0], value)
            else:
                self._restore_terms(key, selectors[name], name, value)

    def _restore_terms(self, key: str, selector: ProcessSelector, name: str, value: str) -> None:
        try:
            if ProcessTerms.decode(value) == selector.terms:
                self.armed.add(name)
        except CheckpointValueError as error:
            what = f"selection of trigger {name}"
            consequence = "processes that started while notifyd was stopped are not reported"
            self.refused.add(key, what, error, consequence)

    def _restore_process(self, key: str, name: str, pid: str, value: str) -> None:
        try:
            watched = WatchedProcess.decode(pid, value)
        except CheckpointValueError as error:
            self.obsolete_keys.add(key)
            what = f"state of process {pid} for trigger {name}"
            consequence = "if the process has ended, its end is not reported"
            self.refused.add(key, what, error, consequence)
            return
        watched = self.restored.setdefault(watched.identity, watched)
        watched.triggers = (*watched.triggers, name)
