"""Loops as machine code: made once, run without what made it, and the same as in Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from goprobe import compiled, nativecode
from goprobe.analysis.heap.tree import kept_tree
from goprobe.cachefolder import cache_folder
from goprobe.compiled import Effort, Row, loop
from tests.heap.test_heapgraph import graph_of
from tests.support.go import matrix

pytestmark = pytest.mark.skipif(not compiled.installed(), reason="numba is not installed")


@loop
def tangle(values: Row, small: Row, marks: Row, count: int) -> int:
    total = 0
    for i in range(count):
        if marks[i]:
            values[i] += small[i] * 3
        total = (total * 31 + values[i]) % 1000003
    return total


def _arguments() -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    random = np.random.default_rng(7)
    values = random.integers(-1000, 1000, 500)
    small = random.integers(0, 1 << 32, 500, dtype=np.uint32)
    return values, small, random.random(500) < 0.5, 400


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled, "_WORTH_IT", 0)
    monkeypatch.setattr(tangle, "_fast", {})


def test_code_does_what_python_does_and_is_kept() -> None:
    plain, fast = _arguments(), _arguments()
    expected = tangle.run(*plain, effort=Effort.NONE)
    assert tangle.run(*fast, effort=Effort.LOAD) == expected
    assert not list(cache_folder("loops").glob("tangle-*.code"))
    fast = _arguments()
    assert tangle.run(*fast, effort=Effort.COMPILE) == expected
    assert all((a == b).all() for a, b in zip(plain[:3], fast[:3], strict=True))
    (kept,) = cache_folder("loops").glob("tangle-*.code")
    loaded = nativecode.load(kept)
    assert loaded is not None
    assert loaded(*_arguments()) == expected


def test_every_other_element_is_stepped_over() -> None:
    values, small, marks, _ = _arguments()
    expected = tangle.run(values[::2].copy(), small[::2], marks[::2], 200, effort=Effort.NONE)
    assert tangle.run(values[::2], small[::2], marks[::2], 200, effort=Effort.COMPILE) == expected


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "gone"])
def test_damaged_code_is_never_run(damage: str) -> None:
    expected = tangle.run(*_arguments(), effort=Effort.COMPILE)
    (kept,) = cache_folder("loops").glob("tangle-*.code")
    whole = kept.read_bytes()
    broken = {"cut": whole[:-1], "changed": b"\xcc" + whole[1:], "empty": b""}
    kept.unlink() if damage == "gone" else kept.write_bytes(broken[damage])
    assert nativecode.load(kept) is None
    tangle._fast.clear()
    assert tangle.run(*_arguments(), effort=Effort.COMPILE) == expected
    assert kept.read_bytes() == whole


_TWICE = """
import sys
import numpy as np
from goprobe import compiled
from goprobe.analysis.heap.dominators import dominators
compiled._WORTH_IT = 0
found = dominators(np.array([0, 1, 2, 2]), np.array([1, 2], np.int32), 0)
print(found.parent.tolist(), "numba" in sys.modules)
"""


def test_numba_is_loaded_once() -> None:
    said = [
        subprocess.run([sys.executable, "-c", _TWICE], capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == [b"[-1, 0, 1] True\n", b"[-1, 0, 1] False\n"]


def test_all_loops_need_nothing_but_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else numba would be loaded each time."""
    refused = []
    real = nativecode.compiled

    def watched(function: object, kinds: str) -> bytes | None:
        code = real(function, kinds)  # type: ignore[arg-type]
        refused.extend([function] if code is None else [])
        return code

    monkeypatch.setattr(nativecode, "compiled", watched)
    with graph_of("zoo.go", go=matrix()[-1]) as (_, graph):
        assert graph.typing.shape.any() and kept_tree(graph)
    assert not refused
