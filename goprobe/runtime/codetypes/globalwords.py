"""What the words of package-level variables without a name mean, by the code that uses them.

It stores to them what it has made, calls methods of what they point at, or of the variables
themselves. An interface's second word is what the first says, and none of this: it is not asked
about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet

import msgspec
import numpy as np

from goprobe.arch.code import LoadedWord, Origin, Static, StaticWord, Store
from goprobe.arch.machinecode import StaticOperands
from goprobe.runtime.codetypes.functions import Functions
from goprobe.runtime.codetypes.keptcode import Code
from goprobe.runtime.codetypes.meanings import NIL, Meanings
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.types.shape import WORD, Meaning, Rule
from goprobe.runtime.types.shapes import Shapes

_STARTS = 3  # addresses before a word, taken somewhere, at which its variable may begin
_LARGEST = 512  # bytes of such a variable
_FUNCTIONS = 6  # that are looked into for one address
_SEARCHED = 1 << 15  # bytes of a function of which every store is looked at
_CALLS_SEARCHED = 1 << 13  # the same, of every call
_COPIES = 4  # of copies


class GlobalWords:
    """Of one program; addresses are link-time addresses."""

    def __init__(self, functions: Functions, meanings: Meanings, shapes: Shapes) -> None:
        self._functions = functions
        self._meanings = meanings
        self._shapes = shapes

    def told(
        self,
        words: Collection[int],
        operands: StaticOperands,
        through: Mapping[int, Sequence[tuple[int, int]]],
    ) -> dict[int, Meaning]:
        """What words at some addresses mean, those of which all witnesses say the same. `through`
        are, by words, pointers to what may hold them: where each lies, and where it leads.

        Those that use the words are asked first, small functions before large ones; then those that
        store to words of which no use is known.
        """
        wanted = frozenset(words)
        said = _Said(dict(link for links in through.values() for link in links))
        users = self._users(wanted, operands, through)
        for user in users:
            if not user.uses <= said.used_words:
                self._ask_uses(user, wanted, said)
        for user in users:
            if (user.stores or user.through) and not user.uses <= said.used_words:
                self._ask_stores(user, wanted, said)
                if user.through:
                    self._ask_every_store(user, wanted, said)
        for user in users:
            if user.loads and not user.uses <= said.used_words:
                self._ask_handed(user, wanted, said)
                if not user.through and not user.uses <= said.told_words:
                    self._ask_every_store(user, wanted, said)
                self._ask_elements(user, wanted - said.used_words, said, operands)
                if user.leads and not user.uses <= said.used_words:
                    self._ask_every_call(user, wanted, said)
        said.copy()
        agreed = ((at, self._meanings.agreed(meanings)) for at, meanings in said.items())
        return {at: meaning for at, meaning in agreed if meaning not in (None, NIL)}

    def _users(
        self,
        wanted: frozenset[int],
        operands: StaticOperands,
        through: Mapping[int, Sequence[tuple[int, int]]],
    ) -> list[_User]:
        """Functions that use these words, or take the address of what may hold them or load such a
        pointer, with those words; small ones first."""
        words = np.array(sorted(wanted), np.int64)
        taken = distinct(operands.target[operands.taken])
        before = np.searchsorted(taken, words, "right")[:, np.newaxis] - 1 - np.arange(_STARTS)
        starts = taken[np.maximum(before, 0)] if len(taken) else before[:, :0]
        near = (starts <= words[:, np.newaxis]) & (starts > words[:, np.newaxis] - _LARGEST)
        of: dict[int, set[int]] = {word: {word} for word in wanted}
        for row, column in np.argwhere(near).tolist():
            of.setdefault(int(starts[row, column]), set()).add(int(words[row]))
        for word, links in through.items():
            for place, _ in links if word in wanted else ():
                of.setdefault(place, set()).add(word)
        users: dict[int, _User] = {}
        for target, some in of.items():
            places = operands.at(target)
            is_pointer = target not in wanted
            leading = {pc for pc, _ in places} if is_pointer else operands.taken_at(target)
            self._add_users(users, places, some, leading)
        return sorted(users.values(), key=lambda user: user.size)

    def _add_users(
        self,
        users: dict[int, _User],
        places: list[tuple[int, bool]],
        words: set[int],
        leading: set[int],
    ) -> None:
        """The functions that use some words at these places; `leading` are those of them where a
        pointer to what holds the words is loaded, or made."""
        these: dict[int, _User] = {}
        for pc, stores in places:
            if function := self._functions.at(pc):
                size = function.end - function.entry
                user = these.setdefault(function.entry, _User(function.entry, size, set(words)))
                (user.stores if stores else user.loads).add(pc)
                user.leads |= pc in leading
        small = sorted(these.values(), key=lambda user: (not user.stores, user.size))
        for user in small[:_FUNCTIONS]:
            known = users.setdefault(user.entry, user)
            known.uses |= words
            known.stores |= user.stores
            known.loads |= user.loads
            known.leads |= user.leads

    def _ask_uses(self, user: _User, wanted: frozenset[int], said: _Said) -> None:
        """Whom a function hands the words to, where a look ahead shows that it may."""
        takes = self._meanings.takes
        ahead = [to for pc in user.loads for to in self._functions.ahead(pc)]
        user.through |= {to.pc for to in ahead if not to.register}
        calls = {(to.pc, to.target) for to in ahead if to.register and takes(to.target)}
        if calls and (code := self._functions.code(user.entry)):
            for pc, target in calls:
                self._used(user.entry, code, pc, target, wanted, said)

    def _ask_stores(self, user: _User, wanted: frozenset[int], said: _Said) -> None:
        """What a function stores to the words."""
        if code := self._functions.code(user.entry):
            for store in map(code.store_at, sorted(user.stores | user.through)):
                if store is not None:
                    for at in _of_store(code, store, said.links) & wanted:
                        self._stored(user.entry, code, store, at, said)

    def _ask_every_store(self, user: _User, wanted: frozenset[int], said: _Said) -> None:
        """What a function stores through pointers that may lead to the words, on whatever way: as a
        loop does that goes down a tree, and begins at a variable."""
        code = self._functions.code(user.entry) if user.size <= _SEARCHED else None
        for store in code.stores if code else ():
            if code and store.base and store.pc not in user.stores | user.through:
                for at in _of_store(code, store, said.links) & wanted:
                    self._stored(user.entry, code, store, at, said)

    def _ask_every_call(self, user: _User, wanted: frozenset[int], said: _Said) -> None:
        """Whom a function hands words to that it loads through pointers that may lead there."""
        code = self._functions.code(user.entry) if user.size <= _CALLS_SEARCHED else None
        for call in code.calls if code else ():
            if code and self._meanings.takes(call.target):
                self._used(user.entry, code, call.pc, call.target, wanted, said)

    def _ask_elements(
        self, user: _User, wanted: frozenset[int], said: _Said, operands: StaticOperands
    ) -> None:
        """What a function stores by an index. A variable ends where code names the next one."""
        code = self._functions.code(user.entry) if user.size <= _SEARCHED else None
        if code is None:
            return
        for store in code.elements:
            for start in _of_store(code, store, said.links):
                end = start + WORD * store.count
                after = operands.target.searchsorted(start, "right")
                if after < len(operands.target):
                    end = min(end, int(operands.target[after]))
                for at in range(start, end, WORD):
                    if at in wanted:
                        self._stored(user.entry, code, store, at, said)

    def _ask_handed(self, user: _User, wanted: frozenset[int], said: _Said) -> None:
        """What others store to the words, or to what holds them, who are called with an address."""
        calls = self._meanings.handed(user.loads)
        code = self._functions.code(user.entry) if calls else None
        for to in calls if code else ():
            starts = _statics(code.of(to.register, to.pc)) if code else set()
            for offset, meaning in self._meanings.stores(user.entry, to) if starts else ():
                for at in {start + offset for start in starts} & wanted - said.used_words:
                    if meaning is None or self._meanings.is_vague(meaning):
                        said.unknown.add(at)
                    else:
                        said.made(at, meaning)

    def _used(
        self, entry: int, code: Code, pc: int, target: int, wanted: frozenset[int], said: _Said
    ) -> None:
        """What the function at `target` is given at `pc`: the words, or what holds them."""
        for register, meaning in self._meanings.parameters(entry, pc, target):
            for origin in code.of(register, pc):
                match origin:
                    case StaticWord(address=address) if address in wanted:
                        said.used(address, meaning)
                    case Static(address=address) if meaning[0] is Rule.ONE:
                        self._within(address, meaning[1], wanted, said)
                    case LoadedWord(base=base, pc=load, offset=offset):
                        places = _places(code, base, load, offset, said.links)
                        # Of several variables one may hold what another never does.
                        for at in places & wanted if len(places) == 1 else ():
                            said.used(at, meaning)

    def _stored(self, entry: int, code: Code, store: Store, at: int, said: _Said) -> None:
        """What an instruction stores to a word."""
        meaning = self._meanings.of(entry, store.register, store.pc)
        if meaning is not None:
            said.made(at, meaning)
            if not self._meanings.is_vague(meaning):
                return
        for origin in code.of(store.register, store.pc):
            if isinstance(origin, StaticWord):
                said.copied(at, origin.address)
            elif used := self._meanings.used_as(entry, origin):
                said.used(at, *used)
            elif meaning is None:
                said.unknown.add(at)

    def _within(self, address: int, number: int, wanted: frozenset[int], said: _Said) -> None:
        """The words of a variable of a shape."""
        shape = self._shapes[number]
        rules, shapes = shape.rules
        for i in range(min(len(rules), shape.size // WORD)):
            if address + WORD * i in wanted and rules[i] != Rule.NOTHING:
                said.used(address + WORD * i, (Rule(int(rules[i])), int(shapes[i])))


def _of_store(code: Code, store: Store, links: Mapping[int, int]) -> set[int]:
    """The link-time addresses that are stored to, as far as they are known."""
    if not store.base:
        return {store.offset}
    return _places(code, store.base, store.pc, store.offset, links)


def _places(code: Code, base: str, pc: int, offset: int, links: Mapping[int, int]) -> set[int]:
    """The link-time addresses so far from where a register points to at a pc, as far as they are
    known: it may lead to others, too, where the same lies. What a variable points at is of the type
    of all that it ever did."""
    origins = code.of(base, pc)
    words = {origin.address for origin in origins if isinstance(origin, StaticWord)}
    starts = _statics(origins) | {links[word] for word in words if word in links}
    return {address + offset for address in starts}


def _statics(origins: Iterable[Origin]) -> set[int]:
    return {origin.address for origin in origins if isinstance(origin, Static)}


class _User(msgspec.Struct):
    """A function of `size` bytes that uses some words: where it seems to load them, or to take
    addresses before them, where it stores to them, and where it seems to do so through pointers. It
    `leads` to them where it has such pointers."""

    entry: int
    size: int
    uses: set[int]
    loads: set[int] = msgspec.field(default_factory=set)
    stores: set[int] = msgspec.field(default_factory=set)
    through: set[int] = msgspec.field(default_factory=set)
    leads: bool = False


class _Said:
    """What witnesses say of the words at some addresses: those that use what lies there, and what
    is stored there. To an `unknown` word things are stored of which nothing is known. `links` are
    pointers to what may hold words, by where they lie."""

    def __init__(self, links: Mapping[int, int]) -> None:
        self.links = links
        self._used: dict[int, set[Meaning]] = {}
        self._made: dict[int, set[Meaning]] = {}
        self._copies: set[tuple[int, int]] = set()
        self.unknown: set[int] = set()

    @property
    def used_words(self) -> AbstractSet[int]:
        """The words of which a use is known."""
        return self._used.keys()

    @property
    def told_words(self) -> AbstractSet[int]:
        """The words of which anything is known."""
        return self._used.keys() | self._made.keys() | self.unknown

    def used(self, address: int, *meanings: Meaning) -> None:
        self._used.setdefault(address, set()).update(meanings)

    def made(self, address: int, meaning: Meaning) -> None:
        """An array that was made may be replaced by a slice of another thing: how much of it is an
        array stands in the slice."""
        rule, shape = meaning
        sliced = (Rule.SLICE, shape) if rule is Rule.ARRAY else meaning
        self._made.setdefault(address, set()).add(sliced)

    def copied(self, address: int, of: int) -> None:
        self._copies.add((address, of))

    def items(self) -> Iterator[tuple[int, set[Meaning]]]:
        """A word of which nothing is known but what some of its values are may hold others as well:
        an unsafe.Pointer may."""
        for address in self._used.keys() | (self._made.keys() - self.unknown):
            yield address, self._used.get(address, set()) | self._made.get(address, set())

    def copy(self) -> None:
        """What is another word's value means what that one means."""
        for _ in range(_COPIES):
            told = dict(self.items())
            for to, of in self._copies:
                if of in told:
                    self.used(to, *told[of])
                else:
                    self.unknown.add(to)
