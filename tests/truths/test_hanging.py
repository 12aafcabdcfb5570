"""A trial that never ends is named, with the place where it hangs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scripts.truths import __main__ as truths, trial


def test_a_trial_that_hangs_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In a process of its own, as there; what hangs is a sleep in place of a question."""
    monkeypatch.setattr(truths, "get_context", lambda _: truths_fork())
    monkeypatch.setattr(trial, "_LONGEST", 1.0)
    monkeypatch.setattr(trial, "_tried_out", lambda *given: time.sleep(60))
    arguments = [
        "truth",
        "variables",
        "--seed",
        "1",
        "--programs",
        "1",
        "--jobs",
        "1",
        "--shrink",
        "0",
        "--keep",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", arguments)
    assert truths.main() == 1
    told = capfd.readouterr()
    assert "lost, hung or ended its worker: variables seed 1 program 0" in told.out
    assert "Timeout" in told.err and "in try_out" in told.err


def truths_fork() -> object:
    from multiprocessing import get_context

    return get_context("fork")
