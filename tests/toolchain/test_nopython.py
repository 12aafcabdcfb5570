"""The stand-in for a missing libpython: what the packaged GDB makes of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goprobe.toolchain.nopython import build_library, folder_with_libpython
from tests.support.gdb import gdbs

PACKAGED = [tool.path for tool in gdbs() if "gdb_for_pwndbg" in str(tool.path)]


@pytest.mark.skipif(not PACKAGED, reason="no packaged GDB here: scripts/install-toolchains")
def test_the_packaged_gdb_runs_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = folder_with_libpython(PACKAGED[-1])
    assert folder is not None and folder.is_relative_to(tmp_path)
    [library] = folder.iterdir()
    assert re.fullmatch(r"libpython3\.\d+\.so\.1\.0", library.name)
    assert folder_with_libpython(PACKAGED[-1]) == folder  # it is made once

    done = subprocess.run(
        [
            PACKAGED[-1],
            "-nx",
            "-batch",
            "-ex",
            "info proc",
            "-ex",
            "python print('inside')",
            "-ex",
            "print 6 * 7",
            "-ex",
            "shell tr ' ' '\\n' </proc/$PPID/maps",
        ],
        env={**os.environ, "LD_LIBRARY_PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert "$1 = 42" in done.stdout
    assert "inside" not in done.stdout and "Python not initialized" in done.stderr
    loaded = {line for line in done.stdout.splitlines() if "libpython" in line}
    assert loaded == {str(library)}, "another libpython than the stand-in was loaded"


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf here")
def test_the_library_is_one_to_other_tools(tmp_path: Path) -> None:
    library = tmp_path / "libpython3.99.so.1.0"
    library.write_bytes(
        build_library(library.name, ["Py_Function", "PyStatus_Exception"], ["_Py_Object"])
    )
    said = subprocess.run(
        ["readelf", "-W", "--dynamic", "--use-dynamic", "--symbols", library],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not said.stderr
    assert "soname: [libpython3.99.so.1.0]" in said.stdout
    assert re.search(r"1 FUNC +GLOBAL DEFAULT +1 Py_Function", said.stdout)
    assert re.search(r"1024 OBJECT +GLOBAL DEFAULT +1 _Py_Object", said.stdout)


def test_what_the_functions_return(tmp_path: Path) -> None:
    library = tmp_path / "stub.so"
    library.write_bytes(
        build_library("stub.so", ["Py_A", "PyStatus_Exception", "PyConfig_Read"], ["Py_Object"])
    )
    program = f"""
import ctypes
class Status(ctypes.Structure):
    _fields_ = [("words", ctypes.c_uint64 * 4)]
stub = ctypes.CDLL({str(library)!r})
stub.PyConfig_Read.restype = Status
print(stub.Py_A(1), stub.PyStatus_Exception(), list(stub.PyConfig_Read().words))
print(ctypes.c_uint64.in_dll(stub, "Py_Object").value)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "0 1 [0, 0, 0, 0]\n0\n", done.stderr


def test_a_gdb_that_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert folder_with_libpython(Path("/bin/true")) is None
    assert folder_with_libpython(tmp_path / "none") is None
    (tmp_path / "text").write_text("no ELF at all")
    assert folder_with_libpython(tmp_path / "text") is None


@pytest.mark.skipif(not PACKAGED, reason="no packaged GDB here: scripts/install-toolchains")
def test_no_place_to_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setattr("goprobe.cachefolder.temporary_folders", lambda: iter(()))
    assert folder_with_libpython(PACKAGED[-1]) is None
