"""What semaphores are part of: the values of package sync that hold them, and how those stand.

Source: src/sync/mutex.go, rwmutex.go, waitgroup.go, cond.go, and internal/sync/mutex.go since
Go 1.24; the words that are read lie at the same places in Go 1.21 to 1.27.
"""

from __future__ import annotations

import struct

import msgspec

from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory

MUTEX, RWMUTEX, GROUP, CONDITION = "sync.Mutex", "sync.RWMutex", "sync.WaitGroup", "sync.Cond"
KINDS = {MUTEX: "mutex", RWMUTEX: "rwmutex", GROUP: "wait group", CONDITION: "condition"}
_OF_REASON = {
    "sync.Mutex.Lock": (MUTEX, 4, "lock"),  # sync.Mutex: state, sema
    "sync.RWMutex.Lock": (RWMUTEX, 8, "lock"),  # w, writerSem, readerSem, readerCount, readerWait
    "sync.RWMutex.RLock": (RWMUTEX, 12, "read lock"),
    "sync.WaitGroup.Wait": (GROUP, 8, "wait"),  # state, sema
    "sync.Cond.Wait": (CONDITION, 16, "wait"),  # L, notify
}
_PARTS_LIMIT = 32
_LOCKED = 1
_SHIFT = 3  # mutexWaiterShift: below are locked, woken and starving
_BUBBLE = 0x7FFFFFFF  # waitGroupBubbleFlag above it, Go 1.25
_READERS = 1 << 30  # rwmutexMaxReaders: taken off readerCount while a writer waits or writes


class Lock(msgspec.Struct, frozen=True):
    """`type` is the value's ("sync.Mutex"), `address` where that begins; "" and the semaphore's own
    address where it is of nothing that is known."""

    type: str
    address: int
    operation: str


def by_reason(reason: str, semaphore: int) -> Lock:
    """What the runtime's word for the wait tells: a mutex may be an RWMutex's own."""
    kind, offset, operation = _OF_REASON.get(reason, ("", 0, ""))
    return Lock(kind, semaphore - offset, operation)


def value_around(types: TypeReader, go_type: GoType, offset: int) -> tuple[str, str, int]:
    """The value of package sync that lies `offset` bytes into one of a type: how Go selects it, its
    type, and where it begins; its type is "" where there is none."""
    path, begins = "", 0
    for _ in range(_PARTS_LIMIT):
        if go_type.name in KINDS:
            return path, go_type.name, begins
        if go_type.kind == GoKind.STRUCT:
            inside = (
                (m, part)
                for m in reversed(go_type.members)
                if m.offset <= offset - begins < m.offset + (part := types.at(m.type)).size
            )
            member, go_type = next(inside, (None, go_type))
            if member is None:
                break
            path, begins = f"{path}.{member.name}", begins + member.offset
        elif go_type.kind == GoKind.ARRAY and (part := types.at(go_type.elem)).size:
            index = (offset - begins) // part.size
            path, begins, go_type = f"{path}[{index}]", begins + index * part.size, part
        else:
            break
    return path, "", begins


def state_of(memory: Memory, lock: Lock) -> str:
    """ "locked, 3 wait", "2 read, a writer waits", "counter 2"; "" where it cannot be read."""
    try:
        raw = memory.read(lock.address, 24)
    except UnreadableError:
        return ""
    if lock.type == MUTEX:
        (state,) = struct.unpack_from("<I", raw)
        return _joined("locked" if state & _LOCKED else "not locked", _waiting(state >> _SHIFT))
    if lock.type == RWMUTEX:
        return _readers(raw)
    if lock.type == GROUP:
        waiters, counter = _counts(raw)
        return _joined(f"counter {counter}", _waiting(waiters & _BUBBLE))
    return ""


def is_read(memory: Memory, rwmutex: int) -> bool | None:
    """Whether readers have it; None where nobody has, or it cannot be read."""
    try:
        count, left = struct.unpack_from("<ii", memory.read(rwmutex, 24), 16)
    except UnreadableError:
        return None
    if count < 0 and left >= 0:  # a writer has it, or waits for the readers that do
        return bool(left)
    return True if count > 0 else None


def counter_of(memory: Memory, group: int) -> int:
    """How often Done has to be called yet for a wait group; 0 where it cannot be read."""
    try:
        return max(_counts(memory.read(group, 8))[1], 0)
    except UnreadableError:
        return 0


def _counts(group: bytes) -> tuple[int, int]:
    """Of a wait group: who waits, with a bit for its bubble, and its counter."""
    waiters, counter = struct.unpack_from("<Ii", group)
    return waiters, counter


def _readers(raw: bytes) -> str:
    count, left = struct.unpack_from("<ii", raw, 16)
    (writers,) = struct.unpack_from("<I", raw)
    if count >= 0:
        return f"{count} read" if count else "not locked"
    readers = f"{left} read" if left else "locked"
    more = writers >> _SHIFT
    waits = "a writer waits" if left else ""
    behind = f"{count + _READERS - left} more want to read" if count + _READERS > left else ""
    return _joined(readers, waits, behind, f"{more} more want to write" if more else "")


def _waiting(count: int) -> str:
    return f"{count} wait" if count > 1 else ("1 waits" if count else "")


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
