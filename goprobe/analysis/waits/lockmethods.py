"""The methods of package sync that take locks and let go of them, by name.

Source: src/sync/mutex.go, rwmutex.go, waitgroup.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

import msgspec

ADD, GROUP_DONE = "sync.(*WaitGroup).Add", "sync.(*WaitGroup).Done"

TAKES = frozenset({"sync.(*Mutex).Lock", "sync.(*RWMutex).Lock", "sync.(*RWMutex).RLock"})
GIVES = frozenset({"sync.(*Mutex).Unlock", "sync.(*RWMutex).Unlock", "sync.(*RWMutex).RUnlock"})
TRIES = frozenset({"sync.(*Mutex).TryLock", "sync.(*RWMutex).TryLock", "sync.(*RWMutex).TryRLock"})
READS = frozenset({"sync.(*RWMutex).RLock", "sync.(*RWMutex).RUnlock"})
DONE = frozenset({GROUP_DONE})
# What these call, and so the code that they are inlined into: mutex.go and rwmutex.go, the mutex's
# in internal/sync since Go 1.24.
SLOW = {
    "sync.(*Mutex).lockSlow": "sync.(*Mutex).Lock",
    "sync.(*Mutex).unlockSlow": "sync.(*Mutex).Unlock",
    "internal/sync.(*Mutex).lockSlow": "sync.(*Mutex).Lock",
    "internal/sync.(*Mutex).unlockSlow": "sync.(*Mutex).Unlock",
    "sync.(*RWMutex).rUnlockSlow": "sync.(*RWMutex).RUnlock",
    "sync.runtime_SemacquireRWMutexR": "sync.(*RWMutex).RLock",
}
ASKED = TAKES | GIVES | TRIES | DONE | {ADD}
NEVER_ASKED = ("runtime.", "internal/", "sync.(*Mutex)", "sync.(*RWMutex)")
WRITE_LOCK, WRITE_UNLOCK = "sync.(*RWMutex).Lock", "sync.(*RWMutex).Unlock"


class Kind(msgspec.Struct, frozen=True):
    """What of one kind is taken by which methods, and given by which."""

    takes: frozenset[str]
    gives: frozenset[str]


LOCKS, GROUPS = Kind(TAKES, GIVES), Kind(frozenset({ADD}), DONE)
MUTEXES = Kind(frozenset({"sync.(*Mutex).Lock"}), frozenset({"sync.(*Mutex).Unlock"}))
# "It is a run-time error if rw is not locked for reading on entry to RUnlock" (rwmutex.go), and for
# writing to Unlock, which is not always noticed: what is wrong anyway frees nobody here.
READERS = Kind(
    frozenset({"sync.(*RWMutex).RLock"}),
    frozenset({"sync.(*RWMutex).RUnlock", "sync.(*rlocker).Unlock"}),
)
WRITERS = Kind(frozenset({WRITE_LOCK}), frozenset({WRITE_UNLOCK}))
EXACT = frozenset({MUTEXES, READERS, WRITERS})
"""Of locks of which it is known what they are, and who has them."""
