"""The corpus's expectations against witnesses that share no code with goprobe.

GDB says what scopes, addresses and values there are, readelf in which section an address lies and
which symbol it belongs to, the program itself where its variables are. If goprobe and an
expectation disagree, these tell who is wrong.
"""

from __future__ import annotations

import bisect
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import Fact, Program, parse_release
from tests.corpus_check import Node, check
from tests.support import go
from tests.support.gdb import gdbs
from tests.test_corpus import ALL, built

SCRIPT = Path(__file__).parent / "gdb_witness.py"
NEWEST = go.releases()[-1]
# Go preempts by signals; with them GDB loses breakpoints (goprobe does not, but GDB alone).
CALM = {"GODEBUG": "asyncpreemptoff=1"}
ESSENTIAL = (
    *("arrays", "callers", "closures", "floats", "globals", "ints", "moved", "multi", "pointers"),
    *("shadow", "slices", "strings", "structs"),
)
KNOWN = {
    *("value", "len", "cap", "text", "size", "elements", "absent", "moves", "shadowed", "frame"),
    *("printed", "data.printed", "value.printed", "points_to", "shares", "function", "frames"),
    *("section", "symbol", "data.section", "data.symbol"),
}

GDB_ERRS = {
    # It reads a parameter that is moved to the heap where it is not yet.
    ("onstack", "y value='1'"),
    # It knows no dictionaries: all types of a shape are one to it, and their methods have no name.
    ("typeargs", "3 stops at main.(*held[...]).push"),
    ("typeargs", "x text='seven'"),
    ("typeargs", "h.Many[0] text='seven'"),
}
"""What GDB tells otherwise, and the program's own prints as goprobe does (scripts/truth)."""


def known(fact: Fact) -> bool:
    """What is cut short is cut where goprobe's limits are, which nobody else knows."""
    return fact.key in KNOWN and "…" not in fact.value


@dataclass(frozen=True, slots=True)
class Statics:
    """Sections and data symbols of a binary, as readelf tells them."""

    sections: list[tuple[int, int, str]]
    symbols: list[tuple[int, int, str]]

    @classmethod
    def of(cls, binary: Path) -> Statics:
        sections = (
            (int(words[3], 16), int(words[5], 16), words[1])
            for words in _rows("-SW", binary)
            if len(words) > 6 and words[0].endswith("]") and words[1].startswith(".")
        )
        symbols = (
            (int(words[1], 16), int(words[2], 0), words[7])
            for words in _rows("-sW", binary)
            if len(words) == 8 and words[3] == "OBJECT"
        )
        return cls(sorted(sections), sorted(symbols))

    def detail(self, address: int) -> dict[str, str]:
        found = {}
        if name := _holding(self.sections, address):
            found["section"] = name[0]
        if name := _holding(self.symbols, address):
            found["symbol"] = name[0] + (f"+{name[1]:#x}" if name[1] else "")
        return found


def _rows(option: str, binary: Path) -> list[list[str]]:
    done = subprocess.run(["readelf", option, binary], capture_output=True, check=True)
    lines = done.stdout.decode("utf-8", "replace")
    return [line.replace("[ ", "[").split() for line in lines.splitlines()]


def _holding(spans: list[tuple[int, int, str]], address: int) -> tuple[str, int] | None:
    at = bisect.bisect_right(spans, (address, 1 << 63, "")) - 1
    if at < 0 or not spans[at][0] <= address < spans[at][0] + spans[at][1]:
        return None
    return spans[at][2], address - spans[at][0]


def annotate(node: Node, statics: Statics) -> None:
    """Adds to every address what readelf knows of it."""
    if "address" in node:
        detail = statics.detail(int(node["address"], 16))
        node["location"] = {"kind": "", "detail": detail}
    for child in (*node.get("elements", ()), *([node["data"]] if "data" in node else ())):
        annotate(child, statics)


def ask_gdb(program: Program, binary: Path, out: Path) -> tuple[dict[str, Any], str]:
    sites = program.sites_of(parse_release(NEWEST), "debug")
    breaks = [site.where for site in sites]
    done = subprocess.run(
        [
            *PYTHON_GDB[-1].command,
            "-nx",
            "-batch",
            "-ex",
            f"python breaks={breaks!r}; out='{out}'",
            "-x",
            SCRIPT,
            binary,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        env={**os.environ, **CALM},
    )
    assert out.exists(), done.stdout + done.stderr
    return json.loads(out.read_text()), done.stdout + done.stderr


def _has_python(command: tuple[str, ...]) -> bool:
    asked = subprocess.run(
        [*command, "-nx", "-batch", "-ex", "python import json, gdb; print('p' + 'y')"],
        capture_output=True,
        text=True,
    )
    return "py" in asked.stdout.split()


def asked_by_default(program: Program) -> bool:
    """GDB takes seconds for each: without GOPROBE_MATRIX=all only those with most to say."""
    return (
        "debug" in program.builds
        and program.runs_on(parse_release(NEWEST))
        and (go.whole_matrix() or program.name in ESSENTIAL)
    )


PYTHON_GDB = [tool for tool in gdbs() if _has_python(tuple(tool.command))]


@pytest.mark.skipif(not PYTHON_GDB, reason="no GDB here has Python inside")
@pytest.mark.parametrize(
    "program", [p for p in ALL if asked_by_default(p)], ids=lambda p: str(p.name)
)
def test_gdb_and_readelf_agree(program: Program, tmp_path: Path) -> None:
    binary = built(program, NEWEST, "debug")
    report, output = ask_gdb(program, binary, tmp_path / "gdb.json")
    statics = Statics.of(binary)
    for stop in report["stops"]:
        for variable in stop["variables"]:
            annotate(variable, statics)
    release = parse_release(NEWEST)
    found = check(program, report, output, release, "debug", known, partial=True)
    wrong = [w for w in found if (w.program, w.want) not in GDB_ERRS]
    assert not wrong, "\n".join(map(str, wrong))
    assert report["exit"]["code"] == program.exit
