"""Which goroutines are asked about, and in which order they are told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec
from msgspec import UNSET

from goprobe.errors import UsageError
from goprobe.model.attached import GoroutineGroup, GoroutineState
from goprobe.runtime.goroutines.goroutines import STATUS_NAMES

COUNT, AGE, MEMORY = "count", "age", "memory"
ORDERS = (COUNT, AGE, MEMORY)
# A symbol's name has the dots of the last part of its package's path escaped (gopkg.in/yaml%2ev3.f:
# cmd/internal/objabi/path.go, PathToPrefix, Go 1.21 to 1.27); people type them as they are.
_ESCAPED_DOT, _PATHS_DOT = "%2e", "\0"
_POINTER = re.compile(r"\(\*([^()]*)\)")  # of a method's receiver
_TYPE_ARGUMENTS = re.compile(r"\[[^\]]*\]+")


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Those for whom all of it holds: they stand `within` a function, type or package, or were made
    there; are in a `state`, or wait for that reason; have waited for so many microseconds; have one
    of these `ids`, all of these `labels`; are the `user`'s, not the runtime's own. `order` sorts
    them, the most first. Raises UsageError for an order that there is not."""

    within: str = ""
    state: str = ""
    older_us: int = 0
    ids: frozenset[int] = frozenset()
    labels: tuple[tuple[str, str], ...] = ()
    user: bool = False
    order: str = COUNT

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise UsageError(
                f"goroutines cannot be sorted by {self.order!r}", hint=f"by {', '.join(ORDERS)}"
            )

    @property
    def words(self) -> str:
        """What was asked for, as it was asked for; "" where all were."""
        ids = ",".join(map(str, sorted(self.ids)))
        parts = [
            f"--in {self.within}" if self.within else "",
            f"--state {self.state!r}" if self.state else "",
            f"--older {self.older_us / 1e6:g}s" if self.older_us else "",
            f"--id {ids}" if ids else "",
            *(f"--label {key}={value}" for key, value in self.labels),
            "--user" if self.user else "",
        ]
        return " ".join(part for part in parts if part)

    def of(self, states: Iterable[GoroutineState]) -> tuple[GoroutineState, ...]:
        chosen = [state for state in states if self.takes(state)] if self.words else list(states)
        if self.order == AGE:
            chosen.sort(key=_age, reverse=True)
        if self.order == MEMORY:
            chosen.sort(key=lambda s: s.stack.high - s.stack.low, reverse=True)
        return tuple(chosen)

    def sorted(self, groups: Sequence[GoroutineGroup]) -> tuple[GoroutineGroup, ...]:
        """Groups, which come with the most frequent first."""
        if self.order == AGE:
            return tuple(sorted(groups, key=_oldest, reverse=True))
        if self.order == MEMORY:
            return tuple(sorted(groups, key=_memory, reverse=True))
        return tuple(groups)

    def takes(self, state: GoroutineState) -> bool:
        return (
            (not self.ids or state.id in self.ids)
            and (not self.user or not state.system)
            and (not self.older_us or _age(state) >= self.older_us)
            and (not self.state or _is_in(state, self.state.lower()))
            and all(state.labels.get(key) == value for key, value in self.labels)
            and (not self.within or self._is_within(state))
        )

    def _is_within(self, state: GoroutineState) -> bool:
        frames = state.frames if state.frames is not UNSET else ()
        functions = {*(f.function for f in frames), state.function, state.created_by}
        return any(is_named(function, self.within) for function in functions if function)


def is_named(function: str, name: str) -> bool:
    """Whether a function is the one, or of the type or package, of a name; its closures are, too.
    Of an import path the last part is enough, a type is `pkg.T` or `pkg.(*T)`, and `*` stands for
    anything."""
    function, name = (each.replace(_ESCAPED_DOT, _PATHS_DOT) for each in (function, name))
    plain = _TYPE_ARGUMENTS.sub("", function)
    for full in dict.fromkeys((function, plain, _POINTER.sub(r"\1", plain, count=1))):
        for known in dict.fromkeys((full, full.rpartition("/")[2])):
            if _begins(known, name) and known[len(name) : len(name) + 1] in ("", ".", "["):
                return True
            if "*" in name and _fits(known.replace(_PATHS_DOT, "."), name.replace(_PATHS_DOT, ".")):
                return True
    return _begins(plain, f"{name}/")


def _fits(known: str, pattern: str) -> bool:
    return fnmatchcase(known, pattern) or fnmatchcase(known, f"{pattern}.*")


def _begins(known: str, name: str) -> bool:
    return known[: len(name)].replace(_PATHS_DOT, ".") == name.replace(_PATHS_DOT, ".")


def _age(state: GoroutineState) -> int:
    return state.waiting_us if state.waiting_us is not UNSET else 0


def _is_in(state: GoroutineState, wanted: str) -> bool:
    reason = state.wait_reason.lower()
    return _says(wanted, state.status, reason) or bool(
        reason and wanted == "leaked" and state.leaked
    )


def can_be(wanted: str, reasons: Iterable[str]) -> bool:
    """Whether a goroutine can be in such a state at all, of a runtime with these wait reasons."""
    low = wanted.lower()
    return any(_says(low, status, "") for status in STATUS_NAMES.values()) or any(
        _says(low, "waiting", reason.lower()) for reason in reasons
    )


def _says(wanted: str, status: str, reason: str) -> bool:
    """By the status, the reason or its beginning, or both as reports write them."""
    return wanted in (status, f"{status}: {reason}") or bool(reason and reason.startswith(wanted))


def _oldest(group: GoroutineGroup) -> int:
    return group.most_waiting_us if group.most_waiting_us is not UNSET else 0


def _memory(group: GoroutineGroup) -> int:
    held = group.retained_bytes if group.retained_bytes is not UNSET else 0
    return held + group.stack_bytes


EVERY = Chosen()
