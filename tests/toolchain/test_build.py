"""From a TARGET to an executable: all its forms, and every way in which it can be none."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from goprobe.errors import BuildError, UsageError
from goprobe.toolchain.build import build, build_error
from goprobe.toolchain.built import Built, is_executable_file, prebuilt
from goprobe.toolchain.find import GoTool, find_go
from tests.support.go import matrix, toolchain

HELLO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Print("hello ", flavour) }\n'
FLAVOUR = 'package main\n\nconst flavour = "sour"\n'


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of goprobe's own for each test; Go's is shared, and nothing of Go's is set."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = Path("~/.cache/go-build").expanduser()
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE") or str(home))
    for name in ("GOTOOLCHAIN", "GOFLAGS", "GOPROXY", "GOWORK", "GO111MODULE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def go() -> GoTool:
    return find_go(str(toolchain()))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """example.com/m with a program in cmd/hello and a library in lib."""
    root = tmp_path / "m"
    (root / "cmd/hello").mkdir(parents=True)
    (root / "lib").mkdir()
    (root / "go.mod").write_text("module example.com/m\n\ngo 1.21\n")
    (root / "cmd/hello/main.go").write_text(HELLO)
    (root / "cmd/hello/flavour.go").write_text(FLAVOUR)
    (root / "lib/lib.go").write_text("package lib\n")
    return root


def run(built: Built) -> str:
    return subprocess.run([built.binary], capture_output=True, text=True, check=True).stdout


def settings(go: GoTool, built: Built) -> dict[str, str]:
    """The build settings in the binary, as Go itself reads them."""
    told = subprocess.run(
        [go.path, "version", "-m", built.binary], capture_output=True, text=True, check=True
    )
    # Go 1.27 quotes values with a space in them.
    lines = [line.split("\t") for line in told.stdout.splitlines()]
    pairs = (line[2].split("=", 1) for line in lines if line[1:2] == ["build"])
    return {name: value.strip('"') for name, value in pairs}


@pytest.mark.parametrize("release", matrix())
def test_a_go_file(release: str, tmp_path: Path) -> None:
    go = find_go(str(toolchain(release)))
    (tmp_path / "one file.go").write_text('package main\n\nfunc main() { print("x") }\n')
    built = build("one file.go", go)
    assert built.binary.name == "one file"
    assert built.binary.is_relative_to(tmp_path / "cache/goprobe/build")
    assert built.directory == tmp_path
    assert built.gcflags == "all=-N -l" == settings(go, built)["-gcflags"]
    assert built.command[:2] == (str(go.path), "build")
    optimized = build("one file.go", go, optimized=True)
    assert optimized.gcflags == "" and "-gcflags" not in settings(go, optimized)
    assert optimized.binary != built.binary


def test_a_package_directory(go: GoTool, module: Path) -> None:
    built = build("m/cmd/hello", go)
    assert run(built) == "hello sour"
    assert (built.package, built.directory) == ("example.com/m/cmd/hello", module / "cmd/hello")
    assert built.binary.name == "hello"
    assert build(".", go, cwd=module / "cmd/hello").binary.name == "hello"
    assert build("./cmd/hello", go, cwd=module) == build(str(module / "cmd/hello"), go)


def test_an_import_path(go: GoTool, module: Path) -> None:
    built = build("example.com/m/cmd/hello", go, cwd=module)
    assert run(built) == "hello sour"
    assert built.directory == module / "cmd/hello"
    assert build("cmd/test2json", go).package == "cmd/test2json"


def test_a_compiled_program(go: GoTool, module: Path, tmp_path: Path) -> None:
    binary = tmp_path / "compiled"
    built = build("m/cmd/hello", go, out_dir=tmp_path / "out")
    assert built.binary == tmp_path / "out/hello"
    built.binary.rename(binary)
    assert build("compiled", go) == prebuilt("compiled") == Built(binary, (), "", tmp_path, "")
    assert is_executable_file("compiled") and not is_executable_file("m/go.mod")
    assert not is_executable_file("m") and not is_executable_file("none")


def test_the_users_flags_hold(go: GoTool, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (module / "cmd/hello/flavour.go").write_text("//go:build !sweet\n\n" + FLAVOUR)
    (module / "cmd/hello/sweet.go").write_text(
        "//go:build sweet\n\n" + FLAVOUR.replace("sour", "sweet")
    )
    assert run(build("m/cmd/hello", go)) == "hello sour"
    assert run(build("m/cmd/hello", go, flags=("-tags=sweet",))) == "hello sweet"
    monkeypatch.setenv("GOFLAGS", "-tags=sweet -ldflags=-w")
    built = build("m/cmd/hello", go)
    assert run(built) == "hello sweet"
    assert settings(go, built)["-ldflags"] == "-w"
    assert settings(go, built)["-gcflags"] == "all=-N -l"


def test_a_vendored_module(go: GoTool, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    vendored = module / "vendor/example.com/other"
    vendored.mkdir(parents=True)
    (vendored / "other.go").write_text('package other\n\nconst Flavour = "vendored"\n')
    (module / "vendor/modules.txt").write_text(
        "# example.com/other v1.0.0\n## explicit\nexample.com/other\n"
    )
    (module / "go.mod").write_text(
        "module example.com/m\n\ngo 1.21\n\nrequire example.com/other v1.0.0\n"
    )
    (module / "cmd/hello/flavour.go").write_text(
        'package main\n\nimport "example.com/other"\n\nconst flavour = other.Flavour\n'
    )
    assert run(build("m/cmd/hello", go)) == "hello vendored"


def test_the_same_build_is_the_same_file(go: GoTool, module: Path) -> None:
    first = build("m/cmd/hello", go)
    before = first.binary.read_bytes()
    assert build("m/cmd/hello", go) == first
    assert first.binary.read_bytes() == before
    (module / "cmd/hello/flavour.go").write_text(FLAVOUR.replace("sour", "salty"))
    assert run(build("m/cmd/hello", go)) == "hello salty"


def test_progress_is_told_and_taken_back(go: GoTool, module: Path) -> None:
    said: list[str] = []
    build("m/cmd/hello", go, progress=said.append)
    assert said == [f"building m/cmd/hello with Go {go.version}", ""]
    (module / "cmd/hello/flavour.go").write_text("package main\n")
    with pytest.raises(BuildError):
        build("m/cmd/hello", go, progress=said.append)
    assert said[-1] == ""


def test_compile_errors_are_the_compilers_own_lines(go: GoTool, module: Path) -> None:
    (module / "cmd/hello/flavour.go").write_text("package main\n\nvar flavour int = nothing\n")
    with pytest.raises(BuildError, match="m/cmd/hello does not build") as caught:
        build("m/cmd/hello", go)
    own = subprocess.run(
        [go.path, "build", "-o", os.devnull, "."],
        cwd=module / "cmd/hello",
        capture_output=True,
        text=True,
    )
    assert "./flavour.go:3:19: undefined: nothing" in own.stderr
    assert caught.value.output == own.stderr
    (module / "cmd/hello/flavour.go").write_text("not Go at all")
    with pytest.raises(BuildError) as caught:
        build("m/cmd/hello", go)
    assert "flavour.go:1:1: expected 'package'" in caught.value.output


@pytest.mark.parametrize("command", ["trace", "escape", "explain"])
def test_a_go_that_finds_no_memory_is_not_the_programs_fault(
    command: str, go: GoTool, module: Path
) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (300 << 20, 300 << 20))
    (module / "cmd/hello/alone.go").write_text("package main\n\nfunc init() {}\n")
    done = subprocess.run(
        [sys.executable, "-m", "goprobe", command, "--go", str(go.path), "./cmd/hello"],
        cwd=module,
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done
    assert "Go found no memory to build ./cmd/hello with: " in done.stderr
    assert "goroutine" not in done.stderr and "runtime stack" not in done.stderr


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("fatal error: runtime: out of memory\n\nruntime stack:", 3),
        ("fatal error: failed to reserve page summary memory\n", 3),
        ("# example.com/m\n/go/pkg/tool/link: signal: killed\n", 3),
        ("go: fork/exec /usr/bin/gcc: cannot allocate memory\n", 3),
        ("# example.com/m\nfatal error: memory.h: No such file or directory\n", 2),
        ('./main.go:1:1: undefined: killed // signal: killed, "cannot allocate memory"\n', 2),
    ],
)
def test_whose_fault_a_build_is(output: str, code: int) -> None:
    assert build_error("m", output).exit_code == code


def test_a_module_that_needs_a_newer_go(go: GoTool, module: Path) -> None:
    (module / "go.mod").write_text("module example.com/m\n\ngo 1.999\n")
    with pytest.raises(BuildError, match=r"needs Go 1\.999 or newer") as caught:
        build("m/cmd/hello", go)
    assert "GOTOOLCHAIN=auto" in caught.value.hint


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("", "no target"),
        ("none.go", "none.go: no such file or directory"),
        ("./none", "no such file or directory"),
        ("/none/at/all", "no such file or directory"),
        ("empty", "empty holds no Go files"),
        ("m/go.mod", "neither a Go file nor a package nor a compiled Go program"),
        ("/dev/null", "not a regular file"),
        ("m/lib", "not a program: its package is lib, not main"),
        ("m/lib/lib.go", "not a program: its package is lib, not main"),
        ("fmt", "not a program: its package is fmt, not main"),
        ("m/foreign", "holds no Go program for this machine"),
        ("nonesuch", "neither a file nor a Go package known here"),
        ("example.com/none", "neither a file nor a Go package known here"),
        ("-toolexec=/bin/false", "no such file or directory"),
        ("cmd/...", "does not name one Go package"),
    ],
)
def test_targets_that_are_none(
    target: str, why: str, go: GoTool, module: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (module / "foreign").mkdir()
    (module / "foreign/main_windows.go").write_text("package main\n\nfunc main() {}\n")
    with pytest.raises(UsageError, match=why):
        build(target, go)


def test_a_directory_outside_of_any_module(go: GoTool, tmp_path: Path) -> None:
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose/main.go").write_text("package main\n\nfunc main() {}\n")
    with pytest.raises(BuildError, match="loose does not build") as caught:
        build("loose", go)
    assert "go mod init" in caught.value.hint
    assert build("loose/main.go", go).binary.exists()


def test_no_cache_to_write_to(
    go: GoTool, module: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    built = build("m/cmd/hello", go)
    assert run(built) == "hello sour"
    assert built.binary.is_relative_to(tmp_path)


def test_old_builds_go(go: GoTool, module: Path, tmp_path: Path) -> None:
    old = tmp_path / "cache/goprobe/build/0123456789abcdef"
    old.mkdir(parents=True)
    (old / "program").write_bytes(b"")
    built = build("m/cmd/hello", go)
    assert old.exists()
    os.utime(old, (0, 0))
    assert build("m/cmd/hello", go) == built
    assert not old.exists() and built.binary.exists()
