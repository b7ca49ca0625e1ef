"""Limits of resources as a person writes them."""

import pytest

from notifyd.config.resource_limits import ClearingLimit, ResourceLimit, ResourceValue, parse_clear
from notifyd.model.persistence import Persistence

GIB = 1 << 30
DISK = ResourceValue(90.0, used=90 * GIB, free=10 * GIB)


@pytest.mark.parametrize(
    ("limit", "resource", "value", "passed"),
    [
        ("90%", "disk", DISK, True),
        ("90.5%", "disk", DISK, False),
        (90, "disk", DISK, True),
        ("> 90%", "disk", DISK, False),
        ("90% used", "disk", DISK, True),
        ("10% free", "disk", DISK, True),
        ("9% free", "disk", DISK, False),
        ("10GiB free", "disk", DISK, True),
        ("9GiB free", "disk", DISK, False),
        ("< 10GiB free", "disk", DISK, False),
        ("90 GiB used", "memory", DISK, True),
        ("1000 free", "inodes", ResourceValue(99.0, free=999), True),
        ("8", "load", ResourceValue(8.0, percent=400), True),
        (8.5, "load", ResourceValue(8.0, percent=400), False),
        ("400%", "load", ResourceValue(8.0, percent=400), True),
        ("< 5%", "gpu-utilization", ResourceValue(4.0), True),
        ("< 5%", "gpu-utilization", ResourceValue(5.0), False),
        ("85°C", "gpu-temperature", ResourceValue(85.0), True),
        (85, "gpu-temperature", ResourceValue(84.0), False),
        ("5GiB free", "disk", ResourceValue(0.0), False),
    ],
)
def test_a_limit_is_passed_from_its_value_on(limit, resource, value, passed):
    assert ResourceLimit.parse(limit).in_units_of(resource).is_passed(value) is passed


@pytest.mark.parametrize("value", ["", "much", "90 percent", True, None, "5GiB", "5ZiB free", "-3"])
def test_what_is_no_limit_is_refused(value):
    with pytest.raises(ValueError, match=r"use for example|say of what"):
        ResourceLimit.parse(value)


@pytest.mark.parametrize(
    ("limit", "resource"),
    [
        ("5GiB free", "load"),
        ("85°C", "disk"),
        ("5 free", "disk"),
        ("101%", "memory"),
        (0.9, "memory"),
        ("5%", "gpu-temperature"),
    ],
)
def test_a_limit_in_units_of_another_resource_is_refused(limit, resource):
    with pytest.raises(ValueError, match=r"use|must"):
        ResourceLimit.parse(limit).in_units_of(resource)


def test_clear_is_a_limit_or_a_time_or_a_number_of_times():
    assert parse_clear("5m") == Persistence(seconds=300.0)
    assert parse_clear("3 times") == Persistence(times=3)
    assert parse_clear("75%") == ClearingLimit(limit=ResourceLimit.parse("75%"))
    assert parse_clear(4) == ClearingLimit(limit=ResourceLimit.parse(4))
    with pytest.raises(ValueError, match="a limit such as"):
        parse_clear("soon")


def test_a_number_is_shown_with_its_unit():
    assert ResourceLimit.parse(90).in_units_of("disk").label == "90%"
    assert ResourceLimit.parse(8).in_units_of("load").label == "8"
    assert ResourceLimit.parse("5GiB free").in_units_of("disk").label == "5GiB free"
