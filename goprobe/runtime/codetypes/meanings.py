"""What a word means that a register, or a slot of a frame, holds at some place of the code.

Where the value came from (arch's Origins) is followed back to what has a type: an object that was
allocated, the receiver of a method, a field of what is known, what a function returns. A value that
comes from several places has to mean the same from each of them; nil, and addresses of static data,
lead to no object, and may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from goprobe.arch.code import (
    Framed,
    Given,
    HandedOn,
    Holder,
    LoadedElement,
    LoadedWord,
    Number,
    Origin,
    Returned,
    Static,
)
from goprobe.arch.registers import CLOSURE, INTEGER_ARGUMENTS
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.codetypes.addresses import Addresses, Way
from goprobe.runtime.codetypes.dictionaries import Dictionaries
from goprobe.runtime.codetypes.frameparts import part_of_variable
from goprobe.runtime.codetypes.functions import Functions
from goprobe.runtime.codetypes.helpers import EXCHANGED, PARAMETERS, Form, Word, results
from goprobe.runtime.codetypes.keptcode import Code
from goprobe.runtime.codetypes.receivers import Receivers
from goprobe.runtime.types.shape import WORD, Meaning, Rule
from goprobe.runtime.types.shapes import Shapes
from goprobe.runtime.types.typenames import RTYPE_BYTES
from goprobe.runtime.world import World

_DEPTH = 8
NIL: Meaning = (Rule.NOTHING, 0)
"""Of what leads to no object."""
_AGAIN: Meaning = (Rule.NOTHING, -1)
"""Of what a loop has made of a value that is still being asked about."""
_At = tuple[int, str, int, Way]
_METHODS_DICTIONARY = INTEGER_ARGUMENTS[1]
_OWN = ("runtime.", "sync.", "sync/atomic.")
_GENERIC = "["  # in names of functions that have a dictionary
_TELLING = frozenset({Rule.ONE, Rule.ARRAY, Rule.ANY, Rule.SLICE, Rule.TEXT, Rule.CHAN, Rule.FUNC})


class Meanings:
    """Of the code of one program. Addresses of code and data are link-time addresses."""

    def __init__(
        self,
        world: World,
        shapes: Shapes,
        functions: Functions,
        receivers: Receivers,
        dictionaries: Dictionaries,
        captured: Callable[[int, int], int],
    ) -> None:
        """`captured` is the address in the program that all closures of some code have captured at
        an offset; 0 for none."""
        self._memory = world.memory
        self._bias = world.bias
        self._kind = world.typedata.kind
        self._shapes = shapes
        self._functions = functions
        self._captured = captured
        self._addresses = Addresses(world, functions, captured)
        self._dictionaries = dictionaries
        self._receivers = receivers
        self._taken_for: dict[_At, Meaning] = {}
        self._rounds: set[_At] = set()
        self._returned: dict[tuple[int, str, Way], Meaning | None] = {}
        self._uses: dict[tuple[int, Origin], frozenset[Meaning]] = {}

    def of(self, entry: int, holder: str, pc: int, depth: int = 0, way: Way = ()) -> Meaning | None:
        """What the value means that `holder` has at `pc` in the function that begins at `entry`;
        None where that is not known."""
        code = self._functions.code(entry)
        if code is None or depth > _DEPTH:
            return None
        key = entry, holder, pc, way
        if key in self._taken_for:
            self._rounds.add(key)
            return self._taken_for[key]
        origins = code.of(holder, pc)
        self._taken_for[key] = _AGAIN
        told = self.agreed(self._meant(entry, o, depth, way) for o in origins)
        if key in self._rounds and told is not None:
            # What a loop makes of it, as `n = n.next` does, has to be the same.
            self._rounds.discard(key)
            self._taken_for[key] = told
            again = self.agreed(self._meant(entry, o, depth, way) for o in origins)
            told = told if again == told else None
        del self._taken_for[key]
        return told if told != _AGAIN or self._taken_for else None

    def at_place(self, place: int, pc: int, way: Way) -> Meaning | None:
        """What the word means at a place of the frame, from its CFA, of the function that stands in
        the call that `pc` is within; None where that is not known."""
        function = self._functions.at(pc)
        code = self._functions.code(function.entry) if function else None
        if function is None or code is None:
            return None
        origins = code.at_place(place, pc)
        told = self.agreed(self._meant(function.entry, o, 0, way) for o in origins)
        return self._in_variable(function.entry, code, place) if told is None else told

    def _in_variable(self, entry: int, code: Code, place: int) -> Meaning | None:
        def taken(pc: int, target: int, register: str) -> Meaning | None:
            return dict(self.parameters(entry, pc, target)).get(register)

        at = code.object_at(place)
        return part_of_variable(self._shapes, at, place, taken, self.agreed) if at else None

    def agreed(self, meanings: Iterable[Meaning | None]) -> Meaning | None:
        """What all of them mean that lead to objects; None where one is not known, or two
        contradict each other."""
        told: Meaning | None = NIL
        for meaning in meanings:
            told = self._both(told, meaning) if told and meaning else None
            if told is None:
                return None
        return told

    def _both(self, one: Meaning, other: Meaning) -> Meaning | None:
        """What says as much as both, None where they contradict each other."""
        if other in (NIL, _AGAIN, one):
            return one
        rules = {one[0], other[0]}
        if rules == {Rule.ANY, Rule.CHAN}:
            return max(one, other, key=lambda meaning: meaning[1])  # which says what it carries
        if rules == {Rule.ONE}:
            for more, less in ((one, other), (other, one)):
                if self._shapes.begins_with(more[1], less[1]) or self._is_some_map(less, more):
                    return more
        return other if one in (NIL, _AGAIN) else None

    def is_vague(self, meaning: Meaning) -> bool:
        """Whether another witness may say more."""
        return self._shapes.is_vague(meaning[1])

    def _is_some_map(self, some: Meaning, this: Meaning) -> bool:
        """Whether one is a map, and the other says which."""
        map_, special = self._shapes.some_map, self._shapes.is_special(this[1])
        return special and some[1] == map_ and self._shapes[this[1]].size == self._shapes[map_].size

    def parameters(self, entry: int, pc: int, target: int) -> Iterator[tuple[str, Meaning]]:
        """What the function at `target` takes, called at `pc`: registers, and what they mean."""
        name = self._functions.name(target)
        rtype = self._receivers.pointed_at(name)
        if not rtype and self._dictionaries.is_method(name):
            given = self._addresses.of(entry, _METHODS_DICTIONARY, pc)
            rtype = self._dictionaries.receiver(name, given + self._bias) if given else 0
        if rtype:
            yield INTEGER_ARGUMENTS[0], (Rule.ONE, self._shapes.of_rtype(rtype))
        for word in PARAMETERS.get(name, ()):
            meaning = self._word(word, entry, pc)
            if meaning is not None:
                yield INTEGER_ARGUMENTS[word.number], meaning

    def takes(self, target: int) -> bool:
        """Whether anything is known of what the function at an address takes."""
        name = self._functions.name(target)
        generic = self._dictionaries.is_method(name)
        return generic or name in PARAMETERS or self._receivers.pointed_at(name) != 0

    def handed(self, loads: Iterable[int]) -> list[HandedOn]:
        """Whom what is loaded at some places seems to be handed to, where code may tell."""
        every = (to for pc in sorted(loads) for to in self._functions.ahead(pc))
        return [to for to in every if to.register and self._tells(to.target)]

    def _tells(self, target: int) -> bool:
        name = self._functions.name(target)
        return name in EXCHANGED or (bool(name) and not name.startswith(_OWN))

    def stores(self, entry: int, call: HandedOn) -> Iterator[tuple[int, Meaning | None]]:
        """What a function that the one at `entry` calls stores through the pointer that it is
        given in a register: how far from where that leads, and what the word means; None where
        that is not known."""
        number = EXCHANGED.get(self._functions.name(call.target))
        if number is not None:
            if call.register == INTEGER_ARGUMENTS[0]:
                yield 0, self.of(entry, INTEGER_ARGUMENTS[number], call.pc)
            return
        code = self._functions.code(call.target)
        for store in code.stores if code else ():
            if code and store.base and Given(call.register) in code.of(store.base, store.pc):
                way = (call.pc + 1,)
                yield store.offset, self.of(call.target, store.register, store.pc, 0, way)

    def used_as(self, entry: int, origin: Origin) -> frozenset[Meaning]:
        """What a function takes a value for that another one has returned to it."""
        code = self._functions.code(entry)
        if not isinstance(origin, Returned) or code is None:
            return frozenset()
        key = entry, origin
        if key not in self._uses:
            ahead = self._functions.ahead(origin.pc, origin.register)
            self._uses[key] = frozenset(
                meaning
                for to in ahead
                if to.register and self.takes(to.target)
                for register, meaning in self.parameters(entry, to.pc, to.target)
                if register == to.register and code.of(register, to.pc) == (origin,)
            )
        return self._uses[key]

    def _meant(self, entry: int, origin: Origin, depth: int, way: Way) -> Meaning | None:
        match origin:
            case Number() | Static() | Framed():
                return NIL
            case Given(holder=holder):
                told = self._given(entry, holder, way)
                if way and isinstance(holder, str) and (told is None or self.is_vague(told)):
                    told = self._handed(entry, holder, depth, way) or told
                return told
            case Returned(target=target, register=register, pc=pc):
                told = self._result(entry, target, register, pc, depth, way)
                if told is not None and self._shapes.is_vague(told[1]):
                    told = self.agreed((told, *self.used_as(entry, origin)))
                return told
            case LoadedWord(base=base, pc=pc, offset=offset):
                whole = self.of(entry, base, pc, depth + 1, way)
                return self.part(whole, offset) or self._boxed(entry, origin, whole)
            case LoadedElement(base=base, pc=pc):
                return self._element(self.of(entry, base, pc, depth + 1, way))
        return None

    def _handed(self, entry: int, holder: str, depth: int, way: Way) -> Meaning | None:
        """What the function at `entry` was handed in a register by the one that called it."""
        caller = self._addresses.caller(entry, way)
        return self.of(caller.entry, holder, caller.pc, depth + 1, way[1:]) if caller else None

    def _given(self, entry: int, holder: Holder, way: Way) -> Meaning | None:
        if holder == CLOSURE:
            closure = self._shapes.closure(entry + self._bias)
            return (Rule.ONE, closure) if self._shapes.is_known(closure) else None
        if holder != INTEGER_ARGUMENTS[0]:
            return None
        name = self._functions.name(entry)
        rtype = self._receivers.pointed_at(name)
        if not rtype and self._dictionaries.is_method(name):
            rtype = self._dictionaries.receiver(name, self._dictionary(entry, way))
        return (Rule.ONE, self._shapes.of_rtype(rtype)) if rtype else None

    def _dictionary(self, entry: int, way: Way) -> int:
        """The address, in the process, of the dictionary that a function was called with; 0 where
        that is not known."""
        number = self._dictionaries.parameter(self._functions.name(entry))
        address = self._addresses.given(entry, INTEGER_ARGUMENTS[number], way) if number >= 0 else 0
        return address + self._bias if address else 0

    def part(self, pointer: Meaning | None, offset: int) -> Meaning | None:
        """The word so far from where a pointer leads."""
        if pointer == _AGAIN:
            return _AGAIN
        if pointer is None or pointer[0] is not Rule.ONE or offset % WORD:
            return None
        shape = self._shapes[pointer[1]]
        rules, shapes = shape.rules
        if not 0 <= offset < min(shape.size, WORD * len(rules)):
            return None
        rule = Rule(int(rules[offset // WORD]))
        return (rule, int(shapes[offset // WORD])) if rule in _TELLING else None

    def _boxed(self, entry: int, origin: LoadedWord, closure: Meaning | None) -> Meaning | None:
        """The value of an interface that a closure has captured: what its type is, too."""
        code = self._functions.code(entry)
        if closure is None or code is None or closure[0] is not Rule.ONE:
            return None
        if code.of(origin.base, origin.pc) != (Given(CLOSURE),):
            return None
        rules, at = self._shapes[closure[1]].rules[0], origin.offset // WORD
        rule = rules[at] if 0 < at < len(rules) and not origin.offset % WORD else Rule.NOTHING
        rtype = self._captured(entry, origin.offset - WORD)
        if rtype and rule == Rule.IFACE:
            rtype = self._addresses.constant(rtype + WORD)
        elif rule != Rule.EFACE:
            return None
        return self._held(rtype + self._bias) if rtype else None

    def _held(self, rtype: int) -> Meaning | None:
        """What an interface's second word means that holds a value of a type."""
        try:
            if not self._kind(rtype):
                return None
            direct = self._shapes.held_directly(rtype)
        except UnreadableError:
            return None
        if direct is None:
            return Rule.ONE, self._shapes.of_rtype(rtype)
        return direct if direct[0] in _TELLING else None

    def _element(self, array: Meaning | None) -> Meaning | None:
        """Any word of an array of words."""
        if array is None or array[0] not in (Rule.ARRAY, Rule.SLICE):
            return None
        shape = self._shapes[array[1]]
        return self.part((Rule.ONE, array[1]), 0) if shape.size == WORD else None

    # What functions return

    def _result(
        self, entry: int, target: int, register: str, pc: int, depth: int, way: Way
    ) -> Meaning | None:
        name = self._functions.name(target)
        for word in results(name):
            if INTEGER_ARGUMENTS[word.number] == register:
                return self._word(word, entry, pc, way)
        if not name or name.startswith("runtime.") or depth > _DEPTH:
            return None
        told = self._returns(target, register, depth, ())
        if (told is None or self.is_vague(told)) and (way or _GENERIC in name):
            # What it was called with may tell.
            told = self._returns(target, register, depth, (pc + 1, *way)) or told
        return told

    def _returns(self, target: int, register: str, depth: int, way: Way) -> Meaning | None:
        key = target, register, way
        if key not in self._returned:
            self._returned[key] = None  # should it return what it returns itself
            outside, self._taken_for = self._taken_for, {}
            self._returned[key] = self._by_code(target, register, depth, way)
            self._taken_for = outside
        return self._returned[key]

    def _by_code(self, target: int, register: str, depth: int, way: Way) -> Meaning | None:
        """What a function leaves in a register, wherever it returns."""
        code = self._functions.code(target)
        if code is None or not code.returns or code.leaves:
            return None
        return self.agreed(self.of(target, register, pc, depth + 1, way) for pc in code.returns)

    def _word(self, word: Word, entry: int, pc: int, way: Way = ()) -> Meaning | None:
        """An argument or result of a function of the runtime that is called at `pc`."""
        told = self._without_type(word.form)
        if told is not None:
            return told
        rtype = self.descriptor(entry, INTEGER_ARGUMENTS[word.type], pc, way)
        if not rtype:
            return None
        if dictionary := self._dictionary(entry, way):
            rtype = self._dictionaries.true_type(rtype, dictionary) or rtype
        if word.form is Form.ALLOCATED:
            return self._allocated(entry, pc, rtype)
        return self._of_type(word.form, rtype)

    def _without_type(self, form: Form) -> Meaning | None:
        match form:
            case Form.CHANNEL:
                return Rule.CHAN, 0
            case Form.TEXT:
                return Rule.TEXT, self._shapes.text
            case Form.MAP:
                return Rule.ONE, self._shapes.some_map
            case Form.ASSERTION | Form.SWITCH:
                return Rule.ONE, self._shapes.with_cache(form is Form.SWITCH)
        return None

    def _of_type(self, form: Form, rtype: int) -> Meaning | None:
        shapes = self._shapes
        match form:
            case Form.POINTER if shapes.is_of_closure(rtype):
                return Rule.FUNC, 0
            case Form.POINTER:
                return Rule.ONE, shapes.of_rtype(rtype)
            case Form.ARRAY:
                return Rule.ARRAY, shapes.array_of_rtype(rtype)
            case Form.SLICE:
                return Rule.SLICE, shapes.array_of_rtype(rtype)
            case Form.ELEMENT:
                element = u64(self._memory, rtype + RTYPE_BYTES + WORD)
                return Rule.ONE, shapes.of_rtype(element)
            case Form.VALUE:
                rules, told = shapes[shapes.of_rtype(rtype)].rules
                return Rule(int(rules[0])), int(told[0])
        return None

    def _allocated(self, entry: int, pc: int, rtype: int) -> Meaning | None:
        code = self._functions.code(entry)
        size = code.of(INTEGER_ARGUMENTS[0], pc) if code else ()
        if len(size) == 1 and isinstance(size[0], Number):
            shape = self._shapes.of_rtype(rtype)
            return (Rule.ONE, shape) if size[0].value == self._shapes[shape].size else None
        return None

    def descriptor(self, entry: int, register: str, pc: int, way: Way = ()) -> int:
        """The type's descriptor, in the process, that a register holds the address of; 0 where it
        holds none."""
        address = self._addresses.of(entry, register, pc, way)
        rtype = address + self._bias
        try:
            return rtype if address and self._kind(rtype) else 0
        except UnreadableError:
            return 0
