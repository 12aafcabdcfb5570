"""The types of methods' receivers, by the names of the functions."""

from __future__ import annotations

import re
from functools import cached_property
from urllib.parse import unquote

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.shape import GENERIC
from goprobe.runtime.types.typedata import TypeData

_POINTER_METHOD = re.compile(r"(?P<package>.+?)\.\(\*(?P<type>[^().\[\]]+)\)\.(?P<method>[^.]+)")
_TRIE_METHOD = re.compile(
    r"(?P<package>internal/sync)\.\(\*(?P<type>HashTrieMap"
    r"\[go\.shape\.interface \{\},go\.shape\.interface \{\}\])\)\.[^.]+"
)
"""What sync.Map is made of (src/internal/sync/hashtriemap.go, Go 1.24 to 1.27): nobody else has one
of interfaces, so that its shape is its type."""
_WRAPPER = "-fm"  # it is called with a closure, which holds the receiver


class Receivers:
    """Of methods of pointers to named types. A type that a function declares for itself may be
    called as one of its package: names that two types have tell nothing."""

    def __init__(self, memory: Memory, typedata: TypeData, catalog: Catalog) -> None:
        self._memory = memory
        self._typedata = typedata
        self._catalog = catalog
        self._known: dict[str, int] = {}

    def pointed_at(self, function: str) -> int:
        """The descriptor of T, of the method "pkg.(*T).M"; 0 where it is no such method, or T is
        not known beyond doubt."""
        if function not in self._known:
            self._known[function] = self._find(function)
        return self._known[function]

    def _find(self, function: str) -> int:
        match = _POINTER_METHOD.fullmatch(function) or _TRIE_METHOD.fullmatch(function)
        if match is None or function.endswith(_WRAPPER):
            return 0
        # An import path's last element has its dots escaped (cmd/internal/objabi, PathToPrefix).
        name = f"{unquote(match['package'])}.{match['type'].replace(GENERIC, '')}"
        rtypes = self._named.get(name, ())
        return rtypes[0] if len(rtypes) == 1 else 0

    @cached_property
    def _named(self) -> dict[str, list[int]]:
        """The descriptors of named types by their full names, of those that may have methods of
        pointers to them: pointers and interfaces have none (spec, Method declarations)."""
        named: dict[str, list[int]] = {}
        catalog = self._catalog
        receivers = ~np.isin(catalog.kind, (GoKind.POINTER, GoKind.INTERFACE))
        for rtype in catalog.address[receivers].tolist():
            try:
                if self._typedata.is_named(rtype):
                    named.setdefault(self._typedata.written(rtype), []).append(rtype)
            except UnreadableError:
                continue
        return {name: rtypes for name, rtypes in named.items() if GENERIC not in name}
