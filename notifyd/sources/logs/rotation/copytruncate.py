"""Copies of what was read already: held, as long as they hold nothing else."""

from collections.abc import Callable
from contextlib import closing, suppress

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.rotated_files import RotatedFile
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.rotation.content_match import (
    ContentMatcher,
    begins,
    holds_nothing_new,
    outlasted,
    whole,
)


class CopyTracker:
    """A copy of a file that is whole is held; of one that is not, it is read on from there."""

    def __init__(self, tails: ReaderSet, likeness: ContentMatcher) -> None:
        self._tails, self._likeness = tails, likeness

    def withhold_if_copy(self, tail: LogReader) -> bool:
        """Have a file of which nothing was given not be read if it is a copy; tells whether so."""
        if not tail.is_unread or tail.key.catch_up_trigger:
            return False
        gone, held_by = [], self._tails.withheld_original(tail.key)
        for key, position in self._likeness.originals(tail):
            original = None if key is None else self._tails.get(key)
            intact = original is not None and whole(original)
            if key is None or original is None or intact is None:
                gone.append(position)
            elif not intact:
                # It will be found to be truncated, and copies too.
                self._tails.withhold_until_checked(tail.key, key)
                return True
            elif begins(tail, original):
                self._tails.withhold(tail, original)
                return True
        if self._goes_on(tail, gone):
            return False
        original = self._tails.get(held_by) if held_by is not None else None
        if self._likeness.is_spent(tail):
            tail.skip_to_end()
            self._tails.save_checkpoint(tail, urgent=True)
        elif tail.is_copy and original is not None and whole(original):
            if begins(tail, original):
                tail.skip_to_end()
                self._tails.save_checkpoint(tail, urgent=True)
            elif not original.is_unread:
                self._tails.stop_withholding(tail.key)
                tail.rewind()
        return False

    def take_over(self, original: FileId, lost: Checkpoint) -> None:
        """Go on in copies that are held, as their original is no more what it was."""
        for key in [key for key, of in self._tails.withheld_copies() if of == original]:
            copy = self._tails[key]
            with suppress(UnreadableFileError, OSError):
                went_on = self._goes_on(copy, [lost])
                if not went_on and copy.is_copy and holds_nothing_new(copy, [lost]):
                    copy.skip_to_end()
                    self._tails.save_checkpoint(copy, urgent=True)

    def release(self, of: Callable[[FileId], bool]) -> None:
        """Have copies looked at again, as their originals are not what they were."""
        for key, original in self._tails.withheld_copies():
            if of(original):
                self._tails.stop_withholding(key)
                self._tails.queue.schedule(key)

    def continued(self, found: RotatedFile, gone: list[Checkpoint]) -> bool:
        """Read on in a copy that is known as one, if its original is gone."""
        tail, stored = self._tails.get(found.key), self._tails.registry.get(found.key)
        with suppress(UnreadableFileError, OSError):
            if tail is not None and tail.is_unread and not self._likeness.is_held(tail):
                if self._goes_on(tail, gone):
                    return True
                if tail.is_copy and outlasted(tail, gone):
                    tail.skip_to_end()
                    self._tails.save_checkpoint(tail, urgent=True)
            elif tail is None and stored is not None and stored.is_copy:
                with closing(self._tails.open_detached(found)) as copy:
                    copy.path = stored.path
                    if self._likeness.is_held(copy) or not copy.resume_verified(stored):
                        return False
                    if self._likeness.follow(copy, gone):
                        return self._goes_on(self._tails.open_rotated(found), gone)
                    if outlasted(copy, gone):
                        copy.skip_to_end()
                        self._tails.registry.store_closed(
                            found.key, copy.take_checkpoint(self._tails.wall)
                        )
        return False

    def _goes_on(self, tail: LogReader, gone: list[Checkpoint]) -> bool:
        """Read a file on from where the one was left that it is a copy of."""
        before = tail.start_offsets
        if not self._likeness.follow(tail, gone):
            return False
        self._tails.stop_withholding(tail.key)
        for trigger in before.keys() - tail.start_offsets.keys():  # it did not have the original
            self._tails.add_catch_up_reader(tail, trigger, before[trigger])
            tail.start_offsets[trigger] = tail.offset
        self._tails.queue.schedule(tail.key)
        self._tails.save_checkpoint(tail, urgent=True)
        return True
