"""Who is told of what happens in a traced run, and what is kept where nobody is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goprobe.errors import TargetGoneError
from goprobe.process.memory.memory import Memory
from goprobe.process.tracer.events import CallHit, ProbeHit

OnHit = Callable[[CallHit, Memory], "bool | None"]
"""True where no more hits of that call are wanted."""
OnProbe = Callable[[ProbeHit, Memory], None]
OnMemory = Callable[[Memory], None]


class Listeners(msgspec.Struct):
    """The callbacks of a run. `why` says that the program was killed while one looked at it."""

    on_hit: OnHit | None = None
    on_probe: OnProbe | None = None
    on_check: OnMemory | None = None
    on_end: OnMemory | None = None
    hits: list[CallHit] = []
    probes: list[ProbeHit] = []
    why: str = ""

    def hit(self, hit: CallHit, memory: Memory) -> bool:
        """Whether that was enough of this call."""
        if self.on_hit is not None:
            return bool(self._tell(self.on_hit, hit, memory))
        self.hits.append(hit)
        return False

    def probe(self, hit: ProbeHit, memory: Memory) -> None:
        if self.on_probe is None:
            self.probes.append(hit)
        else:
            self._tell(self.on_probe, hit, memory)

    def check(self, memory: Memory) -> None:
        if self.on_check is not None:
            self._tell(self.on_check, memory)

    def end(self, memory: Memory) -> None:
        if self.on_end is not None:
            self._tell(self.on_end, memory)

    def _tell(self, callback: Callable[..., object], *what: object) -> object:
        try:
            return callback(*what)
        except TargetGoneError:
            self.why = self.why or "it was killed while goprobe looked at it"
            return None
