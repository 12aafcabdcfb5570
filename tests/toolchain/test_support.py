"""The window of tested releases, and the sentences for those outside of it."""

from __future__ import annotations

import pytest

from goprobe.toolchain.support import gdb_warning, go_warning
from tests.support.gdb import gdbs
from tests.support.go import toolchains


@pytest.mark.parametrize("version", ["1.21", "1.21.13", "1.24rc1", "1.27.3", "1.27.99"])
def test_go_inside(version: str) -> None:
    assert go_warning(version) == ""


@pytest.mark.parametrize(
    ("version", "what"),
    [
        ("1.20.14", "too old"),
        ("0.9", "too old"),
        ("1.28", "newer than goprobe"),
        ("2.0", "newer than goprobe"),
        ("devel", "does not know"),
        ("", "does not know"),
    ],
)
def test_go_outside(version: str, what: str) -> None:
    assert what in go_warning(version)
    assert "Go 1.21 to 1.27" in go_warning(version)


def test_gdb() -> None:
    assert gdb_warning("13.1") == gdb_warning("18.1") == gdb_warning("16.3.0") == ""
    assert "too old" in gdb_warning("12.1")
    assert "newer than goprobe" in gdb_warning("19.0.50")


def test_what_the_tests_run_with_is_inside() -> None:
    assert {go_warning(".".join(map(str, version))) for version in toolchains()} == {""}
    assert {gdb_warning(tool.version) for tool in gdbs()} == {""}
