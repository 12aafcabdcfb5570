"""What users import from goprobe. Adding is fine; anything else breaks their scripts."""

from __future__ import annotations

from importlib import resources

import goprobe

NAMES = {
    "GOROUTINE", "PANIC", "STACK_MOVE", "Diff", "Process", "Program", "Snapshot", "Stop",
    "StopWarning",
    "TraceRequest", "Watch", "__version__", "attach", "launch", "replay", "trace", "GoprobeError",
    "escape", "assert_promises", "assert_no_allocation",
}  # fmt: skip


def test_public_names() -> None:
    assert set(goprobe.__all__) >= NAMES
    for name in goprobe.__all__:
        assert getattr(goprobe, name) is not None


def test_it_is_typed() -> None:
    assert (resources.files("goprobe") / "py.typed").is_file()
