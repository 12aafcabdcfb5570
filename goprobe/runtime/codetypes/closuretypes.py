"""The types of closures, by the code that makes them.

The compiler makes a struct for what a closure captures, `struct { F uintptr; X0 *T; … }`, and the
code that makes a closure allocates one, whose first word is to be the address of the closure's code
(cmd/compile/internal/typecheck, ClosureType, MethodValueType; walk/closure.go, Go 1.21 to 1.27).
Wherever a closure of some code is made it has the same type: its code relies on that.
"""

from __future__ import annotations

from goprobe.arch.code import Returned, Static
from goprobe.arch.machinecode import StaticOperands
from goprobe.arch.registers import INTEGER_ARGUMENTS
from goprobe.runtime.codetypes.functions import Functions
from goprobe.runtime.codetypes.helpers import results
from goprobe.runtime.codetypes.keptcode import Code
from goprobe.runtime.codetypes.meanings import Meanings
from goprobe.runtime.types.shapes import Shapes

_NEAR = 1 << 9  # bytes of code between the address of a closure's code, and what stores it
_PLACES = 16


class ClosureTypes:
    """Of one program. Addresses of code are link-time addresses, those of descriptors are the
    process's."""

    def __init__(self, functions: Functions, meanings: Meanings, shapes: Shapes) -> None:
        self._functions = functions
        self._meanings = meanings
        self._shapes = shapes

    def of(self, code: int, operands: StaticOperands) -> int:
        """The descriptor of the type of closures whose code begins at an address; 0 where nothing
        tells it."""
        for pc, _ in operands.at(code)[:_PLACES]:
            function = self._functions.at(pc)
            maker = self._functions.code(function.entry) if function else None
            if function and maker and (rtype := self._made(function.entry, maker, pc, code)):
                return rtype
        return 0

    def _made(self, entry: int, maker: Code, pc: int, code: int) -> int:
        """By the code that takes the address of the closure's at `pc`."""
        for store in maker.stores:
            if not store.base or store.offset or not pc < store.pc <= pc + _NEAR:
                continue
            if maker.of(store.register, store.pc) != (Static(code),):
                continue
            for origin in maker.of(store.base, store.pc):
                if isinstance(origin, Returned) and (rtype := self._allocated(entry, origin)):
                    return rtype
        return 0

    def captured(self, code: int, offset: int, operands: StaticOperands) -> int:
        """The link-time address that closures whose code begins at an address have captured so many
        bytes from their beginning, wherever they are made: a dictionary, the type of an interface's
        value; 0 where there is none, or more than one."""
        places = operands.at(code)
        if len(places) > _PLACES:
            return 0
        every = {self._stored(pc, code, offset) for pc, _ in places}
        return every.pop() if len(every) == 1 else 0

    def _stored(self, pc: int, code: int, offset: int) -> int:
        function = self._functions.at(pc)
        maker = self._functions.code(function.entry) if function else None
        if maker is None:
            return 0
        near = [s for s in maker.stores if s.base and pc < s.pc <= pc + _NEAR]
        begun = [s for s in near if not s.offset and maker.of(s.register, s.pc) == (Static(code),)]
        if not begun:
            return 0
        made = maker.of(begun[0].base, begun[0].pc)
        if len(made) != 1 or not isinstance(made[0], Returned):
            return 0
        values = [
            maker.of(s.register, s.pc)
            for s in near
            if s.offset == offset and maker.of(s.base, s.pc) == made
        ]
        match values:
            case [(Static(address=address),)]:
                return address
        return 0

    def _allocated(self, entry: int, made: Returned) -> int:
        """What a call allocates, if that is a closure."""
        for word in results(self._functions.name(made.target)):
            if INTEGER_ARGUMENTS[word.number] != made.register or word.type < 0:
                continue
            rtype = self._meanings.descriptor(entry, INTEGER_ARGUMENTS[word.type], made.pc)
            if self._shapes.is_of_closure(rtype):
                return rtype
        return 0
