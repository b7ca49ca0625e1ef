from dataclasses import dataclass, field

import pytest

from notifyd.http.open_connections import ConnectionLimits, OpenConnections, RemoteClient
from notifyd.http.server import fit_descriptors


@dataclass(frozen=True)
class User:
    share_key: int
    is_privileged: bool = False


@dataclass(eq=False)
class Door:
    client: User
    evicted: list = field(default_factory=list)

    def evict(self) -> None:
        self.evicted.append(self)


@dataclass
class Fixture:
    limits: ConnectionLimits
    connections: OpenConnections = field(init=False)

    def __post_init__(self) -> None:
        self.connections = OpenConnections(self.limits)

    def opened(self, user: User) -> Door | None:
        if not self.connections.make_room(user):
            return None
        door = Door(user)
        self.connections.add(door)
        return door

    def busy(self, user: User) -> Door | None:
        door = self.opened(user)
        return door if door is not None and self.connections.set_busy(door) else None


ALICE, BOB, ROOT = User(1), User(2), User(0, is_privileged=True)
SMALL = ConnectionLimits(connections=6, per_client=4, reserved=1)


def test_at_its_own_limit_a_client_loses_its_longest_waiting_connection() -> None:
    house = Fixture(SMALL)
    bob, first, second, *_ = [house.opened(user) for user in (BOB, ALICE, ALICE, ALICE, ALICE)]
    house.connections.set_waiting(first)  # it was just answered
    assert house.opened(ALICE)
    assert (bob.evicted, first.evicted, second.evicted) == ([], [], [second])


def test_a_client_whose_connections_are_all_busy_is_refused() -> None:
    house = Fixture(ConnectionLimits(connections=60, per_client=4))
    doors = [house.busy(ALICE) for _ in range(4)]
    assert house.opened(ALICE) is None
    assert house.opened(BOB)
    house.connections.remove(doors[0])
    assert house.opened(ALICE)


def test_at_the_total_limit_the_client_with_most_loses_one() -> None:
    house = Fixture(SMALL)
    bobs = [house.opened(BOB) for _ in range(2)]
    alices = [house.opened(ALICE) for _ in range(4)]
    assert house.opened(User(3))
    assert [len(door.evicted) for door in bobs + alices] == [0, 0, 1, 0, 0, 0]


def test_privileged_clients_have_reserved_places() -> None:
    house = Fixture(SMALL)
    for uid in range(1, 7):
        assert house.busy(User(uid))
    assert house.opened(User(7)) is None
    assert house.busy(ROOT)
    assert house.opened(ROOT) is None


def test_requests_at_work_leave_places_for_other_clients() -> None:
    house = Fixture(ConnectionLimits(connections=60, per_client=30, reserved=1))
    hogs = [User(uid) for uid in range(1, 10)]
    for _ in range(60):
        for hog in hogs:
            house.busy(hog)
    for uid in range(10, 15):
        assert house.busy(User(uid))
    assert house.busy(ROOT)


def test_one_client_alone_may_have_half_of_the_places_at_work() -> None:
    house = Fixture(ConnectionLimits())
    assert sum(house.busy(ALICE) is not None for _ in range(512)) == 256


def test_a_place_is_free_again_when_a_request_is_done_or_its_connection_closed() -> None:
    house = Fixture(ConnectionLimits(connections=4, per_client=4))
    first, second = house.busy(ALICE), house.busy(ALICE)
    assert house.busy(ALICE) is None
    house.connections.set_waiting(first)
    assert house.busy(ALICE)
    house.connections.remove(second)
    assert house.connections.set_busy(first)
    assert house.connections.set_busy(first)  # it is already
    assert house.busy(BOB)


def test_unread_responses_are_limited_by_client() -> None:
    house = Fixture(ConnectionLimits(stalled=2))
    for user in (ALICE, BOB):
        house.busy(user)
    assert [house.connections.add_stalled(ALICE) for _ in range(3)] == [True, True, False]
    assert house.connections.add_stalled(BOB)
    for _ in range(2):
        house.connections.remove_stalled(ALICE)
    assert house.connections.add_stalled(ALICE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%lo", "fe80::2%lo", True),
        ("", "", True),
    ],
)
def test_remote_clients_are_counted_by_address_or_ipv6_network(one, other, same) -> None:
    assert (RemoteClient(one).share_key == RemoteClient(other).share_key) is same


def test_the_limits_leave_half_of_the_descriptors(monkeypatch) -> None:
    for soft, wanted in ((20_000, (512, 256)), (256, (112, 56)), (-1, (512, 256))):
        monkeypatch.setattr("resource.getrlimit", lambda _kind, soft=soft: (soft, soft))
        fitted = fit_descriptors(ConnectionLimits())
        assert (fitted.connections, fitted.per_client) == wanted
