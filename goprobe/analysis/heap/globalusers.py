"""Which functions use a package-level variable that has no name: by the code that refers to it.

In a stripped program nothing says what a variable is called, but its functions have names. The
displacements in all of the code tell where one may refer to it; the function that lies there is
decoded, and has to say so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import PurePosixPath

from goprobe.analysis.ownership import is_own_code, package_of
from goprobe.arch.machinecode import may_refer, references
from goprobe.arch.machinefacts import Constant
from goprobe.binary.pcln.format import Function
from goprobe.errors import NotGoError, UnreadableError
from goprobe.runtime.roots.groups import RootGroup, RootKind
from goprobe.runtime.world import World

_MOST_PLACES = 1000  # of one variable
_OF_RUNTIME = 4
_PLACE = re.compile(r"\+0x[0-9a-f]+$")


class GlobalUsers:
    """Of the variables at some addresses, all looked for at once."""

    def __init__(self, world: World, addresses: Collection[int]) -> None:
        self._world = world
        self._bias = world.bias
        self._places: dict[int, list[int]] = {}
        with suppress(UnreadableError, NotGoError):
            code = world.program.elf.code()
            self._places = may_refer(code, {address - self._bias for address in addresses})
        self._used: dict[int, dict[int, int]] = {}
        self._known: dict[int, str] = {}

    def of(self, address: int) -> str:
        """ "main.handler main.go:68": the user whose name says most; "" where none is known."""
        if address not in self._known:
            users = self._users(address - self._bias)
            self._known[address] = next(users, "")
        return self._known[address]

    def _users(self, link: int) -> Iterator[str]:
        """Those that say most first."""
        lines = self._world.program.lines
        functions: dict[int, Function] = {}
        for place in self._places.get(link, ())[:_MOST_PLACES]:
            with suppress(UnreadableError, NotGoError):
                if function := lines.function_at(place):
                    functions[function.entry] = function
        with suppress(UnreadableError, NotGoError):
            for function in sorted(functions.values(), key=self._rank_of):
                pc = self._pcs(function.entry, function.end).get(link)
                if pc is not None:
                    # Of what is inlined there the function that says most.
                    frames = lines.inline_stack(function, pc)
                    frame = min(frames, key=lambda f: self._rank(f.function, f.file)[0])
                    name = self._world.shown_name(frame.function)
                    yield f"{name} {PurePosixPath(frame.file).name}:{frame.line}"

    def _pcs(self, entry: int, end: int) -> dict[int, int]:
        """The static addresses that a function uses, and where it first does."""
        if entry not in self._used:
            used: dict[int, int] = {}
            for reference in references(self._world.program.elf.read(entry, end - entry), entry):
                if isinstance(reference.what, Constant):
                    used.setdefault(reference.what.value, reference.pc)
            self._used[entry] = used
        return self._used[entry]

    def _rank_of(self, function: Function) -> tuple[int, str]:
        return self._rank(function.name, function.file)

    def _rank(self, function: str, file: str) -> tuple[int, str]:
        """The program's own functions say most, those that only set it up in the beginning less,
        the runtime's least."""
        package = package_of(function)
        if package == "runtime" or package.startswith(("runtime/", "internal/")):
            return _OF_RUNTIME, function
        begins = function.removeprefix(f"{package}.").startswith(("init", "map.init", "main"))
        return 2 * (not is_own_code(self._world.program, function, file)) + begins, function


def is_nameless(group: RootGroup) -> bool:
    """Whether nothing but its place is known of a variable."""
    return group.kind is RootKind.GLOBAL and not group.type and bool(_PLACE.search(group.name))
