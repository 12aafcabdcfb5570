"""What a core file contradicts itself in, or lacks that every core has.

The kernel (fs/binfmt_elf.c, elf_core_dump), GDB's gcore and Delve write the segments in the order
of their addresses, one behind the other into the file, each whole, as far as it goes into the core
at all; of a file that is mapped the kernel keeps its first page alone where it is an ELF file. One
segment is that of the notes; of this machine's processes there is no other kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from goprobe.counts import counted
from goprobe.elfheaders import PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE, Segment
from goprobe.process.core.elf import ElfImage
from goprobe.process.core.notes import AT_ENTRY, AT_PHDR, MappedFile, Notes
from goprobe.process.proc.procfs import PAGE_SIZE

_ADDRESSES = 1 << 56  # of programs, with five levels of page tables
_VSYSCALL = 0xFFFFFFFFFF600000  # x86-64: the one page beyond them that GDB writes, too
_LOWEST = 1 << 12  # nothing is mapped at the lowest page (mmap_min_addr)
_TOLD = 4


def doubts_of(core: ElfImage, loads: Sequence[Segment], notes: Notes) -> list[str]:
    """Each as a sentence that follows the file's name and a colon."""
    doubts = [*_of_kinds(core), *_of_notes(notes), *_of_segments(core, loads)]
    doubts += _of_files(notes.files, loads)
    doubts += _of_no_use(core)
    more = len(doubts) - _TOLD
    return doubts[:_TOLD] + ([f"and {more} more of that kind"] if more > 0 else [])


def doubts_of_image(
    binary: ElfImage, loads: Sequence[Segment], bias: int, path: str
) -> Iterator[str]:
    """Whether the variables of the executable are where they have to be."""
    for p in binary.programs:
        if p.type != PT_LOAD or not p.flags & PF_W or not p.size:
            continue
        low, high = p.address + bias, p.address + bias + p.size
        at = low
        for load in loads:
            if load.address <= at < load.address + load.size:
                at = load.address + load.size
        if at < high:
            yield f"the variables of {path} at {max(at, low):#x} are not in it"


def _of_kinds(core: ElfImage) -> Iterator[str]:
    for number, p in enumerate(core.programs):
        if p.type not in (PT_LOAD, PT_NOTE):
            yield f"its segment {number} is of a kind that no core has ({p.type:#x})"
        elif p.type == PT_LOAD and not p.size:
            yield f"its memory at {p.address:#x} is of no size"
    count = sum(p.type == PT_NOTE for p in core.programs)
    if count > 1:
        yield f"it has {counted(count, 'segment')} of notes, and every core has one"


def _of_notes(notes: Notes) -> Iterator[str]:
    if not notes.threads:
        yield "it says nothing of any thread"
    if AT_ENTRY not in notes.auxv and AT_PHDR not in notes.auxv:
        yield "it does not say where its program was loaded"


def _of_segments(core: ElfImage, loads: Sequence[Segment]) -> Iterator[str]:
    missing = max([p.offset + p.file_size - core.size for p in loads] + [0])
    if missing:
        yield f"it is cut off: its last {missing:,} bytes are missing, and with them what lay there"
    for p in loads:
        if not _possible(p):
            yield f"no memory can be at {p.address:#x}, where it has {p.size:#x} bytes of it"
        elif p.file_size not in (0, PAGE_SIZE, p.size):
            yield f"of {p.size:#x} bytes of memory at {p.address:#x} it has {p.file_size:#x}"
        elif p.file_size and not p.flags & (PF_R | PF_W | PF_X):
            yield f"it has the bytes of memory at {p.address:#x} that nobody may use"
    for before, p in pairwise(loads):
        if p.address < before.address + before.size:
            yield f"its memory at {p.address:#x} comes twice, or not in order"
    stored = [p for p in loads if p.file_size]
    for before, p in pairwise(stored):
        if p.offset < before.offset + before.file_size:
            yield (
                f"the memory at {p.address:#x} and that at {before.address:#x} have the same bytes"
                " of the file, or they are not in order"
            )


def _of_no_use(core: ElfImage) -> Iterator[str]:
    """Bytes of the file that are nobody's: a segment has gone, or has become smaller."""
    parts = sorted((p.offset, p.offset + p.file_size) for p in core.programs if p.file_size)
    end = 0
    for low, high in parts:
        if end and low >= end + PAGE_SIZE:  # less is padding
            yield f"of its bytes those from {end:#x} to {low:#x} belong to no memory"
        end = max(end, high)


def _possible(p: Segment) -> bool:
    within = p.address >= _LOWEST and p.address + p.size <= _ADDRESSES
    return p.address % PAGE_SIZE == p.size % PAGE_SIZE == 0 and (within or p.address == _VSYSCALL)


def _of_files(files: Sequence[MappedFile], loads: Sequence[Segment]) -> Iterator[str]:
    """Where a mapping of a file lies across the bounds of memory."""
    lows = {p.address: p for p in loads}
    for file in files:
        p = lows.get(file.low)
        if p and p.address + p.size != file.high:
            yield (
                f"{file.path} is mapped from {file.low:#x} to {file.high:#x}, where it has memory"
                f" to {p.address + p.size:#x}"
            )
