"""The order in which open files are read, and how long renamed files stay open."""

from notifyd.sources.logs.checkpoint import FileId
from notifyd.sources.logs.reading.read_queue import ReadQueue

A, B, C = (FileId(1, inode) for inode in (1, 2, 3))


def order(queue):
    keys = []
    while queue:
        keys.append(queue.next)
        queue.unschedule(queue.next)
    return keys


def test_files_are_read_in_the_order_in_which_they_are_scheduled():
    queue = ReadQueue()
    for key in (B, A, C, A):
        queue.schedule(key)
    assert A in queue
    queue.requeue(B)
    assert order(queue) == [A, C, B]
    assert A not in queue


def test_a_file_that_drains_is_read_before_all_others():
    queue = ReadQueue()
    queue.schedule(A)
    queue.drain(B, 60.0)
    queue.drain(C, 60.0)
    assert queue.draining == [B, C]
    assert order(queue) == [C, B, A]
    queue.schedule_draining()
    assert order(queue) == [B, C]


def test_a_file_has_drained_after_its_deadline_once_it_was_read():
    queue = ReadQueue()
    queue.drain(A, 60.0)
    queue.drain(B, 61.0)
    assert queue.drained(60.0, 9) == []
    order(queue)
    assert queue.drained(59.9, 9) == []
    assert queue.drained(60.0, 9) == [A]
    assert queue.drained(61.0, 9) == [A, B]


def test_of_too_many_files_that_drain_the_first_have_drained():
    queue = ReadQueue()
    for key in (A, B, C):
        queue.drain(key, 60.0)
    order(queue)
    assert queue.drained(0.0, 1) == [A, B]
    queue.drain(A, 70.0)  # it was written to; its place among the others stays
    queue.unschedule(A)
    assert queue.drained(0.0, 2) == [A]


def test_a_file_that_is_named_again_or_closed_does_not_drain():
    queue = ReadQueue()
    for key in (A, B):
        queue.drain(key, 60.0)
    queue.stop_draining(A)
    queue.remove(B)
    assert (queue.draining, queue.has_draining, queue.is_draining(A)) == ([], False, False)
    assert order(queue) == [A]
