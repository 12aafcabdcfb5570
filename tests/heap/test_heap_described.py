"""What heaps hold in programs without debug information, by the runtime's type descriptors."""

from __future__ import annotations

from collections import Counter

import pytest

from goprobe.binary.elf.buildinfo import GoVersion
from goprobe.runtime.layout.fields import STRUCTS
from goprobe.runtime.layout.shipped import releases as shipped_releases, shipped_layout
from tests.heap.test_heapgraph import graph_of, said
from tests.support.go import matrix

STRIPPED = ("-ldflags=-s -w",)
# What hangs on closures: only debug information says what they captured.
CAPTURED = 6


@pytest.mark.parametrize("flags", [STRIPPED, (*STRIPPED, "-buildmode=pie")], ids=["exe", "pie"])
@pytest.mark.parametrize("go", [go for go in matrix() if go != "1.21"])
def test_what_maps_channels_and_atomic_pointers_lead_to(go: str, flags: tuple[str, ...]) -> None:
    """Go 1.21 has no object that carries its type, so nothing to begin with."""
    with graph_of("described.go", go=go, flags=flags) as (program, graph):
        assert graph.world.program.stripped
        wrong, untold = [], 0
        for address, kind in said(program):
            found = graph.type_name(graph.node_at(address))
            untold += not found
            if found not in ("", kind):
                wrong.append(f"{address:#x}: {found}, not {kind}")
        assert not wrong, "\n".join(wrong)
        assert untold <= CAPTURED
        names = Counter(graph.type_name(node) for node in range(len(graph.objects)))
        parts = "groups" if go >= "1.24" else "buckets"
        assert names[f"map[int]*main.item {parts}"] >= 1
        assert names[f"map[int32][24]uint8 {parts}"] >= 1
        assert names["main.item"] >= 3000
        assert names["chan *main.item buffer"] == 1


def test_no_release_is_forgotten_when_fields_are_added() -> None:
    """Layouts of releases that no toolchain of the matrix is of cannot be made anew by everybody:
    whatever the release before and the one behind have is missing in none."""
    layouts = [shipped_layout(GoVersion(1, int(go.split(".")[1]))) for go in shipped_releases()]
    assert len(layouts) > 2
    for before, layout, after in zip(layouts, layouts[1:], layouts[2:], strict=False):
        for name, paths in STRUCTS.items():
            struct = name.split("|")[0].rstrip("?")
            around = [each.structs.get(struct) for each in (before, layout, after)]
            if around[0] is None or around[2] is None:
                continue
            assert around[1] is not None, f"Go {layout.go}: {struct}"
            fields = set(around[0].fields) & set(around[2].fields)
            assert fields <= set(around[1].fields), f"Go {layout.go}: {struct}, {paths}"
