"""A trial that takes too long is ended with all that it started, and named with its place."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from scripts.truths import __main__ as truths, trial


def _tried(monkeypatch: pytest.MonkeyPatch, keep: Path) -> int:
    """In a process of its own, as there; what hangs takes the place of a question."""
    monkeypatch.setattr(truths, "get_context", lambda _: truths_fork())
    arguments = "truth variables --seed 1 --programs 1 --jobs 1 --shrink 0 --keep"
    monkeypatch.setattr("sys.argv", [*arguments.split(), str(keep)])
    return truths.main()


def test_a_trial_that_hangs_is_ended_and_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    note = tmp_path / "pid"

    def hang(*given: object) -> None:
        try:
            subprocess.run(["/bin/sh", "-c", f"setsid sleep 100 & echo $$ $! >{note}; wait"])
        except Exception as error:  # as a question is asked: no answer is made of it
            raise AssertionError from error

    monkeypatch.setattr(trial, "_LONGEST", 2.0)
    monkeypatch.setattr(trial, "_asked_in_time", hang)
    begun = time.monotonic()
    assert _tried(monkeypatch, tmp_path) == 1
    assert time.monotonic() - begun < 30
    told = capfd.readouterr()
    again = "scripts/truth variables --seed 1 --first 0 --programs 1"
    assert f"took too long: {again}" in told.out
    assert f"took too long: {again}" in told.err and "in hang" in told.err
    for pid in note.read_text().split():
        while Path(f"/proc/{pid}").exists():  # init has to notice
            assert time.monotonic() - begun < 30
            time.sleep(0.01)


def test_one_that_cannot_be_ended_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(trial, "_LONGEST", 0.5)
    monkeypatch.setattr(trial, "_tried_out", lambda *given: time.sleep(60))
    assert _tried(monkeypatch, tmp_path) == 1
    told = capfd.readouterr()
    assert "lost, hung or ended its worker: scripts/truth variables --seed 1" in told.out
    assert "Timeout" in told.err and "in try_out" in told.err


def truths_fork() -> object:
    from multiprocessing import get_context

    return get_context("fork")
