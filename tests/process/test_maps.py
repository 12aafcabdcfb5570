"""Mappings and resident sizes, held against the kernel's own sums."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from goprobe.errors import CannotWorkError, TargetGoneError
from goprobe.process.proc import pagemap
from goprobe.process.proc.maps import Mapping, find, parse_maps, read_maps, read_smaps
from goprobe.process.proc.pagemap import resident
from tests.process.targets import target


def test_a_line_is_read_as_the_kernel_wrote_it() -> None:
    text = (
        b"00400000-004a2000 r-xp 00001000 fe:00 1234   /tmp/a b (deleted)\n"
        b"c000000000-c000400000 rw-p 00000000 00:00 0    [anon: Go: heap]\n"
        b"c000400000-c004000000 ---p 00000000 00:00 0 \n"
        b"7f0000000000-7f0000001000 r--p 00000000 fe:00 7 /tmp/\xff\\012x\n"
    )
    maps = parse_maps(text)
    assert maps[0] == Mapping(
        0x400000, 0x4A2000, "r-xp", 0x1000, "fe:00", 1234, "/tmp/a b (deleted)"
    )
    assert maps[0].is_file and maps[0].size == 0xA2000
    assert (maps[1].path, maps[1].is_file) == ("[anon: Go: heap]", False)
    assert (maps[2].path, maps[2].perms) == ("", "---p")
    assert os.fsencode(maps[3].path) == b"/tmp/\xff\\012x"


def test_a_line_that_makes_no_sense_is_one_sentence() -> None:
    with pytest.raises(CannotWorkError, match="makes no sense"):
        parse_maps(b"hello world\n")


def test_find_takes_the_low_end_and_leaves_the_high_end() -> None:
    maps = parse_maps(b"1000-2000 r--p 0 0:0 0\n3000-4000 r--p 0 0:0 0\n4000-5000 rw-p 0 0:0 0\n")
    got = {a: m.low if (m := find(maps, a)) else None for a in (0, 0x1000, 0x1FFF, 0x2000, 0x4000)}
    assert got == {0: None, 0x1000: 0x1000, 0x1FFF: 0x1000, 0x2000: None, 0x4000: 0x4000}
    assert find(maps, 0x5000) is None and find((), 1) is None


def test_a_go_process_is_mapped_where_it_says() -> None:
    with target("memory") as program:
        maps = read_maps(program.pid)
        text = find(maps, program.address("text"))
        block = find(maps, program.address("block"))
        assert text and Path(text.path).name == "memory" and "w" not in text.perms
        assert block and not block.is_file and block.perms == "rw-p"
        assert find(maps, program.address("block") + 4 * 4096) is None
        assert [m.low for m in maps] == sorted(m.low for m in maps)


@pytest.mark.parametrize("scan", [True, False], ids=["PAGEMAP_SCAN", "words"])
def test_resident_bytes_agree_with_smaps(scan: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not scan:  # what an older kernel answers
        monkeypatch.setattr(pagemap, "_PAGEMAP_SCAN", 0xC0606699)
    with target("memory") as program:
        os.kill(program.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED)
        uses = read_smaps(program.pid)
        counted = resident(program.pid, [(u.mapping.low, u.mapping.size) for u in uses]).sizes
        for use, bytes_ in zip(uses, counted, strict=True):
            if scan:
                assert bytes_ == use.rss, use
            else:  # without the kernel's help a page of zeros cannot be told apart
                assert use.rss <= bytes_ <= use.mapping.size, use
        assert sum(u.rss for u in uses) > 1 << 20


def test_resident_bytes_of_parts() -> None:
    with target("memory") as program:
        block = program.address("block")
        page = 4096
        ranges = [
            (block, 4 * page),
            (block, 16 * page),
            (block + 4 * page, page),
            (block + 9 * page, 7 * page),
            (block + 100, 50),
            (block + 3 * page + 4000, 2 * page),
            (block, 0),
            (0, page),
            ((1 << 64) - page, page),
        ]
        assert resident(program.pid, ranges).sizes == [
            4 * page,
            7 * page,
            0,
            0,
            50,
            96 + 4000,
            0,
            0,
            0,
        ]


def test_a_process_that_has_ended_is_gone() -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TargetGoneError, match=f"process {ended.pid} is gone"):
        read_maps(ended.pid)
    ended.wait()
    for read in (read_maps, read_smaps, lambda pid: resident(pid, [(0, 1)])):
        with pytest.raises(TargetGoneError):
            read(ended.pid)


def test_a_kernel_without_page_maps_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a process that is gone."""
    monkeypatch.setattr("goprobe.process.proc.pagemap.provides", lambda pid, name: False)
    with pytest.raises(CannotWorkError, match="does not say which pages"):
        resident(os.getpid(), [(0, 1)])
