"""scripts/check-runtime: the table of runtime fields is held against a real toolchain."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.lib import runtimefields
from tests.support.go import matrix, toolchain

SCRIPT = Path(__file__).parents[1] / "scripts" / "check-runtime"


def test_all_is_as_declared() -> None:
    programs = [toolchain(go) for go in matrix()]
    ran = subprocess.run([SCRIPT, *programs], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith(f"{len(programs)} toolchains, all as declared\n")
    assert "WRONG" not in ran.stdout


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    both = {"g.goid": True, "mspan.largeType?": True, "const _Gscan": True}
    assert runtimefields.report({"go1.2": both, "go1.3": both | {"mspan.largeType?": False}})
    assert "optional  mspan.largeType?: not in go1.3" in capsys.readouterr().out
    assert not runtimefields.report({"go1.2": both, "go1.3": both | {"g.goid": False}})
    assert "WRONG     g.goid: not in go1.3" in capsys.readouterr().out
    nowhere = both | {"const _Gscan": False}
    assert not runtimefields.report({"go1.2": nowhere, "go1.3": nowhere})
    assert "WRONG     const _Gscan: in no release" in capsys.readouterr().out


def test_what_nobody_reads_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(runtimefields.unread())
    idle = {"g": ("goid", "neverReadAnywhere"), "neverReadEither?": ()}
    monkeypatch.setattr(runtimefields, "STRUCTS", idle)
    monkeypatch.setattr(runtimefields, "CONSTANTS", ("_Gscan", "_KNobody"))
    assert list(runtimefields.unread()) == [
        "g.neverReadAnywhere",
        "struct neverReadEither?",
        "const _KNobody",
    ]
