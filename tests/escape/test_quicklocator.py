"""The quick look at where a result lies says what the thorough one (`locate`) says."""

from __future__ import annotations

import pytest

from goprobe.analysis.escape.calls import CodeMap
from goprobe.analysis.escape.results import QuickLocator
from goprobe.analysis.locate.locator import Locator
from goprobe.binary.elf.elf import ElfFile
from goprobe.model.escape import NOTHING
from goprobe.model.location import Kind
from goprobe.process.memory.memory import Memory, ProcessMemory
from goprobe.process.proc.maps import read_maps
from goprobe.process.tracer.events import CallHit, CountedCall
from goprobe.process.tracer.run import run_counted
from goprobe.runtime.image.program import GoProgram
from goprobe.target.goprocess import GoProcess
from tests.escape.corpus import FOLDER
from tests.support.go import build, matrix


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("name", ["strings", "interfaces", "slices"])
def test_the_quick_look_agrees_with_locate(name: str, go: str, capfd: object) -> None:
    binary = build(FOLDER / f"{name}.go", go=go)
    program = GoProgram(ElfFile(binary))
    calls = [c for c in CodeMap(program).calls() if c.outer.function.startswith("main.")]
    seen: dict[str, int] = {}
    differing: list[str] = []

    def compare(hit: CallHit, memory: Memory) -> None:
        assert isinstance(memory, ProcessMemory)
        address = hit.results[0]
        quick = QuickLocator(program, memory).of(address, hit.sp_after, hit.stack_hi_after)
        world = GoProcess(memory.pid, program, 0).world(memory, read_maps(memory.pid))
        thorough = str(Locator(world).locate(address).kind) if address else NOTHING
        seen[quick.kind] = seen.get(quick.kind, 0) + 1
        if quick.kind != thorough:
            differing.append(f"{hit.site.pc:#x} -> {address:#x}: {quick.kind}, {thorough}")

    sites = [CountedCall(c.pc, c.target, c.pc) for c in calls]
    outcome = run_counted(str(binary), sites=sites, inspect=3, on_hit=compare, timeout=120)
    assert outcome.exit_code == 0
    assert not differing
    assert seen[Kind.HEAP] > 5
    assert len(seen) >= 2


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("name", ["strings", "interfaces", "slices"])
def test_what_is_remembered_within_a_look_is_what_is_there(name: str, go: str) -> None:
    binary = build(FOLDER / f"{name}.go", go=go)
    program = GoProgram(ElfFile(binary))
    code = CodeMap(program)
    calls = [c for c in code.calls() if c.outer.function.startswith("main.")]
    locators: list[QuickLocator] = []
    looks: dict[int, int] = {}

    def compare(hit: CallHit, memory: Memory) -> None:
        if not hit.returned:
            return
        if not locators:
            locators.extend(QuickLocator(program, memory) for _ in range(2))
        remembering, plain = locators
        asked = hit.results[0], hit.sp_after, hit.stack_hi_after
        assert remembering.of(*asked, hit.look) == plain.of(*asked)
        looks[hit.look] = looks.get(hit.look, 0) + 1

    sites = [CountedCall(c.pc, c.target, c.pc, later=c.allocator.tells_later) for c in calls]
    outcome = run_counted(
        str(binary), sites=sites, inspect=30, on_hit=compare, sweeps=code.sweeps(), timeout=120
    )
    assert outcome.exit_code == 0
    assert max(count for look, count in looks.items() if look) > 5
