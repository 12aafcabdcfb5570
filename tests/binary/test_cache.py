"""What was learnt from one binary is never told of another, whatever lies in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from goprobe.analysis.heap.census import heap_census
from goprobe.analysis.locate.where import where
from goprobe.binary import cache
from goprobe.binary.dwarf import gotypes
from goprobe.binary.dwarf.dieindex import Die
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.elf import ElfFile
from goprobe.cachefolder import cache_folder, cache_root
from goprobe.errors import CannotWorkError
from goprobe.runtime import stripped
from goprobe.runtime.layout.layout import Facts
from goprobe.target.live import Target, open_target
from tests.support.go import build, matrix, running

SOURCE = """package main

import (
	"fmt"
	"time"
)

var first = 7

func main() {
	fmt.Printf("variable %p\\nready\\n", &first)
	time.Sleep(time.Hour)
	fmt.Println(first)
}
"""
# As Bazel's rules_go links every binary: the build id names nothing.
REDACTED = ("-ldflags=-buildid=redacted -compressdwarf=false",)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "goprobe"


def variable(binary: Path) -> str:
    """What goprobe calls the program's variable."""
    with running(binary) as program:
        found = where(open_target(program.pid), (program.address("variable"),)).locations[0]
    return str(found.detail.get("symbol"))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files made just now count as settled."""
    monkeypatch.setattr(cache, "_SETTLED_NS", -1 << 40)


@pytest.mark.parametrize("go", matrix())
def test_builds_without_a_build_id_of_their_own(go: str, later: None) -> None:
    names = ["first", "other", "third", "forth"]
    twins = [build(SOURCE.replace("first", name), go=go, flags=REDACTED) for name in names]
    for _ in range(2):
        assert [variable(twin) for twin in twins] == [f"main.{name}" for name in names]
    sizes = {(twin.stat().st_size, ElfFile(twin).build_id) for twin in twins}
    assert len(sizes) < len(twins), "no two of them look alike: nothing was tried"


def hostile(binary: Path, into: Path) -> Path:
    """The same, build id, sizes and places; but its debug information calls `first` otherwise."""
    data = binary.read_bytes()
    assert data.count(b"main.first\0") >= 1
    into.write_bytes(data.replace(b"main.first\0", b"main.wrong\0"))
    into.chmod(0o755)
    return into


def test_a_hostile_copy_does_not_poison_the_genuine_one(tmp_path: Path, later: None) -> None:
    genuine = build(SOURCE, flags=REDACTED)
    bad = hostile(genuine, tmp_path / "program")
    for _ in range(2):
        assert variable(bad) == "main.wrong"
        assert variable(genuine) == "main.first"


def test_a_file_that_changes_in_place(tmp_path: Path, later: None) -> None:
    path = tmp_path / "program"
    shutil.copy2(build(SOURCE, flags=REDACTED), path)
    before = path.stat()
    assert variable(path) == "main.first"
    with path.open("r+b") as file:
        file.write(path.read_bytes().replace(b"main.first\0", b"main.wrong\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert variable(path) == "main.wrong"


def test_a_file_system_that_tells_no_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes a file without the kernel's noticing is found out by a sample of it."""
    monkeypatch.setattr("goprobe.binary.elf.parts.identity_of", lambda status, part: part)
    genuine = build(SOURCE, flags=REDACTED)
    damaged = bytearray(genuine.read_bytes())
    info = ElfFile(genuine).section(".debug_info")
    assert info
    for at in range(info.offset, info.offset + info.size, 16):
        damaged[at] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    known = DebugInfo(ElfFile(genuine)).source
    assert known.read() == DebugInfo(ElfFile(genuine)).source.known()
    assert DebugInfo(ElfFile(tmp_path / "damaged")).source.known() == ""


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("how", ["flip", "cut", "empty", "swap", "link"])
def test_damaged_entries_are_made_anew(how: str, own_cache: Path, tmp_path: Path) -> None:
    twins = [build(SOURCE.replace("first", name), flags=REDACTED) for name in ("first", "other")]
    expected = ["main.first", "main.other"]
    assert [variable(twin) for twin in twins] == expected
    found = entries(own_cache)
    assert found
    for room in {path.parent for path in found}:
        inside = entries(room)
        contents = [path.read_bytes() for path in inside]
        for path, data, another in zip(inside, contents, contents[1:] + contents[:1], strict=True):
            match how:
                case "flip":
                    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
                case "cut":
                    path.write_bytes(data[: len(data) // 2])
                case "empty":
                    path.write_bytes(b"")
                case "swap":
                    path.write_bytes(another)
                case "link":
                    path.rename(tmp_path / path.name)
                    path.symlink_to(tmp_path / path.name)
    assert [variable(twin) for twin in twins] == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_entries_of_another_owner(own_cache: Path) -> None:
    binary = build(SOURCE, flags=REDACTED)
    assert variable(binary) == "main.first"
    for path in entries(own_cache):
        os.chown(path, 65534, 65534)
    debug = DebugInfo(ElfFile(binary))
    assert cache.load(next(own_cache.glob("dwarf-*")).name, debug.source.read(), dict) is None


@contextmanager
def spoiled(folder: Path, how: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    if how == "owner":
        os.chown(folder, 65534, 65534)
    else:
        folder.chmod(0o777 if how == "others" else 0o770)
    yield
    os.chown(folder, os.geteuid(), os.getegid())
    folder.chmod(0o700)


@pytest.mark.parametrize("room", ["", "dwarf"])
@pytest.mark.parametrize("how", ["owner", "others", "group"])
def test_folders_that_others_could_have_filled(
    how: str, room: str, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "owner" and os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with spoiled(own_cache / room, how):
        found = cache_folder("dwarf")
        assert found == tmp_path / f"goprobe-{os.geteuid()}" / "dwarf"
    assert cache_folder("dwarf") == own_cache / "dwarf"


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tmp_path.chmod(0o1777)
    (tmp_path / "precious").mkdir(0o700)
    planted = tmp_path / f"goprobe-{os.geteuid()}"
    planted.symlink_to(tmp_path / "precious")
    os.chown(planted, 65534, 65534, follow_symlinks=False)
    root = cache_root()
    assert root and not root.is_relative_to(tmp_path) and not entries(tmp_path / "precious")


STRIPPED = ("-ldflags=-s -w",)


def poison(target: Target, pid_owner: int) -> None:
    """A well-formed entry that says what another process was made to look like."""
    facts = target.program.facts
    roots = {**facts.roots, "mheap_": facts.roots["allgs"], "allgs": facts.roots["mheap_"]}
    key = stripped.facts_source(target.program, f"{pid_owner}").read()
    assert cache.load(stripped.ROOM, key, Facts) == facts
    cache.store(stripped.ROOM, key, Facts(facts.layout, roots))


@pytest.mark.parametrize("go", matrix())
def test_what_a_stripped_process_showed_is_checked_on_use(go: str) -> None:
    with running(build(SOURCE, go=go, flags=STRIPPED)) as program:
        first = open_target(program.pid)
        expected = heap_census(first).census
        assert expected.objects > 100
        poison(first, os.geteuid())
        again = open_target(program.pid)
        assert again.program.facts == first.program.facts
        assert heap_census(again).census.objects > 100


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start programs as others")
def test_a_process_of_another_owner_teaches_nothing_about_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    search = stripped.Finder.roots

    def counted(finder: stripped.Finder) -> dict[str, int]:
        asked.append(1)
        return search(finder)

    monkeypatch.setattr(stripped.Finder, "roots", counted)
    with TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        binary = Path(shutil.copy2(build(SOURCE, flags=STRIPPED), open_to_all))
        for user, searches in ((None, 1), (None, 1), (65534, 2), (65534, 2)):
            with running(binary, user=user) as program:
                open_target(program.pid)
            assert len(asked) == searches


def test_no_place_for_a_cache_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from goprobe.toolchain.cache import build_folder

    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.setattr("goprobe.cachefolder.temporary_folders", lambda: iter(()))
    assert cache_root() is None
    assert variable(build(SOURCE, flags=REDACTED)) == "main.first"
    with pytest.raises(CannotWorkError, match="no folder to build in"):
        build_folder("x")


def test_types_that_were_read_are_kept(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, go: str, later: None
) -> None:
    monkeypatch.setattr(gotypes, "_FEW", 16)
    monkeypatch.setattr(gotypes, "_MANY", 32)
    binary, read = build(SOURCE, go=go), list[int]()
    before = DebugInfo.die

    def noted(self: DebugInfo, offset: int) -> Die:
        read.append(offset)
        return before(self, offset)

    monkeypatch.setattr(DebugInfo, "die", noted)

    def every() -> dict[int, gotypes.GoType]:
        info = DebugInfo(ElfFile(binary))
        read.clear()
        types = {at: info.types.at(at) for at in info.index.types.values()}
        info.types.keep()
        return types

    first, entries = every(), len(read)
    assert len(first) > 100
    assert every() == first
    assert len(read) < entries // 4
    (kept,) = own_cache.glob("types-*/*")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert every() == first
    assert len(read) == entries


def test_types_of_bytes_that_changed_meanwhile_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: None
) -> None:
    """Whoever puts them back before anybody looks for what is kept is told nothing wrong, too."""
    monkeypatch.setattr(gotypes, "_FEW", 200)
    monkeypatch.setattr(gotypes, "_MANY", 32)
    genuine = build(SOURCE, flags=REDACTED)
    path = tmp_path / "program"
    shutil.copy2(genuine, path)
    assert DebugInfo(ElfFile(path)).index  # which is kept
    info = DebugInfo(ElfFile(path))
    places, data = info.index.types, genuine.read_bytes()
    with path.open("r+b") as file:
        file.write(data.replace(b"runtime.g\0", b"runtime.x\0"))
    assert info.types.at(places["runtime.g"]).name == "runtime.x"
    with path.open("r+b") as file:
        file.write(data)
    for at in places.values():
        info.types.at(at)
    info.types.keep()
    monkeypatch.setattr(gotypes, "_FEW", 1)
    right = DebugInfo(ElfFile(genuine))
    assert right.source.read() == info.source.read()
    assert right.types.at(places["runtime.g"]).name == "runtime.g"
