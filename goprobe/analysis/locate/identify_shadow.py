"""Memory that a sanitizer keeps of the program's memory, a few bytes for each of its words.

Source: compiler-rt's lib/tsan/rtl/tsan_platform.h (MappingGo48, as in the race_linux_amd64.syso of
Go 1.21 to 1.27) and lib/asan/asan_mapping.h (x86-64 Linux, as in LLVM's and GCC's libasan).
"""

from __future__ import annotations

from functools import cached_property

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.model.location import Detail, Kind, Location

_SHADOWS: dict[str, tuple[str, tuple[tuple[int, int], ...]]] = {
    "-race": (
        "race detector's shadow",
        ((0x2000_0000_0000, 0x21C0_0000_0000), (0x3000_0000_0000, 0x3400_0000_0000)),
    ),
    "-asan": ("address sanitizer's shadow", ((0x7FFF_8000, 0x1000_7FFF_8000),)),
}
SHADOWS = {what: flag for flag, (what, _) in _SHADOWS.items()}
"""What a shadow is called, and the flag of go build that has it made."""


class InShadow:
    """By what the build information says of the program, and where such a build has its shadow."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space

    @cached_property
    def _shadows(self) -> list[tuple[str, str, int, int]]:
        settings = self._space.world.program.info.settings
        return [
            (flag, what, low, high)
            for flag, (what, ranges) in _SHADOWS.items()
            if settings.get(flag) == "true"
            for low, high in ranges
        ]

    def identify(self, address: int) -> Location | None:
        for flag, what, low, high in self._shadows:
            mapping = self._space.mapping_at(address)
            if low <= address < high and mapping and not mapping.path and mapping.usable:
                detail: Detail = {"what": what}
                return self._space.location(
                    Kind.RUNTIME,
                    address,
                    what,
                    detail,
                    f"built with {flag}, which keeps it in [{low:#x}, {high:#x})",
                )
        return None
