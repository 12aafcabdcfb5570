"""Debug information that is compressed by zstd: read where Python can, gone without elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf import inflate
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.inflate import ZLIB, ZSTD, inflater
from goprobe.errors import NotGoError
from tests.support.cli import goprobe
from tests.support.go import build, running
from tests.support.heap import TESTDATA


@pytest.fixture(scope="module")
def zstd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("objcopy"):
        pytest.skip("no objcopy here: nobody compresses by zstd")
    made = tmp_path_factory.mktemp("zstd") / "zoo"
    done = subprocess.run(
        ["objcopy", "--compress-debug-sections=zstd", build(TESTDATA / "zoo.go"), made],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"objcopy does not know zstd: {done.stderr}")
    return made


def test_without_zstd_a_program_is_read_as_one_without_debug_information(
    zstd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflate, "_zstd", lambda: None)
    elf = ElfFile(zstd)
    assert elf.undecoded == "zstd" and not DebugInfo(elf).present
    assert elf.debug_section("info") == b"" and elf.symbols
    section = elf.section(".debug_info")
    assert section
    with pytest.raises(NotGoError, match="compressed by zstd, which cannot be read here"):
        elf.contents(section)


def test_with_zstd_it_has_what_the_plain_one_has(zstd: Path) -> None:
    if inflater(ZSTD) is None:
        pytest.skip("this Python has no zstd (3.14 has, or the package zstandard)")
    plain, packed = ElfFile(build(TESTDATA / "zoo.go")), ElfFile(zstd)
    assert not packed.undecoded
    for name in ("info", "abbrev", "line"):
        assert packed.debug_section(name) == plain.debug_section(name) != b""


def test_it_is_said_and_answered(zstd: Path) -> None:
    with running(zstd) as program:
        for command in (["goroutines"], ["maps"], ["heap", "--types"], ["where", "0x10"]):
            ran = goprobe(command[0], str(program.pid), *command[1:])
            assert ran.code == 0, ran.err
            assert ("compressed by zstd" in ran.err) == (inflater(ZSTD) is None)


@pytest.mark.parametrize("kind", [ZLIB, ZSTD])
def test_damaged_bytes_are_an_error(kind: int) -> None:
    found = inflater(kind)
    if found is None:
        pytest.skip("this Python has no zstd (3.14 has, or the package zstandard)")
    for raw in (b"nonsense", b"", b"\x28\xb5\x2f\xfd" + b"\xff" * 30):
        try:
            assert len(found(raw, 100)) <= 100
        except ValueError:
            continue
