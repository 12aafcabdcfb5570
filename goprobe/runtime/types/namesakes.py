"""Types of one name, told apart: those that functions declare for themselves, each its own `node`.

Debug information numbers them ("main.node·2"); a descriptor has only the name (TypeSymName,
cmd/compile/internal/types/fmt.go; dnameData, reflectdata/reflect.go, Go 1.21 to 1.27). All code
that names a type which a function has declared is that function's, wherever that was inlined, or
generic code's that is given the type. Where one function alone may be it, the type is told with
that ("main.node·insert"); where none can, it is the package's own, of which there is one
("main.node"); else it is told with its descriptor's link-time address ("main.node·0x4a2b40").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from urllib.parse import unquote

_NESTED = re.compile(r"\.(?:func|gowrap|deferwrap)\d+.*|-range\d+.*|-fm$", re.DOTALL)
_FUNCTION = re.compile(r"\w+|\(\*\w+\)\.\w+")
_METHOD = re.compile(r"\w+\.\w+")
_OF_MAPS = ("map.", "noalg.map.")
_MOST = 1 << 8  # functions that name a type: of more it is not asked whose it is
Written = Set[str]
"""The functions of the source that the code of one is made of."""


class Namesakes:
    """Of one program. `groups` are descriptors whose names are one text, by `name` with the paths
    of their packages; `named_in` are functions whose code names
    one."""

    def __init__(
        self,
        groups: Iterable[Sequence[int]],
        name: Callable[[int], str],
        named_in: Callable[[int], Sequence[Written]],
        bias: int,
    ) -> None:
        self._groups = {rtype: group for group in groups for rtype in group}
        self._name = name
        self._named_in = named_in
        self._bias = bias
        self._apart: dict[int, str] = {}

    def apart(self, rtype: int) -> str:
        """What is to be added to the name of a type, "" where no other has that."""
        if rtype in self._groups and rtype not in self._apart:
            name = self._name(rtype)
            alike = [each for each in self._groups[rtype] if self._name(each) == name]
            inside = name.startswith(_OF_MAPS)  # which are told with their map's name
            self._tell(name, alike if len(alike) > 1 and not inside else [])
        return self._apart.setdefault(rtype, "")

    def _tell(self, name: str, rtypes: Sequence[int]) -> None:
        users = {each: _users(name, self._named_in(each)) for each in rtypes}
        only = Counter(next(iter(some)) for some in users.values() if some and len(some) == 1)
        for each, functions in users.items():
            if functions is None or len(functions) > 1 or any(only[f] > 1 for f in functions):
                self._apart[each] = f"·{each - self._bias:#x}"
            else:
                self._apart[each] = "".join(f"·{function}" for function in functions)


def _users(name: str, named_in: Sequence[Written]) -> set[str] | None:
    """The functions, without their package, that may have declared a type: none, where it is the
    package's own. None where that is not known: what generic code declares has type arguments in
    its name, and may be named by who calls that."""
    package, _, own = name.rpartition(".")
    if not package or not own.isidentifier() or not 0 < len(named_in) <= _MOST:
        return None
    made_of = [
        {
            _outermost(unquote(each).removeprefix(f"{package}."))
            for each in some
            if "[" not in each and unquote(each).startswith(f"{package}.")
        }
        for some in named_in
    ]
    every = set.intersection(*made_of)
    return None if any("" in some for some in made_of) else every


def _outermost(function: str) -> str:
    """The function that a literal stands in; "" where its name may also be that of whom this was
    inlined into."""
    whole = _NESTED.sub("", function, count=1)
    plain = _FUNCTION.fullmatch(whole) or (whole == function and _METHOD.fullmatch(whole))
    return whole if plain else ""
