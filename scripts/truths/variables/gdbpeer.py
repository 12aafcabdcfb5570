"""What GDB tells of the same variables at the same stops, held against the same witness.

It is asked by its Python, which knows values as trees. Where Go's meaning is needed, of maps,
channels, functions and what interfaces hold, it tells words: that counts as not told.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from elftools.elf.elffile import ELFFile

from goprobe.runtime.values.text import escape, go_complex, go_float
from goprobe.toolchain.find import GdbTool
from scripts.truths.answer import Outcome, Peers
from scripts.truths.kind import Case
from scripts.truths.variables.told import Node, unquoted
from scripts.truths.variables.visits import Level, Visit, aligned
from tests.support.gdb import gdbs

_SIDE = (Path(__file__).parent / "gdbside.py.txt").read_text()
_SECONDS = 120.0
_COMPLEX = re.compile(r"^(\S+) \+ (\S+)i$")
_BEST_FIRST = (Outcome.RIGHT, Outcome.NOT_TOLD, Outcome.WRONG)


@dataclass(frozen=True, slots=True)
class _Frame:
    function: str
    line: int
    variables: Sequence[Any]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What GDB does: gdbside.py.txt says what each part means."""

    addresses: Sequence[int]
    stops: int
    binary: str
    pie: bool = False
    once: bool = False
    file: str = ""
    deepest: int = 64
    settings: Sequence[str] = ()


def asked_of_gdb(
    tool: GdbTool, plan: Plan, directory: Path, seconds: float, *, folder: Path | None = None
) -> list[Any]:
    """What GDB's Python tells at each stop: its pc at link time, and frames with variables.

    Its files lie in `directory`; the program runs in `folder`.
    """
    file, output = directory / "plan.json", directory / "gdb.jsonl"
    side = directory / "gdbside.py"
    side.write_text(_SIDE)
    output.unlink(missing_ok=True)
    more = {"output": str(output), "low": _low(Path(plan.binary))}
    file.write_text(json.dumps(msgspec.to_builtins(plan) | more))
    start = ["-nx", "-batch", "-ex", f"python PLAN = {str(file)!r}", "-x", str(side), plan.binary]
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [*tool.command, *start],
            capture_output=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )
    lines = output.read_text().splitlines() if output.exists() else []
    return [json.loads(line) for line in lines]


def gdb_of(case: Case, visits: Sequence[Visit], wrapped: frozenset[int]) -> Peers:
    """The newest GDB that has its Python: its answers at the stops that goprobe came to."""
    tool = gdb_with_python()
    if tool is None:
        return {}
    plan = Plan(
        addresses=sorted({v.pc for v in visits}),
        stops=2 * len(visits),
        binary=str(case.binary),
        pie=case.build.name == "PIE",
        file="main.go",
    )
    stops, at = asked_of_gdb(tool, plan, case.directory, _SECONDS), 0
    counts: Counter[Outcome] = Counter()
    for visit in visits:
        while at and at < len(stops) and visit.pc != stops[at][0] == stops[at - 1][0]:
            at += 1  # the same hit again: the stack check restarted the function
        pc, frames = stops[at] if at < len(stops) else (0, [])
        at += 1
        found = [_Frame(*frame) for frame in frames] if pc == visit.pc else []
        matched = aligned([f.line for f in found], visit.levels, wrapped)
        for i, level in enumerate(visit.levels):
            mine = found[matched[i]].variables if matched else []
            counts.update(_of_level(mine, level))
    return {f"gdb {tool.version}": counts}


@cache
def gdb_with_python() -> GdbTool | None:
    """The newest GDB here that has its Python."""
    for tool in reversed(gdbs()):
        asked = [*tool.command, "-nx", "-batch", "-ex", "python import gdb; print(gdb.VERSION)"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS, check=False)
        if said.stdout.startswith(tool.version):
            return tool
    return None


def _low(binary: Path) -> int:
    """The lowest address of the executable's segments, at a page."""
    with binary.open("rb") as file:
        loaded = [s["p_vaddr"] for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD"]
    return min(loaded) & ~0xFFF


def _of_level(told: Sequence[Any], level: Level) -> Iterator[Outcome]:
    """Of several variables that may be meant the one that is told best counts."""
    body = level.site.body
    own = {(v.name, v.line) for v in level.values if v.body is body}
    known = set(own)
    for variable, node in level.values.items():
        place = (variable.name, variable.line)
        mine = variable.body is body
        same = [
            v
            for v in told
            if v[0] == variable.name
            and ((v[0], v[1]) == place if mine else (v[0], v[1]) not in own)
        ]
        known.update((v[0], v[1]) for v in same)
        outcomes = [_outcome(node, v[3]) for v in same]
        if same or mine or variable in body.captured:
            yield next((o for o in _BEST_FIRST if o in outcomes), Outcome.NOT_TOLD)
    for name, line, parameter, node in told:
        if (name, line) not in known and node[0] != "untold" and not parameter and name != "_":
            yield Outcome.WRONG  # a value of what is not declared yet


def _outcome(truth: Node, told: Node) -> Outcome:
    untold: list[str] = []
    if not _same(truth, told, untold):
        return Outcome.WRONG
    return Outcome.NOT_TOLD if untold else Outcome.RIGHT


def _same(truth: Node, told: Node, untold: list[str]) -> bool:
    kind = truth[0]
    if kind == "more" or told[0] == "more":
        return True
    if told[0] == "untold":
        untold.append(told[1])
        return True
    match kind:
        case "string":
            raw = bytes.fromhex(told[3]) if told[0] == "string" else b""
            whole = bool(told[0] == "string" and told[2] == truth[2])
            return whole and escape(raw) == unquoted(truth)
        case "struct":
            return _struct(truth, told, untold)
        case "array":
            return bool(told[0] == "array") and _run(truth[2:], told[2], untold)
        case "slice":
            if told[0] != "slice" or "nil" in (truth[2], told[2]):
                return bool(truth[2] == told[2])
            sizes = bool(list(truth[2:4]) == list(told[2:4]))
            return sizes and _run(truth[4:], told[4], untold)
        case "ptr" | "map" | "chan" | "func" | "interface":
            return _reference(truth, told, untold)
    return bool(told[0] == "number") and _number(kind, told[2]) == str(truth[2])


def _struct(truth: Node, told: Node, untold: list[str]) -> bool:
    if len(truth) < 3 or told[0] != "struct":
        return bool(told[0] == "struct")
    pairs = list(zip(truth[2], told[2], strict=False))
    return len(truth[2]) == len(told[2]) and all(
        a[0] == b[0] and _same(a[1], b[1], untold) for a, b in pairs
    )


def _run(rest: Sequence[Any], told: Sequence[Node], untold: list[str]) -> bool:
    if not rest:
        return True
    return all(_same(a, b, untold) for a, b in zip(rest[0], told, strict=False))


def _reference(truth: Node, told: Node, untold: list[str]) -> bool:
    nil = len(truth) > 2 and truth[2] == "nil"
    if nil != (told[2] == "nil"):
        return False
    if truth[0] != "ptr" and not nil:
        untold.append("words only")
    if truth[0] == "ptr" and len(truth) > 2 and len(told) > 3:
        return _same(truth[2], told[3], untold)
    return True


def _number(kind: str, told: Any) -> str:
    bits = 32 if kind in ("float32", "complex64") else 64
    if isinstance(told, list):
        return go_float(told[2], bits)
    if found := _COMPLEX.match(str(told)):
        return go_complex(float(found[1]), float(found[2]), bits)
    return f"{told:#x}" if kind == "uintptr" and isinstance(told, int) else str(told)
