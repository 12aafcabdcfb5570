"""Where Go could not build in the user's environment, it builds in ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from goprobe.cachefolder import cache_root
from goprobe.errors import CannotWorkError
from goprobe.toolchain.build import build, run_go
from goprobe.toolchain.environment import go_environment
from goprobe.toolchain.find import find_go
from tests.support.cli import goprobe
from tests.support.go import matrix, toolchain

NAMES = ("HOME", "GOCACHE", "GOPATH", "GOMODCACHE", "TMPDIR", "GOTMPDIR", "XDG_CACHE_HOME")
PROGRAM = 'package main\n\nfunc main() { println("hello") }\n'
OURS = f"goprobe-{os.geteuid()}"
OTHER = 4711


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def changed(environment: dict[str, str]) -> dict[str, str]:
    told = {**os.environ, "GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "local")}
    return {n: text for n, text in environment.items() if n in NAMES and told.get(n) != text}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    return made


def test_a_home_that_works_is_left_alone(home: Path) -> None:
    assert changed(go_environment()) == {}
    assert cache_root() == home / ".cache" / "goprobe"


def test_what_the_user_set_and_works_is_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOCACHE", "GOPATH", "TMPDIR", "GOTMPDIR"):
        (home / name).mkdir()
        monkeypatch.setenv(name, str(home / name))
    assert changed(go_environment()) == {}


@pytest.mark.parametrize("told", [None, "", "relative", "/nonexistent", "/dev/null"])
def test_without_a_home(told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    if told is not None:
        monkeypatch.setenv("HOME", told)
    root = cache_root()
    assert root and root.parent in (tmp_path, Path("/tmp"))
    assert Path(go_environment()["HOME"]) == root / "home"
    assert not Path("/nonexistent").exists()


def nobody(uid: int) -> object:
    raise KeyError(uid)


def test_places_that_cannot_be_written_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOCACHE", "TMPDIR", "GOTMPDIR"):
        monkeypatch.setenv(name, f"/proc/{name}")
    found = changed(go_environment())
    assert found.keys() == {"GOCACHE", "TMPDIR", "GOTMPDIR"}
    assert Path(found["GOCACHE"]).is_relative_to(home)
    assert all(os.access(folder, os.W_OK) for folder in found.values())


@pytest.mark.parametrize("go", matrix())
def test_a_program_is_built_with_nothing_of_the_users(
    go: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name != "PATH":
            monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setenv("TMPDIR", "/proc")
    source = tmp_path / "main.go"
    source.write_text(PROGRAM)
    built = build(str(source), find_go(str(toolchain(go))))
    done = subprocess.run([built.binary], capture_output=True, check=True)
    assert done.stderr == b"hello\n"
    assert OURS in built.binary.parts


READ_ONLY = """
set -e
mount --make-rprivate /
mount --bind "$HOME" "$HOME"
mount -o remount,bind,ro "$HOME"
exec "$@"
"""
ASK_HERE = """
import json, os
from goprobe.toolchain.environment import go_environment
print(json.dumps(go_environment()))
"""


@pytest.mark.parametrize("modules", [True, False])
def test_a_home_that_is_read_only(
    home: Path, monkeypatch: pytest.MonkeyPatch, modules: bool
) -> None:
    """What lies there is still used: modules, say."""
    if modules:
        (home / "go/pkg/mod").mkdir(parents=True)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", sys.executable, "-c", ASK_HERE],
        capture_output=True,
        text=True,
        cwd="/",
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespace of our own here: {done.stderr}")
    found = changed(json.loads(done.stdout))
    assert found.keys() == ({"GOCACHE"} if modules else {"GOCACHE", "GOPATH"}), done.stderr
    assert all(os.access(folder, os.W_OK) for folder in found.values())


ASK = f"""
import json, os, sys
import goprobe.toolchain.environment as environment
from goprobe.cachefolder import cache_root
os.setresgid({OTHER}, {OTHER}, {OTHER})
os.setgroups([])
os.setresuid({OTHER}, {OTHER}, {OTHER})
found = environment.go_environment()
root = cache_root()
print(json.dumps([str(root), root.stat().st_mode & 0o777, root.stat().st_uid, found]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("home", ["/root", "", None])
def test_as_another_user(home: str | None) -> None:
    kept = {name: text for name, text in os.environ.items() if name not in NAMES}
    with TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o1777)
        env = {**kept, "TMPDIR": folder, **({} if home is None else {"HOME": home})}
        done = subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, cwd="/")
        assert done.returncode == 0, done.stderr
        root, mode, owner, found = json.loads(done.stdout)
        assert (root, mode, owner) == (f"{folder}/goprobe-{OTHER}", 0o700, OTHER)
        for name in ("HOME", "GOCACHE", "GOPATH"):
            assert name not in found or found[name].startswith((root, f"{root}/home"))
        assert found["HOME"] == f"{root}/home"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module under git that belongs to somebody else."""
    if shutil.which("git") is None or os.geteuid() != 0:
        pytest.skip("takes git, and root to give files to others")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/repository\n\ngo 1.21\n")
    (folder / "main.go").write_text(PROGRAM)
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OTHER, OTHER)
    monkeypatch.setenv("GOCACHE", os.path.expanduser("~root/.cache/go-build"))  # noqa: PTH111
    yield folder


def test_git_that_does_not_answer_us(repository: Path) -> None:
    go = find_go(str(toolchain()))
    plain = (str(go.path), "build", "-o", os.devnull, ".")
    code, _, said = run_go(plain, repository, go_environment())
    assert code and "VCS" in said, "Go builds it as it is: nothing was tried"
    built = build(str(repository), go)
    assert subprocess.run([built.binary], capture_output=True).stderr == b"hello\n"
    ran = goprobe("escape", str(repository), env={"GOCACHE": os.environ["GOCACHE"]})
    assert ran.code == 0, ran.err


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os\nos.rmdir({str(gone)!r})\nfrom goprobe.__main__ import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, "trace", "x.go"], cwd=gone, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "goprobe: the folder that goprobe runs in is gone, or may not be looked at"
    )


@pytest.mark.parametrize("command", ["trace", "escape", "explain"])
def test_a_target_that_cannot_be_looked_at(command: str) -> None:
    long = "/tmp/" + "x" * 300 + ".go"
    ran = goprobe(command, long)
    assert ran.code == 2 and "bug" not in ran.err
    assert ran.err.splitlines()[-1] == f"goprobe: cannot use {long}: File name too long"


def test_nowhere_to_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setattr("goprobe.cachefolder.temporary_folders", lambda: iter(()))
    (tmp_path / "main.go").write_text(PROGRAM)
    with pytest.raises(CannotWorkError, match="no folder to build in"):
        build(str(tmp_path / "main.go"), find_go(str(toolchain())))
