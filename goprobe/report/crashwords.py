"""Why the process of a core ended, in words."""

from __future__ import annotations

from msgspec import UNSET

from goprobe.model.attached import Crash


def crashed(told: Crash) -> tuple[str, str]:
    """ "Crashed in goroutine 1: ", "panic: …"; of a signal that is all: "Ended by SIGABRT", ""."""
    where = f" in goroutine {told.goroutine}" if told.goroutine else ""
    if told.kind == "signal":
        return f"Ended by {told.signal}{_about(told)}{where}", ""
    return f"Crashed{where}: ", f"{told.kind}: {told.message}"


def signals(told: Crash) -> str:
    """ "for SIGSEGV at address 0x18; ended by SIGABRT"."""
    if told.kind == "signal":
        return ""
    made = f"for {told.signal}{_about(told)}" if told.signal else ""
    ended = f"ended by {told.ended_by}" if told.ended_by else ""
    return "; ".join(filter(None, (made, ended)))


def earlier(told: Crash) -> list[str]:
    """The panics that were not over."""
    return [f"while it panicked already: {message}" for message in told.earlier]


def _about(told: Crash) -> str:
    return f" at address {told.address}" if told.address is not UNSET else ""
