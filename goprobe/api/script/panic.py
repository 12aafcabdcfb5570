"""What a goroutine panics with, and what the runtime ends a program for."""

from __future__ import annotations

import msgspec

from goprobe.api.script.value import Value

_RUNTIME_ERROR = "runtime.errorString"


class Panic(msgspec.Struct, frozen=True):
    """Why the goroutine panics, or the runtime ends the program: `value` is what panic was called
    with; `message` as the runtime would print it, as far as that is told here."""

    message: str
    value: Value


SIGNALLED = "runtime.fatalsignal"
"""Where the runtime ends the program for a signal: one in C code, say (src/runtime/signal_unix.go,
Go 1.21 to 1.27)."""


def signal_of(number: Value, table: Value) -> str:
    """A signal as the runtime names it: "SIGSEGV: segmentation violation"."""
    at = int(number)
    return str(table[at]["name"]) if at < len(table) else f"signal {at}"


def message_of(value: Value) -> str:
    """Of a string its text, of the errors of errors.New and fmt.Errorf theirs."""
    told = value.py
    if isinstance(told, dict):
        told = next((told[n] for n in ("s", "msg") if isinstance(told.get(n), str)), value.text)
    if value.dynamic_type == _RUNTIME_ERROR:
        return f"runtime error: {told}"
    return str(told)
