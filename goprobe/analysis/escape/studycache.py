"""The static study of a binary, kept on disk: reading its code takes longer than most tests do. And
what is put into it to be counted: making that takes a tenth of a second.

Keyed by the very bytes of the binary, by what the compiler said, and by what was asked. An entry
names the source files that it was made of, and is used only while these are as they were; and only
where the binary holds the calls that it speaks of, since the program is patched there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.sources import are_as_read
from goprobe.analysis.escape.staticstudy import StaticStudy
from goprobe.arch.machinefacts import is_call
from goprobe.binary.cache import load, room_of_folders, store
from goprobe.process.tracer.armed import Armed
from goprobe.runtime.image.program import GoProgram
from goprobe.toolchain.escapebuild import EscapeBuild

_MOST_KEPT = 600
"""Twice as many as builds: each has up to some MB."""
_CODE = (
    "analysis/escape", "arch/amd64", "binary", "binary/dwarf", "binary/elf", "binary/pcln", "model",
    "process/tracer", "runtime", "runtime/image", "runtime/layout", "runtime/types", "toolchain",
)  # fmt: skip


def room() -> str:
    """That of this version's reading of code."""
    return room_of_folders("study", *_CODE)


def study_key(build: EscapeBuild, program: GoProgram, go_root: Path, request: EscapeRequest) -> str:
    digest = hashlib.sha256(program.elf.view(0, program.elf.size))
    digest.update(build.said)
    packages = [(p.path, p.name, p.directory, p.files) for p in build.packages]
    asked = request.deep, request.promises
    digest.update(repr((build.cwd, build.program, packages, go_root, asked)).encode())
    return digest.hexdigest()


def kept_study(key: str, program: GoProgram) -> StaticStudy | None:
    kept = load(room(), key, StaticStudy)
    return kept if kept is not None and _holds(kept, program) else None


def keep_study(key: str, study: StaticStudy) -> None:
    store(room(), key, study, most=_MOST_KEPT)


class KeptArming:
    """What is put into binaries to be counted, beside their studies."""

    def load(self, key: str) -> Armed | None:
        return load(room(), f"armed {key}", Armed)

    def keep(self, key: str, armed: Armed) -> None:
        store(room(), f"armed {key}", armed, most=_MOST_KEPT)


def _holds(study: StaticStudy, program: GoProgram) -> bool:
    if not are_as_read(study.sources):
        return False
    text = program.elf.section(".text")
    if text is None:
        return False
    code, low = program.elf.contents(text), text.address
    watched = all(low <= pc < text.end for pc in study.watched)
    return watched and all(is_call(code, pc - low, target - low) for pc, target in _calls(study))


def _calls(study: StaticStudy) -> Iterator[tuple[int, int]]:
    yield from ((call.pc, call.target) for plan in study.plans for call in plan.calls)
    yield from study.others.items()
    yield from study.allocator.calls
    yield from study.sweeps
