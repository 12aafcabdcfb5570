"""The doctor's findings: on this machine, without tools, and where the kernel forbids it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goprobe.analysis.doctor import _permission, examine
from goprobe.model.codec import from_json, to_json
from goprobe.model.doctor import SCHEMA, DoctorReport, Health
from goprobe.process.rights.privileges import Privileges, read_privileges
from goprobe.toolchain.find import GdbTool
from tests.support.gdb import gdbs
from tests.support.go import toolchain

ROOT = Path(__file__).parents[2]
NAMES = ["machine", "Go", "GDB", "permission", "cache", "speed", "build", "launch"]


def by_name(report: DoctorReport) -> dict[str, Health]:
    return {check.name: check.health for check in report.checks}


@pytest.mark.parametrize("tool", gdbs(), ids=lambda tool: f"gdb-{tool.version}")
def test_all_is_well(tool: GdbTool) -> None:
    said: list[str] = []
    report = examine(str(toolchain()), str(tool.path), said.append)
    assert report.works, report
    assert report.schema == SCHEMA and [check.name for check in report.checks] == NAMES
    findings = {check.name: check.finding for check in report.checks}
    assert f"GDB {tool.version} (--gdb)" in findings["GDB"]
    assert "ran a Go program, and goprobe read its memory" in findings["launch"]
    assert said[-1] == ""
    assert from_json(to_json(report), DoctorReport) == report


def test_no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    report = examine("/nonexistent/go", "/bin/false")
    assert not report.works
    health = by_name(report)
    assert health["Go"] == health["GDB"] == Health.FAILED
    assert health["build"] == health["launch"] == Health.NOT_TRIED


def test_no_go_but_a_gdb() -> None:
    report = examine("/nonexistent/go", str(gdbs()[0].path))
    assert not report.works
    assert by_name(report)["launch"] == Health.OK
    assert "true, and goprobe read its memory" in report.checks[-1].finding


def test_a_go_that_does_not_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-nonesuch")
    report = examine(str(toolchain()), str(gdbs()[0].path))
    build = next(check for check in report.checks if check.name == "build")
    assert build.health == Health.FAILED and "-nonesuch" in build.finding
    assert not report.works


FORBID = """
import ctypes, struct, sys
# A seccomp filter as containers have them: ptrace (101) is refused with EPERM, all else allowed.
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 101), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in code))
header = struct.pack("=H6xQ", len(code), ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "no_new_privs"
assert libc.prctl(22, 2, ctypes.create_string_buffer(header)) == 0, "seccomp"
from goprobe.analysis.doctor import examine
from goprobe.model.codec import to_json
sys.stdout.buffer.write(to_json(examine(*sys.argv[1:])))
"""


def test_a_container_that_forbids_tracing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORBID, str(toolchain()), str(gdbs()[0].path)],
        capture_output=True,
        cwd=ROOT,
    )
    report = from_json(done.stdout, DoctorReport)
    assert not report.works
    launch = report.checks[-1]
    assert launch.health == Health.FAILED, done.stderr
    assert "does not let goprobe trace a program" in launch.finding
    assert "--cap-add=SYS_PTRACE" in launch.mend
    assert "under a seccomp filter" in json.dumps([check.finding for check in report.checks])


def test_our_own_privileges() -> None:
    rights = read_privileges()
    assert rights.root == (os.geteuid() == 0)
    assert rights.yama in (None, 0, 1, 2, 3)


@pytest.mark.parametrize(
    ("yama", "capable", "health", "mend"),
    [
        (None, False, Health.OK, ""),
        (0, False, Health.OK, ""),
        (1, False, Health.WARNING, "sudo sysctl kernel.yama.ptrace_scope=0"),
        (1, True, Health.OK, ""),
        (2, False, Health.FAILED, "kernel.yama.ptrace_scope=1"),
        (2, True, Health.OK, ""),
        (3, True, Health.FAILED, "reboot"),
    ],
)
def test_what_yama_means(yama: int | None, capable: bool, health: Health, mend: str) -> None:
    check = _permission(Privileges(False, yama, capable, False))
    assert check.health == health
    assert mend in check.mend and bool(mend) == bool(check.mend)
