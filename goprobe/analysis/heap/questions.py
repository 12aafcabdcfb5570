"""What is asked of a heap. (By itself: who asks for the census alone waits for no more imports.)"""

from __future__ import annotations

import msgspec


class HeapQuestions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked of the heap. Objects are asked for by an address (0: none), or by what they are
    called (see `called`); `examples` asks for those that the answer names."""

    types: bool = False
    retained: bool = False
    path: int | str = 0
    paths: int = 1
    referrers: int | str = 0
    object: int | str = 0
    dangling: bool = False
    unreachable: bool = False
    waste: bool = False
    leaked: bool = False
    examples: bool = False
    snapshot: str = ""
    sample: bool = False
    sites: bool = False
    raw: bool = False

    @property
    def of_sampling(self) -> bool:
        """Whether the answer needs the runtime's own profile of the heap."""
        return bool(self.sites or self.path or self.object)

    @property
    def of_types(self) -> bool:
        """Whether the answer needs the types of objects."""
        return bool(
            self.types
            or self.retained
            or self.unreachable
            or self.waste
            or self.path
            or self.referrers
            or self.object
            or self.examples
        )

    @property
    def of_places(self) -> bool:
        """Whether much is asked of where pointers stand and where in objects they lead, when the
        types are known."""
        return bool(self.waste or self.path or self.referrers or self.object or self.examples)

    @property
    def of_pointers(self) -> bool:
        """Whether pointers have to be followed at all."""
        return self.of_types or self.dangling or self.leaked

    @property
    def of_leaks(self) -> bool:
        """Whether it is told what leaked goroutines keep."""
        return self.leaked or self.retained
