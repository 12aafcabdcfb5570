"""The runtime's profile buckets: one for each stack that it sampled, and of memory each size.

Source: src/runtime/mprof.go (bucket, newBucket, stkbucket), Go 1.21 to 1.27. The stack's return
addresses lie behind the bucket, and behind these its record. A bucket is filled before it is made
the first of its list, and its place in that never changes.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from goprobe.errors import UndescribedError, UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.layout.record import Record
from goprobe.runtime.world import World

_DEEPEST = 1024  # maxProfStackDepth, mprof.go, Go 1.23 on; maxStack was 32 before
_WORD = 8


class Kind(Enum):
    """The lists that there are: the number that their buckets have (bucketType, mprof.go), the
    variable that leads to the first one, and what a record is."""

    MEMORY = 1, "mbuckets", "memRecord"
    BLOCK = 2, "bbuckets", "blockRecord"
    MUTEX = 3, "xbuckets", "blockRecord"

    def __init__(self, number: int, root: str, record: str) -> None:
        self.number = number
        self.root = root
        self.record = record


class Bucket(msgspec.Struct, frozen=True):
    """`stack` are return addresses, innermost first; `size` is that of the objects, of memory;
    `record` the bytes of its record."""

    address: int
    size: int
    stack: tuple[int, ...]
    record: bytes


class Buckets(msgspec.Struct, frozen=True):
    """All of one kind, the newest first. `broken` says what is wrong with the list."""

    all: tuple[Bucket, ...]
    broken: str = ""


def read_buckets(world: World, kind: Kind) -> Buckets:
    """Raises UnreadableError where the head of the list cannot be read, and UndescribedError where
    the binary does not say where that is."""
    head = u64(world.memory, world.roots[kind.root])
    lists, buckets = Lists(world.memory), list[Bucket]()
    broken = ""
    for header in lists.follow(world.layout.struct("bucket"), head, "allnext"):
        try:
            buckets.append(_bucket(world, kind, header))
        except (UnreadableError, ValueError) as error:
            broken = f"the bucket at {header.address:#x} makes no sense: {error}"
            break
    return Buckets(tuple(buckets), broken or lists.broken)


def held(world: World, lock: str) -> bool:
    """Whether a thread holds one of the runtime's locks on profiles: it is amid a step of several.
    False, too, where a stripped program does not show where the lock is.

    Source: src/runtime/lock_futex.go, lock_spinbit.go, lockrank_off.go (what is before the key has
    no size): the key of a lock that nobody holds, or waits for, is 0, Go 1.21 to 1.27.
    """
    try:
        return bool(u64(world.memory, world.roots[lock]))
    except (UndescribedError, UnreadableError):
        return False


def _bucket(world: World, kind: Kind, header: Record) -> Bucket:
    depth = header["nstk"]
    if header["typ"] != kind.number:
        raise ValueError(f"it is of kind {header['typ']}, in the list of kind {kind.number}")
    if depth > _DEEPEST:
        raise ValueError(f"its stack is {depth} deep")
    behind = header.address + world.layout.struct("bucket").size
    size = world.layout.struct(kind.record).size
    raw = world.memory.read(behind, _WORD * depth + size)
    words = memoryview(raw)[: _WORD * depth].cast("Q")
    return Bucket(header.address, header["size"], tuple(words), raw[_WORD * depth :])
