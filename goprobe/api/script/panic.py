"""What a goroutine panics with, and what the runtime ends a program for."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goprobe.analysis.goroutines.panicwords import TYPE_ASSERTION, said
from goprobe.api.script.driver import FATAL, PANIC, Driver
from goprobe.api.script.packagevariable import package_variable
from goprobe.api.script.value import Value


class Panic(msgspec.Struct, frozen=True):
    """Why the goroutine panics, or the runtime ends the program: `value` is what panic was called
    with; `message` as the runtime would print it, as far as that is told here."""

    message: str
    value: Value


_SIGNALLED = "runtime.fatalsignal"
"""Where the runtime ends the program for a signal: one in C code, say (src/runtime/signal_unix.go,
Go 1.21 to 1.27)."""
_VARIABLES = {PANIC: "e", FATAL: "s"}
_SIGNAL = "sig"


def panic_variable(where: str, function: str) -> str:
    """What tells, at the event `where`, what is wrong; "" at other stops."""
    return _SIGNAL if where == FATAL and function == _SIGNALLED else _VARIABLES.get(where, "")


def panic_of(driver: Driver, name: str, value: Value, alive: Callable[[], object]) -> Panic:
    """What that variable's value says."""
    if name != _SIGNAL:
        return Panic(message_of(value), value)
    table = package_variable(driver, "runtime.sigtable", alive)
    at = int(value)
    known = at < len(table)  # as the runtime names it: "SIGSEGV: segmentation violation"
    return Panic(str(table[at]["name"]) if known else f"signal {at}", value)


def message_of(value: Value) -> str:
    """Of a string its text, of the errors of errors.New and fmt.Errorf theirs; of other structs
    their type and fields, for what their methods would say cannot be asked."""
    if value.holds_nil or value.is_nil:
        return value.text
    if value.dynamic_type == TYPE_ASSERTION:  # its types are addresses of the runtime's own
        return said(value.dynamic_type, {"missingMethod": str(value["missingMethod"])}, "")
    shown = f"({value.dynamic_type}) {value.data.text if value.data else value.text}"
    return said(value.dynamic_type, value.py, shown)
