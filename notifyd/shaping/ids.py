"""UUIDv7 without a random source, so that the fold stays a function of its arguments."""

import hashlib
import uuid


def uuid7(wall: float, seed: str, serial: int) -> str:
    """Make the id of the `serial`-th notification of a store whose secret is `seed`.

    Source: RFC 9562, section 5.7. The 74 free bits are a keyed hash of the serial number.
    """
    digest = hashlib.blake2b(serial.to_bytes(8, "big"), key=seed.encode()[:64], digest_size=10)
    free = int.from_bytes(digest.digest(), "big") >> 6
    milliseconds = max(0, int(wall * 1000)) & ((1 << 48) - 1)
    value = milliseconds << 80 | 7 << 76 | (free >> 62) << 64 | 2 << 62 | free & ((1 << 62) - 1)
    return str(uuid.UUID(int=value))
