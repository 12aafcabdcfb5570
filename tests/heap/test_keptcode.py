"""What code says of types is kept from look to look, and makes no difference to what is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import take
from goprobe.arch.code import LoadedWord
from goprobe.binary import cache
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.parts import loaded_parts
from goprobe.runtime.codetypes import functions, keptcode
from goprobe.target.live import open_target
from tests.support.go import Running, build, matrix, running
from tests.support.heap import TESTDATA


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    later = SimpleNamespace(time=lambda: time.time(), time_ns=lambda: time.time_ns() + 10**10)
    monkeypatch.setattr(cache, "time", later)  # files made just now count as settled
    return tmp_path / "cache" / "goprobe"


def _told(program: Running, *, again: Callable[[], None] = lambda: None) -> list[str]:
    """The types of what the program's variables lead to, told twice of one moment; `again` is
    called between."""
    addresses = [int(line.rsplit(" ", 1)[1], 16) for line in program.lines if " 0x" in line]
    snapshot = take(open_target(program.pid))
    try:
        graphs = HeapGraph(snapshot, _silent), HeapGraph(snapshot, _silent)
        first = [graphs[0].type_name(graphs[0].node_at(at)) for at in addresses]
        again()
        second = [graphs[1].type_name(graphs[1].node_at(at)) for at in addresses]
    finally:
        snapshot.close()
    assert first == second
    return first


def _silent(message: str) -> None:
    pass


def _no_code(*_: object) -> NoReturn:
    raise AssertionError("code is read that was read before")


@pytest.mark.parametrize("mode", ["exe", "pie"])
def test_second_look_reads_no_code(
    mode: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it tells is the same, of another process too, which may lie elsewhere."""
    flags = ("-ldflags=-s -w", f"-buildmode={mode}")
    binary = build(TESTDATA / "bycode.go", go=matrix()[0], flags=flags)

    def no_code() -> None:
        assert len(list(own_cache.glob("code-*/*"))) == 1
        monkeypatch.setattr(functions, "function_code", _no_code)
        monkeypatch.setattr(functions, "handed_on", _no_code)

    with running(binary) as program, monkeypatch.context() as monkeypatch:
        first = _told(program, again=no_code)
    with running(binary) as program:
        assert _told(program) == first
    assert sum(map(bool, first)) > 10


def test_entries_that_lie_do_no_harm(own_cache: Path) -> None:
    """What is no entry at all is read anew; one that names what is not there ends no look."""
    binary = build(TESTDATA / "bycode.go", go=matrix()[0], flags=("-ldflags=-s -w",))
    with running(binary) as program:
        first = _told(program)
        (path,) = own_cache.glob("code-*/*")
        room, digest = path.parent.name, loaded_parts(ElfFile(binary)).read()
        whole = path.read_bytes()
        for bad in (b"", whole[:-1], bytes(len(whole))):
            path.write_bytes(bad)
            assert _told(program) == first
        cache.store(room, digest, {"functions": {1: "?"}})
        assert _told(program) == first
        entry = cache.load(room, digest, keptcode.Entry)
        assert entry is not None
        for answers in entry.functions.values():
            for origins in answers.origins.values():
                origins.update(dict.fromkeys(origins, (LoadedWord("no register", -1, 1 << 62),)))
            answers.stores = answers.returns = None
        cache.store(room, digest, entry)
        assert len(_told(program)) == len(first)
