"""The scripts of the first minute, but for what needs the network: CI does that for real."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = (
    "cksum",
    "dirname",
    "flock",
    "mkdir",
    "mktemp",
    "cat",
    "rm",
    "readlink",
    "sed",
    "tail",
    "sh",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the scripts in it and no .venv."""
    root = tmp_path / "check out"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with what a bare machine has, and no Python, Go, GDB or uv."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def run(
    command: Path, *args: str, path: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) if path is None else {"PATH": str(path)}
    return subprocess.run(
        [command, *args], env=environment, cwd=cwd, capture_output=True, text=True, timeout=60
    )


def have_venv(checkout: Path, kind: str, extras: str) -> None:
    """A .venv that says it is ready: whatever is run in it says so."""
    for name in ("goprobe", "python"):
        script(checkout / ".venv/bin" / name, f'echo "{name}" "$@"')
    with (checkout / "pyproject.toml").open("rb") as file:
        sum_ = subprocess.run(["cksum"], stdin=file, capture_output=True, text=True).stdout.strip()
    (checkout / f".venv/.ready-{kind}").write_text(f"{sum_} {checkout} [{extras}]\n")


@pytest.mark.parametrize(
    "name", ["goprobe", "test", "check", "install-toolchains", "lib/setup.sh", "../.ci/run"]
)
def test_any_posix_shell_can_read_them(name: str) -> None:
    path = ROOT / "scripts" / name
    for shell in ("sh", "bash", "dash"):
        if shutil.which(shell):
            subprocess.run([shell, "-n", path], check=True)
    assert name.endswith(".sh") or os.access(path, os.X_OK)


def test_without_any_python(checkout: Path, tools: Path) -> None:
    done = run(checkout / "scripts/goprobe", "doctor", path=tools)
    assert (done.returncode, done.stdout) == (3, "")
    assert "goprobe needs Python 3.11 or newer, and there is no Python" in done.stderr
    assert "apt-get install python3.11" in done.stderr


def test_with_a_python_that_is_too_old(checkout: Path, tools: Path) -> None:
    old = script(tools / "python3", 'case "$2" in *exit*) exit 1;; *) echo 3.9;; esac')
    done = run(checkout / "scripts/test", path=tools)
    assert done.returncode == 3
    assert f"3.11 or newer, and there is Python 3.9 ({old})" in done.stderr


def test_with_a_python_without_venv(checkout: Path, tools: Path) -> None:
    script(
        tools / "python3",
        'case "$1" in -m) echo "ensurepip is not available" >&2; exit 1;; *) echo 3.12;; esac',
    )
    done = run(checkout / "scripts/goprobe", path=tools)
    assert done.returncode == 3
    assert "ensurepip is not available" in done.stderr
    assert "apt-get install python3-venv" in done.stderr


@pytest.mark.parametrize("kind", ["user", "dev"])
def test_later_runs_do_nothing_but_run(checkout: Path, tools: Path, kind: str) -> None:
    have_venv(checkout, kind, "dev,fast,toolchain" if kind == "dev" else "fast,toolchain")
    link = tools / "linked"
    link.symlink_to(checkout / "scripts/goprobe")
    done = run(link, "trace", "a b", path=tools, cwd=tools)
    assert (done.stdout, done.stderr, done.returncode) == ("goprobe trace a b\n", "", 0)


def test_go_and_gdb_are_installed_only_where_there_are_none(checkout: Path, tools: Path) -> None:
    for there in (False, True):
        have_venv(checkout, "user", "")
        (checkout / ".venv/.ready-user").unlink()
        (checkout / ".venv/setup.log").unlink(missing_ok=True)
        assert "setting up" in run(checkout / "scripts/goprobe", path=tools).stderr
        log = (checkout / ".venv/setup.log").read_text()
        assert ".[fast,explore" in log
        assert ("toolchain" in log) is not there
        for name in ("go", "gdb"):
            script(tools / name, "")


def test_what_was_set_up_stays_whatever_the_environment_says(checkout: Path, tools: Path) -> None:
    for extras in ("fast", "fast,explore,toolchain"):
        have_venv(checkout, "user", extras)
        done = run(checkout / "scripts/goprobe", path=tools)
        assert (done.stdout, done.stderr) == ("goprobe\n", "")


def test_a_changed_project_is_set_up_anew(checkout: Path, tools: Path) -> None:
    have_venv(checkout, "user", "fast,toolchain")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    done = run(checkout / "scripts/goprobe", path=tools)
    assert "setting up" in done.stderr
    assert done.stdout == "goprobe\n"
    assert "--editable .[fast,explore,toolchain]" in (checkout / ".venv/setup.log").read_text()
    assert run(checkout / "scripts/goprobe", path=tools).stderr == ""


def test_an_installation_that_fails_shows_why(checkout: Path, tools: Path) -> None:
    have_venv(checkout, "user", "")
    (checkout / ".venv/.ready-user").unlink()
    script(checkout / ".venv/bin/python", '[ "$1" = -c ] || { echo "no network"; exit 1; }')
    done = run(checkout / "scripts/goprobe", path=tools)
    assert done.returncode == 3
    assert "no network" in done.stderr and "cannot install goprobe" in done.stderr
    assert not run(checkout / "scripts/goprobe", path=tools).stdout


@pytest.mark.parametrize(
    ("lacks", "told", "left"),
    [
        ("toolchain", "PyPI has no Go or no GDB", ".[fast,explore]"),
        ("fast", "PyPI has no numba", ".[explore,toolchain]"),
        ("fast* | *toolchain", "PyPI has no Go or no GDB", ".[explore]"),
    ],
)
def test_where_pypi_lacks_something_the_rest_is_installed(
    checkout: Path, tools: Path, lacks: str, told: str, left: str
) -> None:
    have_venv(checkout, "user", "")
    (checkout / ".venv/.ready-user").unlink()
    asked = 'case "$*" in *pip*) echo "$*" >> asked;; esac'
    script(checkout / ".venv/bin/python", f'{asked}; case "$*" in *{lacks}*) exit 1;; esac')
    done = run(checkout / "scripts/goprobe", path=tools)
    assert (done.returncode, done.stdout) == (0, "goprobe\n")
    assert told in done.stderr
    assert (checkout / "asked").read_text().splitlines()[-1].endswith(f"--editable {left}")


def test_tests_pass_their_arguments_on(checkout: Path, tools: Path) -> None:
    have_venv(checkout, "dev", "dev,fast,toolchain")
    done = run(checkout / "scripts/test", "tests/process", "-k", "a and b", path=tools)
    assert done.stdout.splitlines() == [
        "python scripts/lib/toolchains.py --newest",
        "python -m pytest -n 2 --dist worksteal tests/process -k a and b",
    ]


@pytest.fixture
def toolchains() -> ModuleType:
    spec = importlib.util.spec_from_file_location("toolchains", ROOT / "scripts/lib/toolchains.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["toolchains"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    del sys.modules["toolchains"]
    return module


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of a package `tool` whose program is executable, for pip to find without network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tool-1.0-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo("tool/bin/tool")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, "#!/bin/sh\necho tool\n")
        wheel.writestr("tool/data", "data")
        info = "tool-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_toolchain_is_unpacked_whole(
    toolchains: ModuleType, wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "toolchains"
    into.mkdir()
    wanted = toolchains.Toolchain("tool-1.0", "tool==1.0", "tool/bin/tool")
    (into / "tool-1.0/leftover").mkdir(parents=True)  # something broken stands in its place
    toolchains.install(wanted, into)
    program = into / "tool-1.0/tool/bin/tool"
    assert subprocess.run([program], capture_output=True, text=True).stdout == "tool\n"
    assert not os.access(into / "tool-1.0/tool/data", os.X_OK)
    assert [each.name for each in into.iterdir()] == ["tool-1.0"], "scratch was left behind"
    assert "installing tool==1.0" in capsys.readouterr().err
    shutil.rmtree(wheels)
    toolchains.install(wanted, into)  # there is nothing left to do
    assert capsys.readouterr().err == ""


def test_a_toolchain_that_pypi_has_not(
    toolchains: ModuleType, wheels: Path, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="cannot download tool"):
        toolchains.install(toolchains.Toolchain("tool-2.0", "tool==2.0", "tool"), tmp_path)
    with pytest.raises(SystemExit, match="holds no other/program"):
        toolchains.install(toolchains.Toolchain("t", "tool==1.0", "other/program"), tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["wheels"]


def test_the_matrix_is_the_supported_window(toolchains: ModuleType) -> None:
    from goprobe.toolchain.support import NEWEST_GDB, NEWEST_GO, OLDEST_GO

    releases = [tuple(map(int, version.split(".")[:2])) for version in toolchains.GO]
    assert (releases[0], releases[-1]) == (OLDEST_GO, NEWEST_GO)
    assert max(int(name.split(".")[0]) for name, _ in toolchains.GDB) == NEWEST_GDB[0]
