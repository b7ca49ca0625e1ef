"""Cutting a long run of things into readings of a bounded size."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Give the items in lists of at most `size`, lazily."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
