"""Device numbers, which a reboot or a mount may hand out anew: positions go with the files."""

from collections.abc import Mapping
from contextlib import suppress

from notifyd.sources.logs.checkpoint import (
    Checkpoint,
    FileId,
    parse_pending_record_key,
    pending_record_key,
)
from notifyd.sources.logs.discovery.access import UnreadableFileError, examined
from notifyd.sources.logs.reading.descriptor_pool import DescriptorPool
from notifyd.sources.logs.reading.log_reader import LogReader


def remap_devices(positions: Mapping[str, str], handles: DescriptorPool) -> dict[str, str | None]:
    """Tell what to change of the positions so that their devices have today's numbers.

    A number is another one's successor when a file is met at its place with its old inode and
    content. None: the key is to be forgotten.
    """
    files = [
        (key, position)
        for text, value in positions.items()
        if (key := FileId.parse(text))
        and not key.catch_up_trigger
        and (position := Checkpoint.parse(value))
    ]
    settled: dict[int, int] = {}
    for key, position in files:
        if key.device not in settled and (device := _met(key, position, handles)) is not None:
            settled[key.device] = device
    changes: dict[str, str | None] = {}
    moved: dict[str, str] = {}
    for text, value in positions.items():
        later = _renamed(text, settled)
        if later != text:
            changes[text] = None
            moved[later] = value
    return changes | moved


def _met(key: FileId, position: Checkpoint, handles: DescriptorPool) -> int | None:
    """Tell the device of the file that a position is of; None if it is not there."""
    path = position.archived_path or position.path
    with suppress(UnreadableFileError, OSError):
        status = examined(path)
        if status is None or status.st_ino != key.inode:
            return None
        if status.st_dev == key.device:
            return key.device
        tail = LogReader(handles.open(path, status), key, path)
        try:
            return status.st_dev if tail.resume_verified(position) else None
        finally:
            tail.close()
    return None


def _renamed(text: str, devices: Mapping[int, int]) -> str:
    if key := FileId.parse(text):
        return key._replace(device=devices.get(key.device, key.device)).text()
    if carry := parse_pending_record_key(text):
        trigger, key = carry
        return pending_record_key(trigger, key._replace(device=devices.get(key.device, key.device)))
    return text
