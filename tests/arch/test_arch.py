"""Only `goprobe.arch` knows the machine, and amd64 provides what a machine has to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from goprobe.arch.amd64 import registers

if TYPE_CHECKING:  # mypy is the judge
    from goprobe.arch import protocol
    from goprobe.arch.amd64 import (
        displaced,
        frames,
        instructions,
        machinecode,
        patches,
        systemcalls,
        waysin,
    )

    _registers: protocol.Registers = registers
    _frames: protocol.Frames = frames
    _calls: protocol.SystemCalls = systemcalls
    _patches: protocol.Patches = patches
    _instructions: protocol.Instructions = instructions
    _code: protocol.MachineCode = machinecode
    _ways: protocol.WaysIn = waysin
    _displaced: protocol.Displacing = displaced

ROOT = Path(__file__).parents[2] / "goprobe"
NAMES = sorted({*registers.GENERAL, *registers.VECTORS, *registers.THREAD, "rip", "eflags"})
ALIEN = re.compile(
    rf"""["'](?:{"|".join(NAMES)})["'] | \.(?:{"|".join(NAMES)})\b | iced_x86 | 0xcc\b | \\xcc""",
    re.X | re.I,
)


def others() -> list[Path]:
    return [f for f in sorted(ROOT.rglob("*.py")) if "arch" not in f.relative_to(ROOT).parts]


@pytest.mark.parametrize("file", others(), ids=lambda f: str(f.relative_to(ROOT)))
def test_nobody_else_names_a_register_or_decodes(file: Path) -> None:
    found = [m.group() for m in ALIEN.finditer(file.read_text())]
    assert not found
