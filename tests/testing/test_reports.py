"""What is asserted of packages is built and run once, as long as nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.testing import Probe
from goprobe.testing.reports import Reports
from tests.support.go import toolchain

_FILES = {
    "m/go.mod": "module example.com/m\n\ngo 1.21\n\nrequire example.com/o v0.0.0\n\n"
    "replace example.com/o => ../o\n",
    "m/m.go": """package m

import "example.com/o"

//go:noinline
func Add(a, b int) int { return a + b + o.O }
""",
    "m/m_test.go": """package m

import (
	"os"
	"testing"
)

func TestAdd(t *testing.T) {
	Add(1, 2)
	f, _ := os.OpenFile(os.Getenv("RUNS"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	f.WriteString("run\\n")
	f.Close()
}
""",
    "o/go.mod": "module example.com/o\n\ngo 1.21\n",
    "o/o.go": "package o\n\nvar O = 3\n",
}


def test_once_for_all_assertions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, text in _FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path / "m")
    reports = Reports()

    def runs(*targets: str, **options: object) -> int:
        for _ in range(2):
            with Probe(tmp_path, reports) as probe:
                probe.assert_no_allocation("m.Add", *targets, go=str(toolchain()), **options)
                probe.assert_promises(*targets, go=str(toolchain()), **options)
        return (tmp_path / "runs").read_text().count("run")

    assert runs(".") == 1
    assert runs(".", run_tests="Add") == 2
    (tmp_path / "o/o.go").write_text("package o\n\nvar O = 45\n")
    assert runs(".") == 3
    monkeypatch.setenv("OTHER", "1")
    assert runs(".") == 4
