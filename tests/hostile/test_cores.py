"""Cores that are cut, that have no page, or that claim to be as large as the world."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from goprobe.target.core import open_core
from scripts.fuzzing.questions import OF_PROCESS, Asked
from scripts.fuzzing.standing import Standing, standing
from tests.hostile.measured import asked
from tests.support.go import matrix

_ENTRY = 56
_LOAD = 1


class Core:
    def __init__(self, stood: Standing, folder: Path) -> None:
        self._stood = stood
        self._folder = folder
        self.data = bytearray(stood.core.read_bytes())
        (self._phoff,) = struct.unpack_from("<Q", self.data, 32)
        (self._phnum,) = struct.unpack_from("<H", self.data, 56)

    def loads(self) -> list[int]:
        """Where the headers of segments with memory lie."""
        every = [self._phoff + _ENTRY * i for i in range(self._phnum)]
        return [at for at in every if struct.unpack_from("<I", self.data, at)[0] == _LOAD]

    def doubts(self) -> tuple[str, ...]:
        return open_core(str(self._written()), str(self._stood.binary)).doubts

    def _written(self) -> Path:
        path = self._folder / "core"
        path.write_bytes(self.data)
        return path

    def ask_everything(self) -> None:
        path, stood = self._written(), self._stood
        for question in OF_PROCESS.values():

            def ask(question: object = question) -> None:
                assert callable(question)
                target = open_core(str(path), str(stood.binary))
                question(Asked(target, stood.addresses, stood.objects[0]))

            asked(ask)


@pytest.fixture(params=["plain", "stripped"])
def core(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Core:
    home = tmp_path_factory.getbasetemp()
    return Core(standing(home, matrix()[-1], request.param), tmp_path)


def test_no_page_at_all(core: Core) -> None:
    for at in core.loads():
        struct.pack_into("<Q", core.data, at + 32, 0)
    core.ask_everything()


@pytest.mark.parametrize("sizes", [(1 << 62, 1 << 62), (0, 1 << 63), (1 << 40, 1 << 40)])
def test_segments_as_large_as_the_world(core: Core, sizes: tuple[int, int]) -> None:
    for at in core.loads()[::3]:
        struct.pack_into("<QQ", core.data, at + 32, *sizes)
    core.ask_everything()


def test_segments_that_lie_over_each_other(core: Core) -> None:
    first, *rest = core.loads()
    for at in rest[::2]:
        core.data[at + 16 : at + 24] = core.data[first + 16 : first + 24]
    core.ask_everything()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (0, "is of a kind that no core has (0x0)"),
        (4, "2 segments of notes"),
        (0x6474E551, "is of a kind that no core has (0x6474e551)"),
    ],
)
def test_memory_that_is_said_to_be_none(core: Core, kind: int, said: str) -> None:
    """Of which the file has no bytes, that would be nobody's."""
    assert core.doubts() == ()
    empty = next(at for at in core.loads() if not struct.unpack_from("<Q", core.data, at + 32)[0])
    struct.pack_into("<I", core.data, empty, kind)
    assert any(said in doubt for doubt in core.doubts()), core.doubts()


def test_memory_of_no_size(core: Core) -> None:
    empty = next(at for at in core.loads() if not struct.unpack_from("<Q", core.data, at + 32)[0])
    struct.pack_into("<Q", core.data, empty + 40, 0)
    assert any("is of no size" in doubt for doubt in core.doubts()), core.doubts()


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95])
def test_cut_off(core: Core, share: float) -> None:
    del core.data[int(len(core.data) * share) :]
    core.ask_everything()
