"""The Go release of a binary, where its build information tells it and where nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.buildinfo import BuildInfo, parse_version
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.find import open_line_table
from goprobe.binary.pcln.landmarks import minor_release
from goprobe.binary.release import build_info
from goprobe.errors import NotGoError, UsageError
from tests.support.cli import goprobe
from tests.support.go import Running, build, matrix, releases, running

TESTDATA = Path(__file__).parents[2] / "testdata"
HEAP = TESTDATA / "heap" / "standing.go"
MAGIC = b"\xff Go buildinf:"
STRIPPED = ("-ldflags=-s -w",)
NAMELESS = ("-ldflags=-s -w -X runtime.buildVersion=unknown",)
BUILDS = {
    "stripped": STRIPPED,
    "pie": (*STRIPPED, "-buildmode=pie"),
    "unoptimised": (*STRIPPED, "-gcflags=all=-N -l"),
}


def info_of(binary: Path, assume: str = "") -> BuildInfo:
    elf = ElfFile(binary)
    return build_info(elf, DebugInfo(elf), assume=assume)


def changed(binary: Path, into: Path, old: bytes, new: bytes) -> Path:
    data = binary.read_bytes()
    assert old in data and len(old) == len(new)
    into.write_bytes(data.replace(old, new))
    into.chmod(0o755)
    return into


def without_information(binary: Path, into: Path) -> Path:
    return changed(binary, into, MAGIC, bytes(len(MAGIC)))


@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize("go", releases())
def test_the_functions_of_a_runtime_tell_its_release(go: str, flags: tuple[str, ...]) -> None:
    table = open_line_table(ElfFile(build(HEAP, go=go, flags=flags)))
    assert f"1.{minor_release(table)}" == go


@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize("go", matrix())
def test_a_binary_without_build_information(
    go: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    binary = build(HEAP, go=go, flags=flags)
    said = info_of(binary)
    assert not said.known_by and said.settings["GOARCH"] == "amd64"
    found = info_of(without_information(binary, tmp_path / "program"))
    assert (found.go, found.settings) == (said.go, {})
    assert found.known_by == "runtime.buildVersion says so"


@pytest.mark.parametrize("go", matrix())
def test_a_binary_that_hides_its_version(go: str) -> None:
    hidden = info_of(build(HEAP, go=go, flags=NAMELESS))
    assert (hidden.go.major, hidden.go.minor) == tuple(map(int, go.split(".")))
    assert str(hidden.go) == f"go{go}"
    assert hidden.known_by == f"its runtime has the functions of Go {go}"
    assert hidden.settings["GOARCH"] == "amd64"


@pytest.mark.parametrize("go", matrix())
def test_debug_information_names_the_compiler(go: str) -> None:
    flags = ("-ldflags=-X runtime.buildVersion=unknown",)
    hidden, plain = (info_of(build(HEAP, go=go, flags=f)) for f in (flags, ()))
    assert hidden.go == plain.go
    assert hidden.known_by == f"its compiler was {plain.go}"


def test_a_version_that_the_runtime_contradicts(tmp_path: Path) -> None:
    """Layouts go by what is there, not by what is said."""
    newest, older = releases()[-1], releases()[0]
    binary = build(HEAP, go=newest, flags=STRIPPED)
    version = str(info_of(binary).go)
    lie = f"go{older}".ljust(len(version), ".").replace("..", ".9").encode()[: len(version)]
    found = info_of(changed(binary, tmp_path / "program", version.encode(), lie))
    assert f"1.{found.go.minor}" == newest
    assert "though it says" in found.known_by


def test_no_release_and_no_go_program(tmp_path: Path) -> None:
    with pytest.raises(NotGoError, match="is not a Go program: it carries no Go build information"):
        info_of(Path("/bin/sh"))
    binary = build(HEAP, flags=NAMELESS)
    for mark in (b"runtime.doInit1", b"runtime.addModuleItabs"):
        binary = changed(binary, tmp_path / mark.decode(), mark, mark[:-1] + b"_")
    with pytest.raises(NotGoError, match="nothing in it tells the Go release") as caught:
        info_of(binary)
    assert "--assume-go" in caught.value.hint
    assert info_of(binary, "1.26").go.minor == 26


@pytest.mark.parametrize("text", ["1.27", "go1.27", "1.27.3", "go1.27.3"])
def test_what_the_user_says_comes_first(text: str) -> None:
    found = info_of(build(HEAP, go=(oldest := releases()[0]), flags=STRIPPED), text)
    assert (found.go.major, found.go.minor) == (1, 27)
    assert str(found.go) == f"go{text.removeprefix('go')}" and found.settings
    assert found.known_by.endswith(f"though its runtime has the functions of Go {oldest}")
    assert not info_of(build(HEAP, go="1.27", flags=STRIPPED), text).known_by


@pytest.mark.parametrize("text", ["1", "banana", "1.27.", "2.1", "1.2.3.4", "1.9999999999"])
def test_what_is_no_release(text: str) -> None:
    with pytest.raises(UsageError, match="takes a Go release"):
        info_of(build(HEAP, flags=STRIPPED), text)


@pytest.mark.parametrize(
    ("said", "release", "text"),
    [
        ("go1.27.3", (1, 27, 3), "go1.27.3"),
        ("go1.26.4-1-microsoft X:systemcrypto", (1, 26, 4), "go1.26.4-1-microsoft"),
        ("devel go1.28-1b2c3d Mon Jan 5 10:00:00 2026", (1, 28, 0), "go1.28-1b2c3d"),
        ("Go cmd/compile go1.25.5; -N -l; regabi", (1, 25, 5), "go1.25.5"),
    ],
)
def test_versions_as_they_are_written(said: str, release: tuple[int, int, int], text: str) -> None:
    found = parse_version(said)
    assert (found.major, found.minor, found.patch) == release and str(found) == text


@pytest.fixture(scope="module", params=matrix())
def silent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Stripped, without build information, and with a version that says nothing."""
    binary = build(HEAP, go=request.param, flags=NAMELESS)
    folder = tmp_path_factory.mktemp("silent")
    with running(without_information(binary, folder / "standing")) as program:
        yield program


def test_commands_read_a_program_that_says_nothing(silent: Running) -> None:
    ran = goprobe("heap", str(silent.pid), "--json")
    assert ran.code == 0
    report = ran.json
    assert report["self_check"]["popcount_mismatches"] == 0
    assert report["census"]["objects"] == int(silent["objects"])
    assert "its runtime has the functions of Go 1." in ran.err
    for command in (["maps"], ["goroutines", "--stacks"], ["heap", "--types", "--retained"]):
        assert goprobe(command[0], str(silent.pid), *command[1:], "--json").code == 0
