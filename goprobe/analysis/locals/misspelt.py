"""Why a choice among goroutines took none: because the program has no such function or state."""

from __future__ import annotations

from goprobe.analysis.goroutines.chosen import Chosen, can_be, is_named
from goprobe.analysis.goroutines.goroutines import known_modules
from goprobe.analysis.trace.breakpoints import nearest_functions
from goprobe.binary.pcln.format import plain_name
from goprobe.errors import UsageError, telling
from goprobe.runtime.goroutines.goroutines import STATUS_NAMES
from goprobe.target.live import AnyTarget
from goprobe.target.query import query


def refuse_misspelt(target: AnyTarget, chosen: Chosen) -> None:
    """To be asked where no goroutine was chosen. Raises UsageError, with the nearest names."""
    program = target.process.program
    with telling(f"the code of {program.elf.shown_as}"):
        if chosen.within and not _is_known(target, chosen.within):
            raise UsageError(
                f"--in {chosen.within!r} is no function, type with methods or package of the "
                "program",
                hint=nearest_functions(program, chosen.within.replace("*", "")),
            )
    if chosen.state:
        _refuse_state(target, chosen.state)


def _is_known(target: AnyTarget, within: str) -> bool:
    programs, plugins = [target.process.program], len(known_modules(target)) - 1
    if plugins > 0:
        loaded = () if target.is_core else target.process.loaded(target.reader()).plugins
        if len(loaded) < plugins:
            return True  # the functions of some are not known
        programs += [world.program for world in loaded]
    names = (name for program in programs for name in program.lines.every_name())
    spelt = {within, plain_name(within)}
    return any(
        is_named(n, each) for name in names for n in {name, plain_name(name)} for each in spelt
    )


def _refuse_state(target: AnyTarget, state: str) -> None:
    from difflib import get_close_matches  # for mistakes only

    reasons = query(target, lambda world: world.goroutines.wait_reasons).value
    if not reasons or can_be(state, reasons):
        return
    by_lower = {each.lower(): each for each in (*STATUS_NAMES.values(), *filter(None, reasons))}
    near = [by_lower[each] for each in get_close_matches(state.lower(), by_lower)]
    raise UsageError(
        f"--state {state!r} is no state, and no reason to wait, of this release of Go",
        hint=f"nearest: {', '.join(near)}" if near else "for example running, select, chan send",
    )
