"""The runtime's table of interfaces' methods is memory of no type: stripped programs have no other
word for it than that getitab reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from tests.support.go import build, matrix, running

_TYPES = 600  # so many that the table has grown beyond the one of the program's own (512)


def _program() -> str:
    parts = [
        'package main\n\nimport (\n\t"fmt"\n\t"time"\n)\n\ntype named interface{ Name() int }\n',
        *(f"type t{i} int\n\nfunc (t t{i}) Name() int {{ return {i} }}\n" for i in range(_TYPES)),
        "var all = []named{" + ", ".join(f"t{i}(0)" for i in range(_TYPES)) + "}\n",
        "var table = make([]uint64, 1026)\n",  # looks like one, and is the program's
        "func main() {\n\tsum := 0\n\tfor _, n := range all {\n\t\tsum += n.Name()\n\t}\n"
        "\ttable[0], table[1] = 1024, 600\n"
        '\tfmt.Println("ready", sum)\n\ttime.Sleep(time.Hour)\n\tfmt.Println(table)\n}\n',
    ]
    return "\n".join(parts)


@pytest.mark.parametrize("go", matrix())
def test_the_table_has_a_name(go: str, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_program())
    binary = build(tmp_path / "main.go", go=go, flags=("-ldflags=-s -w",))
    with running(binary) as program:
        report = goprobe.attach(program.pid).heap(types=True)
    told = {row.type: row.objects for row in report.types}
    assert told["runtime.itabTableType"] == 1 and told["[]uint64 backing"] == 1
    assert not [u for u in report.untyped or () if u.noscan and u.size >= 8192]
