"""Lists in the configuration: one string in place of a list, and no entry twice."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field


def _to_list(value: object) -> object:
    """Accept one string in place of a list."""
    return [value] if isinstance(value, str) else value


def _check_unique(values: list[str]) -> list[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"duplicate entry {value!r}")
    return values


STRING_OR_LIST = BeforeValidator(_to_list)
UNIQUE = AfterValidator(_check_unique)
NON_EMPTY = Field(min_length=1)
Names = Annotated[list[str], UNIQUE, STRING_OR_LIST]
