"""scripts/check-runtime: the table of runtime fields is held against a real toolchain."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.go import matrix, toolchain

SCRIPT = Path(__file__).parents[1] / "scripts" / "check-runtime"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = SourceFileLoader("check_runtime", str(SCRIPT))
    spec = spec_from_loader("check_runtime", loader)
    assert spec
    sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
    try:
        module = module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = kept
    return module


def test_all_is_as_declared() -> None:
    programs = [toolchain(go) for go in matrix()]
    ran = subprocess.run([sys.executable, SCRIPT, *programs], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith(f"{len(programs)} toolchains, all as declared\n")
    assert "WRONG" not in ran.stdout


def test_what_is_missing_is_named(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    both = {"g.goid": True, "mspan.largeType?": True, "const _Gscan": True}
    assert script.report({"go1.2": both, "go1.3": both | {"mspan.largeType?": False}})
    assert "optional  mspan.largeType?: not in go1.3" in capsys.readouterr().out
    assert not script.report({"go1.2": both, "go1.3": both | {"g.goid": False}})
    assert "WRONG     g.goid: not in go1.3" in capsys.readouterr().out
    nowhere = both | {"const _Gscan": False}
    assert not script.report({"go1.2": nowhere, "go1.3": nowhere})
    assert "WRONG     const _Gscan: in no release" in capsys.readouterr().out


def test_what_nobody_reads_is_named(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(script.unread())
    idle = {"g": ("goid", "neverReadAnywhere"), "neverReadEither?": ()}
    monkeypatch.setattr(script, "STRUCTS", idle)
    monkeypatch.setattr(script, "CONSTANTS", ("_Gscan", "_KNobody"))
    assert list(script.unread()) == [
        "g.neverReadAnywhere",
        "struct neverReadEither?",
        "const _KNobody",
    ]
