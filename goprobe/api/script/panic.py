"""What a goroutine panics with, and what the runtime ends a program for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from goprobe.api.script.driver import FATAL, PANIC, Driver
from goprobe.api.script.value import Value

_RUNTIME_ERROR, _BOUNDS_ERROR = "runtime.errorString", "runtime.boundsError"
_ASSERTION = "*runtime.TypeAssertionError"
_BOUNDS = (
    "index out of range [{x}] with length {y}",
    "slice bounds out of range [:{x}] with length {y}",
    "slice bounds out of range [:{x}] with capacity {y}",
    "slice bounds out of range [{x}:{y}]",
    "slice bounds out of range [::{x}] with length {y}",
    "slice bounds out of range [::{x}] with capacity {y}",
    "slice bounds out of range [:{x}:{y}]",
    "slice bounds out of range [{x}:{y}:]",
    "cannot convert slice with length {y} to array or pointer to array with length {x}",
)
"""By boundsError.code (src/runtime/error.go, boundsErrorFmts; Go 1.21 to 1.27)."""
_BELOW = (
    "index out of range [{x}]", *("slice bounds out of range [:{x}]",) * 2,
    "slice bounds out of range [{x}:]", *("slice bounds out of range [::{x}]",) * 2,
    "slice bounds out of range [:{x}:]", "slice bounds out of range [{x}::]",
)  # fmt: skip
"""Of an x below zero (boundsNegErrorFmts there)."""


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
    table = Value(driver, driver.global_variable("runtime.sigtable"), alive)
    at = int(value)
    known = at < len(table)  # as the runtime names it: "SIGSEGV: segmentation violation"
    return Panic(str(table[at]["name"]) if known else f"signal {at}", value)


def message_of(value: Value) -> str:
    """Of a string its text, of the errors of errors.New and fmt.Errorf theirs; of other structs
    their type and fields, for what their methods would say cannot be asked."""
    if value.holds_nil or value.is_nil:
        return value.text
    if value.dynamic_type == _ASSERTION:  # its types are addresses of the runtime's own
        method = str(value["missingMethod"])
        return f"interface conversion{method and f': missing method {method}'}"
    told = value.py
    if value.dynamic_type == _BOUNDS_ERROR and isinstance(told, dict):
        return _out_of_bounds(told) or value.text
    if isinstance(told, dict):
        shown = f"({value.dynamic_type}) {value.data.text if value.data else value.text}"
        told = next((told[n] for n in ("s", "msg") if isinstance(told.get(n), str)), shown)
    if value.dynamic_type == _RUNTIME_ERROR:
        return f"runtime error: {told}"
    return str(told)


def _out_of_bounds(told: dict[str, Any]) -> str:
    """What the runtime says of an index; "" where its error is another one than is known here."""
    x, y, code = told.get("x"), told.get("y"), told.get("code")
    if not isinstance(x, int) or not isinstance(code, int):
        return ""
    forms = _BELOW if told.get("signed") and x < 0 else _BOUNDS
    x = x if told.get("signed") else x & (1 << 64) - 1
    return f"runtime error: {forms[code].format(x=x, y=y)}" if 0 <= code < len(forms) else ""
