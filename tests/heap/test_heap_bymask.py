"""Objects that nothing tells of: what alone has their size and their pointer words."""

from __future__ import annotations

import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import take
from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.types.bymask import ByMask
from goprobe.runtime.types.wholes import SizeBounds, WholeType
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA


@pytest.mark.parametrize("go", matrix())
def test_every_type_that_is_allocated_is_known(go: str) -> None:
    """What is said of an object because no other type fits holds only if no type is missing: every
    struct and array that the debug information names is in the catalogue, but for those of closures
    (told by their code). What is no aggregate has the pointers of many."""
    with running(build(TESTDATA / "leakyserver.go", go=go), ready="loaded") as program:
        snapshot = take(open_target(program.pid))
        try:
            graph = HeapGraph(snapshot, lambda message: None)
            world, catalog = graph.world, graph.catalog
            types = world.typedata
            debug = world.program.debug
            named = [debug.types.at(at) for at in debug.index.runtime_types.values()]
            missing = [
                types.full_name(rtype)
                for kind in named
                if (rtype := types.rtype_of(kind))
                and catalog.row(rtype) < 0
                and types.kind(rtype) in (GoKind.STRUCT, GoKind.ARRAY)
            ]
            assert len(named) > 1000
            assert not [name for name in missing if not name.startswith("struct { F uintptr")]

            masks, name = TypeMasks(world.memory, world.layout), types.full_name
            rtype = graph.shapes.struct_named("main.Session")
            row = catalog.row(rtype)
            mask = sum(1 << at for at in masks.of(rtype).pointers.tolist())
            slot = (
                SizeBounds(72, 80, False) if catalog.size[row] <= 80 else SizeBounds(80, 96, False)
            )
            assert ByMask(catalog, masks, name, complete=True).alone(slot, mask) == WholeType(
                row, False
            )
            assert ByMask(catalog, masks, name, complete=False).alone(slot, mask) is None
            # Any pointer may lie there alone, and an array of any two.
            assert (
                ByMask(catalog, masks, name, complete=True).alone(SizeBounds(0, 8, False), 1)
                is None
            )
            assert (
                ByMask(catalog, masks, name, complete=True).alone(SizeBounds(8, 16, False), 3)
                is None
            )
        finally:
            snapshot.close()
