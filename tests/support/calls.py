"""Where a Go binary calls what: read off its symbols and machine code, for tests and benchmarks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from iced_x86 import Decoder, FlowControl, Instruction

from goprobe.binary.elf.elf import ElfFile, Symbol


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A direct call; addresses are link-time."""

    pc: int
    callee: int
    caller_name: str
    callee_name: str


def functions(binary: Path, pattern: str) -> list[Symbol]:
    return [s for s in ElfFile(binary).symbols if s.kind == "func" and re.search(pattern, s.name)]


def instructions(binary: Path, function: str) -> list[Instruction]:
    """The instructions of the one function of that name."""
    (symbol,) = functions(binary, f"^{re.escape(function)}$")
    return list(Decoder(64, ElfFile(binary).read(symbol.address, symbol.size), ip=symbol.address))


def calls(binary: Path, caller: str = "", callee: str = "") -> list[FoundCall]:
    """The direct calls from functions whose names match to functions whose names match."""
    elf = ElfFile(binary)
    names = {s.address: s.name for s in elf.symbols if s.kind == "func"}
    found = []
    for symbol in functions(binary, caller):
        for one in Decoder(64, elf.read(symbol.address, symbol.size), ip=symbol.address):
            if one.flow_control != FlowControl.CALL or one.len != 5:
                continue
            name = names.get(one.near_branch_target, "")
            if name and re.search(callee, name):
                found.append(FoundCall(one.ip, one.near_branch_target, symbol.name, name))
    return found
