"""The breakpoints of a counted run: which addresses get one, and what each is for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from goprobe.arch import patches
from goprobe.arch.elsewhere import Displaced
from goprobe.process.tracer.events import CountedCall, ProbeSite


class Point(msgspec.Struct, kw_only=True, array_like=True):
    """A breakpoint: after a call that is inspected, at a probed instruction, or both.

    `returning` while more returns of `site` are to be seen, `probe_left` how many hits of `probe`
    are still wanted. `inserted`: the breakpoint is in the program. `on_demand`: it is only while
    a call is on its way, as the return address is often reached without one; `strays` are such
    waits.
    """

    address: int
    number: int
    original: int
    site: int = -1
    returning: bool = False
    probe: int = -1
    probe_left: int = 0
    inserted: bool = True
    on_demand: bool = False
    strays: int = 0
    action: Displaced | None = None


class Plan(msgspec.Struct):
    """Which addresses get a breakpoint, link-time; slots are numbered in this order."""

    returns: dict[int, int] = msgspec.field(default_factory=dict)
    probes: dict[int, int] = msgspec.field(default_factory=dict)

    def apart(self, address: int, size: int) -> bool:
        """Whether no other breakpoint lies within so many bytes behind an address."""
        inside = range(address + 1, address + size)
        return not any(at in self.returns or at in self.probes for at in inside)


def plan_points(sites: Sequence[CountedCall], probes: Sequence[ProbeSite], inspect: int) -> Plan:
    plan = Plan()
    if len({site.pc for site in sites}) != len(sites):
        raise ValueError("a call is traced twice")
    if len({site.pc for site in probes}) != len(probes):
        raise ValueError("an instruction is probed twice")
    if inspect > 0:
        plan.returns.update((s.pc + patches.CALL_SIZE, i) for i, s in enumerate(sites) if s.inspect)
    plan.probes.update((s.pc, i) for i, s in enumerate(probes) if s.limit or inspect > 0)
    return plan
