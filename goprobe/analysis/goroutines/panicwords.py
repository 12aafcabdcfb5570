"""What the runtime prints of what a goroutine panics with."""

from __future__ import annotations

from typing import Any

_RUNTIME_ERROR, _BOUNDS_ERROR = "runtime.errorString", "runtime.boundsError"
TYPE_ASSERTION = "*runtime.TypeAssertionError"
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

_TEXTS = ("s", "msg")
TELLING = frozenset({*_TEXTS, "x", "y", "signed", "code", "missingMethod"})
"""The fields of a panic's value that say what it says."""


def said(dynamic_type: str, told: Any, shown: str) -> str:
    """Of a value of a type, `told` as Python's own, of a struct by its fields: of a string its
    text, of the errors of errors.New and fmt.Errorf theirs; of other structs what is `shown`, for
    what their methods would say cannot be asked."""
    if isinstance(told, dict):
        if dynamic_type == TYPE_ASSERTION:
            method = told.get("missingMethod")
            return f"interface conversion{method and f': missing method {method}'}"
        if dynamic_type == _BOUNDS_ERROR:
            return _out_of_bounds(told) or shown
        told = next((told[n] for n in _TEXTS if isinstance(told.get(n), str)), shown)
    if isinstance(told, bool):
        return str(told).lower()
    if dynamic_type == _RUNTIME_ERROR:
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
