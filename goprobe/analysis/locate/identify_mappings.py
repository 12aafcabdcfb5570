"""Addresses as the kernel's mappings tell them: what is left when Go's bookkeeping says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.model.address import Address
from goprobe.model.location import CMemory, Detail, Kind, Location, RuntimeUse
from goprobe.process.proc.maps import Mapping

# How the kernel shows memory that is no file's: mmap with MAP_SHARED, and with MAP_HUGETLB.
NO_FILES = {
    "/dev/zero (deleted)": "shared anonymous memory",
    "/anon_hugepage (deleted)": "anonymous huge pages",
}


class InMappings:
    """Vdso, files, libraries, the kernel's and C's stacks, the C heap, reserved space."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._world = space.world

    def identify(self, address: int) -> Location | None:
        m = self._space.mapping_at(address)
        if m is None:
            return None
        detail: Detail = {"low": Address(m.low), "high": Address(m.high), "perms": m.perms}
        if m.path in ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]"):
            return self._space.location(Kind.VDSO, address, f"the kernel's {m.path}", detail)
        if self._space.in_own_image(address):
            return self._between_sections(m, address, detail)
        if m.is_file and m.path:
            detail["path"] = m.path
            name = PurePath(m.path).name
            if self._space.images.library_at(address) or "x" in m.perms:
                return self._space.location(Kind.LIBRARY, address, f"{name} ({m.perms})", detail)
            return self._space.location(Kind.FILE, address, _file_name(m), detail)
        if m.path.startswith("[stack"):
            detail |= {"thread": self._world.pid, "which": "os"}
            return self._space.location(
                Kind.SYSTEM_STACK, address, "the kernel's stack of the main thread", detail
            )
        if m.perms.startswith("---"):
            return self._space.location(
                Kind.RESERVED, address, "reserved address space, no memory behind it", detail
            )
        return self._anonymous(m, address, detail)

    def _between_sections(self, m: Mapping, address: int, detail: Detail) -> Location:
        binary = PurePath(self._world.program.elf.shown_as).name
        writable = "w" in m.perms
        kind = Kind.RODATA if not writable else Kind.DATA if m.is_file else Kind.BSS
        detail["what"] = "headers and padding"
        return self._space.location(
            kind,
            address,
            f"{binary}, outside its sections (headers, padding)",
            detail,
            f"the loaded image of {binary} covers it, none of its sections does",
        )

    def _standing_in(self, m: Mapping) -> Iterator[str]:
        """Threads of unknown stacks; a mapping may hold more than the stack that one stands on."""
        for tid, registers in self._world.threads.items():
            if m.low <= registers.sp < m.high and not self._world.system_stacks.of_c(tid):
                yield f"thread {tid}'s stack pointer {registers.sp:#x} is in this mapping"

    def _anonymous(self, m: Mapping, address: int, detail: Detail) -> Location:
        library = None if m.path else self._space.images.library_at(address)
        if library:
            detail["path"] = library.path
            name = f"{PurePath(library.path).name} (zeroed variables)"
            return self._space.location(
                Kind.LIBRARY,
                address,
                name,
                detail,
                f"the segments of {library.path} that are loaded before it reach this far",
            )
        if m.path == "[heap]":
            return self._space.location(Kind.C_HEAP, address, CMemory.BRK.value, detail)
        if self._world.has_c:
            return self._space.location(
                Kind.C_HEAP,
                address,
                CMemory.MAPPED.value,
                detail,
                "anonymous memory that none of Go's bookkeeping claims, and that is not seen to be "
                "of glibc's malloc, in a process with C code",
                *self._standing_in(m),
            )
        detail["what"] = RuntimeUse.UNIDENTIFIED
        return self._space.location(
            Kind.RUNTIME,
            address,
            "anonymous memory that goprobe cannot attribute",
            detail,
            "none of Go's bookkeeping claims it, and there is no C code in the process",
        )


def _file_name(m: Mapping) -> str:
    """What a mapping of no program is called: memory that is shared is a file to the kernel."""
    if m.path in NO_FILES:
        return NO_FILES[m.path]
    for prefix, what in (("/memfd:", "memory file"), ("/SYSV", "System V shared memory")):
        if m.path.startswith(prefix):
            return f"{what} {m.path.removeprefix(prefix).removesuffix(' (deleted)')}".rstrip()
    return f"mapped file {PurePath(m.path).name}"
