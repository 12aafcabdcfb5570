"""Which Go programs a process holds: its executable, and libraries with a runtime of their own.

A C program may have loaded a c-shared library, or several, each a Go program by itself; one that
is linked into the executable is the executable's. Plugins are none: they share the runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from goprobe.binary.elf.buildinfo import written_info
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import GoprobeError, NotGoError, UnreadableError, UsageError
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.identity import ProcessIdentity
from goprobe.process.proc.maps import Mapping, paths_of, read_maps
from goprobe.runtime.image.goimage import GoImage
from goprobe.runtime.image.modules import read_modules
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.world import bias_of, load_bias

_LIBRARIES_LIMIT = 4096
_IMAGES_LIMIT = 16
_MAPPINGS_LIMIT = 1 << 16

Complete = Callable[[GoImage], None]
"""Finds layouts and roots of a stripped program."""


def go_images(
    identity: ProcessIdentity,
    mappings: Sequence[Mapping],
    memory: Memory,
    complete: Complete,
    *,
    assume_go: str = "",
    wanted: str = "",
) -> tuple[GoImage, ...]:
    """Those of a process: the one to ask first, which is the executable if that is one.

    `wanted` is the name or path of another one to ask. Raises NotGoError where there is none, what
    `complete` raises of the first, and UsageError where `wanted` is not there.
    """
    images: list[GoImage] = []
    why: NotGoError | None = None
    try:
        images.append(_executable(identity, tuple(mappings), assume_go))
        complete(images[0])
    except NotGoError as error:
        if images and not wanted:
            raise
        why, images = error, []
    for image in _libraries(identity, mappings, _modules(images, memory), assume_go):
        with suppress(GoprobeError):  # of several the others are looked at only as far as they can
            complete(image)
            images.append(image)
    if wanted:
        images.sort(key=lambda image: wanted not in (image.name, image.path))
        if not images or wanted not in (images[0].name, images[0].path):
            names = ", ".join(image.name for image in images) or "none"
            raise UsageError(
                f"process {identity.pid} holds no Go program {wanted}",
                hint=f"the Go programs in it: {names}",
            )
    if images:
        return tuple(images)
    assert why is not None
    raise why


def may_hold_go(pid: int) -> bool:
    """Whether it is worth a look: whether a file that is mapped with code looks like Go's. Raises
    what reading the process raises."""
    return any(_is_worth_it(path) for path in (f"/proc/{pid}/exe", *_mapped_code(pid)))


def _mapped_code(pid: int) -> Iterator[str]:
    mapped = (m for m in read_maps(pid)[:_MAPPINGS_LIMIT] if m.inode and "x" in m.perms)
    return (f"/proc/{pid}/root{path}" for path in dict.fromkeys(m.path for m in mapped))


def _is_worth_it(path: str) -> bool:
    with suppress(GoprobeError, OSError):
        file = Path(path).stat()
        return _is_go_file(path, file.st_dev, file.st_ino, file.st_mtime_ns)
    return False


@lru_cache(maxsize=1 << 16)
def _is_go_file(path: str, *which: int) -> bool:
    return _may_be_go(ElfFile(path))


def _executable(
    identity: ProcessIdentity, mappings: tuple[Mapping, ...], assume_go: str
) -> GoImage:
    elf = ElfFile(identity.open_path, shown_as=identity.executable)
    program = GoProgram(elf, assume_go=assume_go)
    return GoImage(program, load_bias(program, mappings, identity.executable, identity.entry))


def _libraries(
    identity: ProcessIdentity, mappings: Sequence[Mapping], taken: Sequence[int], assume_go: str
) -> Iterator[GoImage]:
    """Go programs among the other files that are mapped with code. `taken` is where that of known
    modules begins."""
    files: dict[tuple[str, int, str], list[Mapping]] = {}
    for m in mappings:
        if m.inode and m.path.startswith("/"):
            files.setdefault((m.device, m.inode, m.path), []).append(m)
    shown = 0
    for parts in list(files.values())[:_LIBRARIES_LIMIT]:
        if not any("x" in m.perms for m in parts) or shown >= _IMAGES_LIMIT:
            continue
        low, high = min(m.low for m in parts), max(m.high for m in parts)
        if any(low <= text < high for text in taken):
            continue
        if image := _library(identity, parts, mappings, assume_go):
            shown += 1
            yield image


def _library(
    identity: ProcessIdentity, own: Sequence[Mapping], mappings: Sequence[Mapping], assume_go: str
) -> GoImage | None:
    for path in paths_of(identity.pid, own[0]):
        with suppress(GoprobeError):
            elf = ElfFile(path, shown_as=own[0].path)
            if elf.status.st_ino == own[0].inode and _may_be_go(elf):
                return GoImage(GoProgram(elf, assume_go=assume_go), bias_of(elf, own, mappings))
    return None


def _may_be_go(elf: ElfFile) -> bool:
    """Whether it is worth a look: most libraries are C's."""
    named = elf.section(".go.buildinfo") or elf.section(".gopclntab")
    return bool(named or not elf.sections or written_info(elf))


def _modules(known: Sequence[GoImage], memory: Memory) -> list[int]:
    """Where the code of the programs' own modules and their plugins begins."""
    texts: list[int] = []
    for image in known:
        with suppress(UnreadableError, KeyError, GoprobeError):
            facts = image.program.facts
            first = facts.roots["firstmoduledata"] + image.bias
            texts += [module["text"] for module in read_modules(memory, facts.layout, first)]
    return texts
