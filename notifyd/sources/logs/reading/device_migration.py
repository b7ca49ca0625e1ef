"""Device numbers, which change when a machine or a mount is restarted: checkpoints follow."""

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress

from notifyd.sources.logs.checkpoint import AggregatorId, Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError, stat_log
from notifyd.sources.logs.reading.descriptor_pool import DescriptorPool
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.stored_values import CheckpointValueError


def remap_devices(stored: Mapping[str, str], pool: DescriptorPool) -> dict[str, str | None]:
    """Return the changes by which stored keys get the present device numbers.

    A device has a new number if one of its files is found at its path with the same inode and
    content. None deletes a key.
    """
    numbers: dict[int, int] = {}
    for key, checkpoint in _decoded(stored):
        if key.device not in numbers:
            device = _present_device(key, checkpoint, pool)
            if device is not None:
                numbers[key.device] = device
    deleted: dict[str, str | None] = {}
    moved: dict[str, str | None] = {}
    for old_key, value in stored.items():
        new_key = _with_devices(old_key, numbers)
        if new_key != old_key:
            deleted[old_key] = None
            moved[new_key] = value
    return deleted | moved


def _decoded(stored: Mapping[str, str]) -> Iterator[tuple[FileId, Checkpoint]]:
    """Iterate over the usable checkpoints of files, without those of catch-up readers."""
    for text, value in stored.items():
        key = FileId.from_key(text)
        if key is not None and not key.catch_up_trigger:
            with suppress(CheckpointValueError):
                yield key, Checkpoint.decode(key, value)


def _present_device(key: FileId, checkpoint: Checkpoint, pool: DescriptorPool) -> int | None:
    """Return the device of the file of a checkpoint; None if the file is not at its path."""
    path = checkpoint.archived_path or checkpoint.path
    with suppress(UnreadableFileError, OSError):
        status = stat_log(path)
        if status is None or status.st_ino != key.inode:
            return None
        if status.st_dev == key.device:
            return key.device
        with closing(LogReader(pool.open(path, status), key, path)) as reader:
            return status.st_dev if reader.resume_verified(checkpoint) else None
    return None


def _with_devices(key: str, numbers: Mapping[int, int]) -> str:
    if file := FileId.from_key(key):
        return _with_device(file, numbers).to_key()
    if aggregator := AggregatorId.from_key(key):
        return aggregator._replace(file=_with_device(aggregator.file, numbers)).to_key()
    return key


def _with_device(file: FileId, numbers: Mapping[int, int]) -> FileId:
    return file._replace(device=numbers.get(file.device, file.device))
