"""The table of allocating functions, held against the sources of each Go toolchain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goprobe.runtime.allocatorcalls import Allocates, Allocator, ArgumentSlot
from goprobe.runtime.allocators import ALLOCATORS, allocators_for, specialised
from tests.support.go import releases, toolchain

# What the compiler may call that gives nobody memory: checks, panics, prints, copies, hashes,
# reads, channels' and maps' other operations, race and fuzz hooks, variables.
_NO_MEMORY = re.compile(
    r"(go)?[pP]anic|print|throw|mem(equal|hash|move|clr)|typed|write|slicecopy|decoderune"
    r"|countrunes|cmpstring|(str|inter|nilinter|f32|f64|c64|c128)(equal|hash)|[ei]faceeq"
    r"|map(access|iter|Iter|delete|clear|initnoop)|chan(len|cap|recv|send)|closechan|select|block"
    r"|race|msan|asan|libfuzzer|checkptr|goschedguarded|gorecover|fastrand|rand|int64|uint64"
    r"|float64|uint32|complex128div|addCovMeta|mulUintptr|getcaller|KeepAlive|x86|arm|loong|riscv"
    r"|assert|conv[EI]|interfaceSwitch|typeAssert|gopanic|gcWriteBarrier|wb"
)
_FUNCTION = re.compile(r"^func (\w+)\(((?:[^()\n]|\([^()]*\))*)\)", re.M)
_ASSIGNS_IN_MAPS = "internal/runtime/maps"


def source(go: str) -> Path:
    return toolchain(go).parent.parent / "src"


def release(go: str) -> tuple[int, int]:
    major, minor = go.split(".")
    return int(major), int(minor)


def declared(go: str) -> dict[str, str]:
    """The parameters of every function of the runtime, by name."""
    found: dict[str, str] = {}
    for folder in ("runtime", _ASSIGNS_IN_MAPS):
        for path in sorted((source(go) / folder).glob("*.go")):
            if not path.name.endswith("_test.go"):
                found.update(_FUNCTION.findall(path.read_text()))
    return found


def words(parameters: str) -> list[int]:
    """How many words each parameter takes."""
    kind = ""
    sizes: list[int] = []
    for part in reversed([p for p in parameters.split(", ") if p]):
        _, _, own = part.partition(" ")
        kind = own or kind
        size = 3 if kind.startswith("[]") else 2 if kind in ("string", "any", "interface{}") else 1
        sizes.insert(0, size)
    return sizes


@pytest.mark.parametrize("go", releases())
def test_each_allocator_is_declared_so_in_the_runtime(go: str) -> None:
    functions = declared(go)
    for allocator in allocators_for(release(go)).values():
        if allocator.signature == "()" and allocator.allocates is not Allocates.PERHAPS:
            continue  # only counted: its arguments are not read
        assert allocator.name in functions, f"Go {go} has no runtime.{allocator.name}"
        ours = allocator.signature[1 : allocator.signature.index(")")]
        theirs = functions[allocator.name]
        assert words(ours) == words(theirs), f"runtime.{allocator.name}({theirs})"


@pytest.mark.parametrize("go", releases())
def test_nothing_that_the_compiler_calls_is_missing(go: str) -> None:
    path = source(go) / "cmd/compile/internal/typecheck/_builtin/runtime.go"
    known = {a.name for a in allocators_for(release(go)).values()}
    missing = [
        name
        for name, _ in _FUNCTION.findall(path.read_text())
        if name not in known and not _NO_MEMORY.match(name) and name != "deferprocStack"
    ]
    assert not missing


@pytest.mark.parametrize("go", releases())
def test_the_generated_forms_of_mallocgc_have_its_parameters(go: str) -> None:
    path = source(go) / "runtime/malloc_generated.go"
    names = _FUNCTION.findall(path.read_text()) if path.exists() else []
    forms = [(n, p) for n, p in names if "SlowPath" not in n and n.startswith("mallocgc")]
    assert bool(forms) == (release(go) >= (1, 26))
    for name, parameters in forms:
        found = specialised(f"runtime.{name}")
        assert found is not None, name
        assert parameters == "size uintptr, typ *_type, needzero bool"


def test_other_functions_are_no_form_of_mallocgc() -> None:
    assert specialised("runtime.mallocgc") is None
    assert specialised("main.mallocgcTinySC2") is None
    assert specialised("runtime.mallocgcSmallScanSlowPath") is None


def by_name(name: str) -> Allocator:
    return next(a for a in ALLOCATORS if a.name == name)


def test_arguments_are_where_the_abi_puts_them() -> None:
    five = by_name("concatstring5").slots  # the buffer and eight words; the fifth string not
    assert [five[n].register for n in ("buf", "a0", "a0.len", "a3", "a3.len")] == [
        "rax",
        "rbx",
        "rcx",
        "r10",
        "r11",
    ]
    assert (five["a4"], five["a4.len"]) == (ArgumentSlot(offset=0), ArgumentSlot(offset=8))
    many = by_name("concatstrings").slots
    assert [many[n].register for n in ("buf", "a", "a.len", "a.cap")] == [
        "rax",
        "rbx",
        "rcx",
        "rdi",
    ]
    grown = by_name("growsliceBuf").slots
    assert (grown["et"].register, grown["bufPtr"].register) == ("rsi", "r8")


def test_what_is_named_in_the_table_are_parameters() -> None:
    for allocator in ALLOCATORS:
        for name in (allocator.type, allocator.buffer, *allocator.passes):
            assert not name or name in allocator.slots, (allocator.name, name)


def test_one_declaration_for_each_function_and_release() -> None:
    for go in releases():
        names = [a.name for a in ALLOCATORS if a.since <= release(go) <= a.until]
        assert len(names) == len(set(names))
