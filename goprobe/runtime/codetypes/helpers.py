"""What the runtime's functions that compiled code calls are given, and what they return, by the
type descriptor that they are given with it.

Source: src/cmd/compile/internal/typecheck/_builtin/runtime.go, src/runtime/malloc.go, slice.go,
map*.go, chan.go, iface.go, mbarrier.go, string.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec


class Form(Enum):
    """What a word is to a type T."""

    POINTER = auto()  # points at a value of it
    ARRAY = auto()  # points at an array of them, at its beginning
    SLICE = auto()  # begins a slice of them
    VALUE = auto()  # is a value of it: a map, a channel
    ELEMENT = auto()  # points at an element of T, a map's type
    ALLOCATED = auto()  # points at as many of them as a size says
    CHANNEL = auto()  # is a channel, whatever it carries
    TEXT = auto()  # points at a string's bytes
    MAP = auto()  # is a map, whatever it maps
    ASSERTION = auto()  # points at an internal/abi.TypeAssert
    SWITCH = auto()  # points at an internal/abi.InterfaceSwitch


class Word(msgspec.Struct, frozen=True):
    """An integer argument or result by its number; `type` is the number of the argument that is
    the type's descriptor, -1 for none."""

    number: int
    form: Form
    type: int = -1


_KEYED = ("", "_fast32", "_fast64", "_faststr")
_MAP = (Word(1, Form.VALUE, 0),)
_ELEMENT = (Word(0, Form.ELEMENT, 0),)
_OLD = (Word(0, Form.SLICE, 4),)
_NEW = (Word(0, Form.ARRAY, 4),)
_CHANNEL = (Word(0, Form.CHANNEL),)
_TEXT = (Word(0, Form.TEXT),)
_KEY = Word(2, Form.TEXT)
_BY_STRING = ("access1", "access2", "assign", "delete")


def _strings(count: int) -> tuple[Word, ...]:
    """So many strings, behind a buffer."""
    return tuple(Word(1 + 2 * i, Form.TEXT) for i in range(count))


PARAMETERS: dict[str, tuple[Word, ...]] = {
    **{f"runtime.mapaccess{n}{k}": _MAP for n in (1, 2) for k in (*_KEYED, "_fat")},
    **{f"runtime.mapassign{k}": _MAP for k in (*_KEYED, "_fast32ptr", "_fast64ptr")},
    **{f"runtime.mapdelete{k}": _MAP for k in _KEYED},
    **{f"runtime.map{name}_faststr": (*_MAP, _KEY) for name in _BY_STRING},
    **{f"runtime.concatstring{n}": _strings(n) for n in (2, 3)},
    "runtime.convTstring": _TEXT,
    "runtime.stringtoslicebyte": (Word(1, Form.TEXT),),
    **dict.fromkeys(("runtime.mapiterinit", "runtime.mapIterStart", "runtime.mapclear"), _MAP),
    **dict.fromkeys(("runtime.growslice", "runtime.growsliceNoAlias"), _OLD),
    "runtime.chansend1": _CHANNEL,
    "runtime.chanrecv1": _CHANNEL,
    "runtime.chanrecv2": _CHANNEL,
    "runtime.closechan": _CHANNEL,
    "runtime.typeAssert": (Word(0, Form.ASSERTION),),
    "runtime.interfaceSwitch": (Word(0, Form.SWITCH),),
    "runtime.selectnbsend": _CHANNEL,
    "runtime.selectnbrecv": (Word(1, Form.CHANNEL),),
    "runtime.typedmemmove": (Word(1, Form.POINTER, 0), Word(2, Form.POINTER, 0)),
}
"""By function. Compiled code names all types that it hands over by address, but in generic code,
which takes them from its dictionary."""

_RUNTIMES = ("runtime/internal", "internal/runtime")  # to Go 1.22, since 1.23
EXCHANGED = {
    "sync/atomic.StorePointer": 1,
    "sync/atomic.SwapPointer": 1,
    "sync/atomic.CompareAndSwapPointer": 2,
    **{f"{at}/atomic.storePointer": 1 for at in _RUNTIMES},
    **{f"{at}/atomic.casPointer": 2 for at in _RUNTIMES},
    "runtime.atomicwb": 1,
}
"""What stores a pointer where its first argument leads: the number of the one that is stored
(src/sync/atomic/doc.go, src/runtime/atomic_pointer.go, src/internal/runtime/atomic/types.go, Go
1.21 to 1.27). A write barrier is followed by the store."""

RESULTS: dict[str, tuple[Word, ...]] = {
    "runtime.newobject": (Word(0, Form.POINTER, 0),),
    "runtime.makemap_small": (Word(0, Form.MAP),),
    **dict.fromkeys(
        ("runtime.makeslice", "runtime.makeslice64", "runtime.makeslicecopy"),
        (Word(0, Form.ARRAY, 0),),
    ),
    **dict.fromkeys(("runtime.growslice", "runtime.growsliceNoAlias"), _NEW),
    **dict.fromkeys(
        ("runtime.makemap", "runtime.makemap64", "runtime.makechan", "runtime.makechan64"),
        (Word(0, Form.VALUE, 0),),
    ),
    **dict.fromkeys(("runtime.convT", "runtime.convTnoptr"), (Word(0, Form.POINTER, 0),)),
    **{f"runtime.mapaccess{n}{k}": _ELEMENT for n in (1, 2) for k in (*_KEYED, "_fat")},
    **{f"runtime.mapassign{k}": _ELEMENT for k in (*_KEYED, "_fast32ptr", "_fast64ptr")},
    **{f"runtime.concatstring{n}": _TEXT for n in ("s", "2", "3", "4", "5")},
    **dict.fromkeys(
        ("runtime.slicebytetostring", "runtime.intstring", "runtime.slicerunetostring"), _TEXT
    ),
}
_ALLOCATES = "runtime.mallocgc"
_ALLOCATED = (Word(0, Form.ALLOCATED, 1),)


def results(function: str) -> tuple[Word, ...]:
    """What a function of the runtime returns."""
    return _ALLOCATED if function.startswith(_ALLOCATES) else RESULTS.get(function, ())
