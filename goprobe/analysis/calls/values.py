"""Arguments and results of calls, read while the calling thread stands at the function.

Where they travel is said by Go's calling convention, which needs every parameter's type. The debug
information leaves blank parameters out, so it is held against where it says that each is kept: what
does not fit is not told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from goprobe.analysis.calls.parameters import described, doubt_of, is_address, once, with_dictionary
from goprobe.analysis.calls.patterns import Called
from goprobe.analysis.calls.pendingpanic import PendingPanic
from goprobe.analysis.calls.told import (
    SIGNED,
    STRING_LIMIT,
    UNSIGNED,
    Reading,
    as_value,
    integer,
    string,
    truth,
    unless_nil,
)
from goprobe.arch.abi import AbiType, Assigned, assign
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.arch.registers import CLOSURE, FLOAT_ARGUMENTS, SP_WORD, WORDS, Words
from goprobe.binary.dwarf.abitypes import abi_type
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import Local
from goprobe.errors import GoprobeError, NotGoError, UnreadableError
from goprobe.model.address import Address
from goprobe.model.calls import CallFrame, CallValue
from goprobe.model.location import Kind, Location
from goprobe.process.calltracer.plan import Hit, Told
from goprobe.process.memory.memory import ProcessMemory
from goprobe.runtime.image.wrappers import Receiver
from goprobe.runtime.stacks.closures import captures_of
from goprobe.runtime.stacks.typeargs import DICTIONARY, TypeArguments
from goprobe.runtime.values.decoded import Limits
from goprobe.runtime.values.meanings import of_number
from goprobe.runtime.values.storage import InBytes, InMemory, Storage
from goprobe.runtime.values.values import Decoder
from goprobe.runtime.world import World

_LIMITS = Limits(string=STRING_LIMIT, text=1024, elements=16, depth=3, nodes=200, map_scan=128)
_FRAMES = 64
_STACK_LIMIT = 1 << 20
_NO_WORD = -1
_CLOSURE = WORDS[CLOSURE]
_CAPTURED = 8  # bytes of a closure before what it closes over: the code's address


class Signature(msgspec.Struct, frozen=True):
    """What a call of a function takes and gives: readers, or why there are none. `dictionary` is
    the register with that of generic code, none where it has none. `told_by`: see `_told_by`."""

    arguments: tuple[Reading, ...] | str
    results: tuple[Reading, ...] | str
    dictionary: int
    told_by: tuple[tuple[int, ...] | None, tuple[int, ...] | None]


class CallValues:
    """The values of calls of a program's functions, or of a plugin's: `called` are those that are
    watched, by number."""

    def __init__(
        self, world: World, called: Sequence[Called], panic: FunctionEntry | None,
        *, arguments: bool, results: bool, stack: bool, live: Callable[[], World] | None = None,
        limits: Limits = _LIMITS,
    ) -> None:  # fmt: skip
        """`limits` are each value's. `live` makes the world anew, when something of it is first
        read: one that was made before the program's first instruction knows no modules."""
        self._world, self._called = world, called
        self._program = world.program
        self._functions = [described(self._program, each.function) for each in called]
        self._wants = arguments, results, stack
        self._signatures: dict[tuple[int, int], Signature] = {}
        self._panic = panic
        self._live_world, self._asked = live, False
        self._frames: dict[int, tuple[tuple[CallFrame, ...], int]] = {}
        self._decoder: Decoder | None = None
        self._limits = limits
        self._pending = PendingPanic(self._program)

    # What the tracer asks

    def arguments(self, number: int, hit: Hit) -> Told | None:
        return self._read(self._signature(number, hit).arguments, hit) if self._wants[0] else None

    def results(self, number: int, hit: Hit) -> Told | None:
        return self._read(self._signature(number, None).results, hit) if self._wants[1] else None

    def in_registers(self, number: int, words: Words, *, entry: bool) -> bool:
        if entry and self._wants[2]:
            return False
        if not self._wants[0 if entry else 1]:
            return True
        signature = self._signatures.get((number, 0))
        if signature is None or (entry and signature.dictionary != _NO_WORD):
            return False
        told_by = signature.told_by[0 if entry else 1]
        return told_by is not None and not any(words[word] for word in told_by)

    def told_by(self, number: int, *, entry: bool) -> tuple[int, ...] | None:
        """The words of registers that are all 0 where registers alone tell what is wanted of each
        call at its entry or return; None: they never do, or not of each in the same way."""
        if entry and self._wants[2]:
            return None
        if not self._wants[0 if entry else 1]:
            return ()
        signature = self._signature(number, None)
        if entry and signature.dictionary != _NO_WORD:
            return None
        return signature.told_by[0 if entry else 1]

    def panic(self, hit: Hit) -> str:
        if self._panic is None:
            return "panic"
        told = self._read(self._made(self._panic, None, None).arguments, hit)
        text = told[0].text if not isinstance(told, str) and len(told) == 1 else ""
        return f"panic: {text}" if text else "panic"

    def leaving(self, hit: Hit) -> int:
        return self._pending.frame_sp(hit)

    def recovered(self, g: int, hit: Hit) -> int:
        return self._pending.recovered_sp(g, hit)

    def stack(self, hit: Hit) -> tuple[CallFrame, ...] | None:
        """Who made the call, by the sizes of frames that Go's line table has."""
        if not self._wants[2]:
            return None
        sp = hit.words[SP_WORD]
        raw = hit.read(sp, min(max(hit.high - sp, 0), _STACK_LIMIT))
        frames: list[CallFrame] = []
        at = 0
        while at + 8 <= len(raw) and len(frames) < _FRAMES:
            shown, size = self._frame(int.from_bytes(raw[at : at + 8], "little"))
            frames += shown
            if size < 0:
                break
            at += size + 8
        return tuple(frames[:_FRAMES])

    def _frame(self, back: int) -> tuple[tuple[CallFrame, ...], int]:
        """The source frames at a return address, and the machine frame's size (-1: the last)."""
        if back not in self._frames:
            code = self._live().code
            spot, stack = code.spot(back - 1), code.source(back - 1)
            if spot is None:
                self._frames[back] = (), -1
            else:
                shown = tuple(CallFrame(f.function, f.file, f.line) for f in stack)
                self._frames[back] = shown, -1 if spot.function.top_frame else spot.size
        return self._frames[back]

    def _read(self, readers: tuple[Reading, ...] | str, hit: Hit) -> Told:
        if isinstance(readers, str):
            return readers
        if self._asked:
            self._world.renew()
        return tuple([reading.read(hit) for reading in readers])

    # Signatures

    def _signature(self, number: int, hit: Hit | None) -> Signature:
        """That of a function, of generic code as the dictionary of this very call has it."""
        known = self._signatures.get((number, 0))
        if known is None:
            known = self._made(self._functions[number], None, self._called[number])
            self._signatures[number, 0] = known
        if known.dictionary == _NO_WORD or hit is None:
            return known
        dictionary = hit.words[known.dictionary]
        made = self._signatures.get((number, dictionary))
        if made is None:
            made = self._made(self._functions[number], dictionary, self._called[number])
            self._signatures[number, dictionary] = made
        return made

    def _made(
        self, entry: FunctionEntry | str, dictionary: int | None, called: Called | None
    ) -> Signature:
        if isinstance(entry, str):
            return _signature(entry, entry)
        try:
            return self._signed(entry, dictionary, called)
        except (GoprobeError, UnreadableError, KeyError) as error:
            why = f"the debug information of {entry.name} cannot be read: {error}"
            return _signature(why, why)

    def _signed(
        self, entry: FunctionEntry, dictionary: int | None, called: Called | None
    ) -> Signature:
        debug = self._program.debug
        types = debug.types
        declared = once(debug.parameters(entry))
        passed = [p for p in declared if not p.result]
        given = [p for p in declared if p.result]
        outs = [abi_type(types, self._type_of(p)) for p in given]
        where = assign(self._travelling(entry, passed), outs)
        doubt = doubt_of(self._program, entry, passed, where)
        if doubt and (whole := with_dictionary(passed, entry, debug.index.types)):
            # Optimised code that does not need it describes none (Go 1.21 to 1.26).
            as_whole = assign(self._travelling(entry, whole), outs)
            if not doubt_of(self._program, entry, whole, as_whole):
                passed, where, doubt = whole, as_whole, ""
        led_to = [is_address(p, entry) for p in passed]
        word = _NO_WORD
        for local, at in zip(passed, where.parameters, strict=True):
            if local.name == DICTIONARY and at.pieces:
                word = WORDS[at.pieces[0].register]
        stacked = doubt and any(at.on_stack for at in where.results)
        if dictionary:
            passed = self._with_arguments(passed, dictionary)
            given = self._with_arguments(given, dictionary)
        shown = [
            (self._led_to if led else self._reader)(p, self._type_of(p), at)
            for p, led, at in zip(passed, led_to, where.parameters, strict=True)
            if p.name != DICTIONARY
        ]
        receiver = called.receiver if called else Receiver.SAME
        if called and receiver is Receiver.CAPTURED:
            shown[:0] = self._captured(called)
        elif shown and receiver is not Receiver.SAME:
            shown[0] = self._on(passed[0], where.parameters[0], receiver)
        results = [
            self._reader(p, self._type_of(p), at)
            for p, at in zip(given, where.results, strict=True)
        ]
        return _signature(doubt or tuple(shown), doubt if stacked else tuple(results), word)

    def _travelling(self, entry: FunctionEntry, passed: Sequence[Local]) -> list[AbiType]:
        types = self._program.debug.types
        led_to = (is_address(p, entry) for p in passed)
        kinds = (
            types.at(p.type) if led else self._type_of(p)
            for p, led in zip(passed, led_to, strict=True)
        )
        return [abi_type(types, kind) for kind in kinds]

    def _type_of(self, local: Local) -> GoType:
        types = self._program.debug.types
        own = types.at(local.type)
        return types.at(own.elem) if local.name.startswith("&") else own

    def _with_arguments(self, locals_: list[Local], dictionary: int) -> list[Local]:
        program = self._program
        resolver = TypeArguments(
            program.elf, program.debug.types, self._memory(), self._world.bias,
            self._live().typedata.debug_type,
        )  # fmt: skip
        return resolver.resolved(locals_, dictionary)

    # Readers

    def _reader(self, local: Local, go_type: GoType, where: Assigned) -> Reading:
        name = local.name.lstrip("&")
        name = "" if name.startswith("~") else name
        if where.pieces and len(where.pieces) == 1 and go_type.kind in SIGNED | UNSIGNED:
            register = WORDS[where.pieces[0].register]
            return integer(name, go_type, register, self._number_meaning)
        if len(where.pieces) == 1 and go_type.kind is GoKind.BOOL:
            return truth(name, go_type, WORDS[where.pieces[0].register])
        if len(where.pieces) == 2 and go_type.kind is GoKind.STRING:
            return string(name, go_type, *(WORDS[p.register] for p in where.pieces))

        def read(hit: Hit) -> CallValue:
            return self._decoded(name, go_type, self._storage(go_type, where, hit))

        if len(where.pieces) == 2 and go_type.kind is GoKind.INTERFACE:
            return unless_nil(name, go_type, WORDS[where.pieces[0].register], read)
        return Reading(read)

    def _led_to(self, local: Local, go_type: GoType, where: Assigned) -> Reading:
        """What a closure that is called where it is written captures by reference: its address is
        what travels (directClosureCall, cmd/compile/internal/walk/closure.go, Go 1.21 to 1.27)."""
        address_type = self._program.debug.types.at(local.type)

        def address(hit: Hit) -> int:
            return int.from_bytes(self._storage(address_type, where, hit).read(0, 8), "little")

        return self._in_memory(local, go_type, address)

    def _on(self, local: Local, where: Assigned, receiver: Receiver) -> Reading:
        """The receiver of a method that stands in a wrapper of the compiler's, by what that is
        called on."""
        types = self._program.debug.types
        own = types.at(local.type)
        if receiver is Receiver.POINTER and own.kind is GoKind.POINTER:
            return self._led_to(local, types.at(own.elem), where)
        value = CallValue(local.name, "", why=_EMBEDDED)
        return Reading(lambda _hit: value, ())

    def _captured(self, called: Called) -> list[Reading]:
        """That of a method value: what it closes over is the receiver, and nothing else
        (methodValueWrapper, cmd/compile/internal/noder/reader.go, Go 1.21 to 1.27)."""
        debug = self._program.debug
        method = debug.functions.get(called.name)
        parameters = debug.parameters(method)[:1] if method else ()
        return [
            self._in_memory(p, debug.types.at(p.type), lambda hit: hit.words[_CLOSURE] + _CAPTURED)
            for p in parameters
        ]

    def _in_memory(self, local: Local, go_type: GoType, address: Callable[[Hit], int]) -> Reading:
        name = local.name.lstrip("&")

        def read(hit: Hit) -> CallValue:
            return self._decoded(name, go_type, InMemory(self._memory(), address(hit)))

        return Reading(read)

    def _storage(self, go_type: GoType, where: Assigned, hit: Hit) -> Storage:
        if not where.pieces:
            cfa = hit.words[SP_WORD] + RETURN_ADDRESS
            return InMemory(self._memory(), cfa + where.stack)
        raw = bytearray(go_type.size)
        for piece in where.pieces:
            if piece.register in FLOAT_ARGUMENTS:
                held = hit.vector(piece.register)
            else:
                held = hit.words[WORDS[piece.register]].to_bytes(8, "little")
            raw[piece.offset : piece.offset + piece.size] = held[: piece.size]
        return InBytes(bytes(raw))

    def _decoded(self, name: str, go_type: GoType, place: Storage) -> CallValue:
        try:
            made = self._decoding().decode(go_type, place)
        except UnreadableError as error:
            return CallValue(name, go_type.name, why=f"unreadable: {error.why}")
        except (KeyError, NotGoError) as error:
            return CallValue(name, go_type.name, why=f"its type is not described: {error}")
        return as_value(made.as_element(name, go_type, place.address))

    def _number_meaning(self, go_type: GoType, value: int) -> str:
        return of_number(self._world.types, go_type, value)

    def _memory(self) -> ProcessMemory:
        return ProcessMemory(self._world.pid)

    def _live(self) -> World:
        if not self._asked and self._live_world is not None:
            self._world = self._live_world()
        self._asked = True
        return self._world

    def _decoding(self) -> Decoder:
        if self._decoder is None:
            world, program, bias = self._live(), self._program, self._world.bias
            self._decoder = Decoder(
                world.memory, world.types, world.typedata, _nowhere,
                world.function_name,
                lambda pc: captures_of(program, pc - bias), self._limits,
            )  # fmt: skip
        return self._decoder


def _signature(
    takes: tuple[Reading, ...] | str, gives: tuple[Reading, ...] | str, dictionary: int = _NO_WORD
) -> Signature:
    return Signature(takes, gives, dictionary, (_told_by(takes), _told_by(gives)))


def _told_by(readings: tuple[Reading, ...] | str) -> tuple[int, ...] | None:
    """The words that are all zero where registers alone tell it; None: they never do."""
    if isinstance(readings, str):
        return ()
    if any(reading.words is None for reading in readings):
        return None
    return tuple(word for reading in readings for word in reading.words or ())


_EMBEDDED = (
    "the method is called by way of what its receiver is embedded in: where in that is not known"
)


def _nowhere(address: int) -> Location:
    """Where something lies is not looked for in calls."""
    return Location(Kind.UNMAPPED, Address(address), "", {}, ())
