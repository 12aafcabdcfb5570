"""Which pointers the variables of the innermost frames of a stop hold: what only they lead to has a
type by them alone, for the runtime has no map of a frame that stands anywhere."""

from __future__ import annotations

from collections.abc import Iterator

from goprobe.analysis.trace.stopview import StopView
from goprobe.binary.dwarf.gotypes import has_pointer_at, part_at
from goprobe.errors import NotGoError, UnreadableError
from goprobe.runtime.roots.heldwords import HeldWord
from goprobe.runtime.stacks.bindings import Binding
from goprobe.runtime.stacks.frames import FrameView

_WORD = 8
_LARGEST = 1 << 12  # bytes of a variable


def held_words(view: StopView) -> tuple[HeldWord, ...]:
    """Of variables that hold their values where it stands, and of these the pointers that the frame
    needs yet."""
    inner = (frame for frame in view.frames if frame.innermost)
    return tuple(word for frame in inner for word in _of_frame(view, frame))


def _of_frame(view: StopView, frame: FrameView) -> Iterator[HeldWord]:
    for binding in view.bindings(frame):
        try:
            yield from _of_variable(view, binding, frame)
        except (NotGoError, KeyError):  # its type is not described
            continue


def _of_variable(view: StopView, binding: Binding, frame: FrameView) -> Iterator[HeldWord]:
    types, go_type, place = view.world.program.debug.types, binding.type, binding.place
    if place is None or binding.moved or go_type.size > _LARGEST:
        return  # a variable that was moved is an object itself
    count = go_type.size // _WORD
    known: dict[int, int] = {}
    for at in range(count):
        try:
            known[at] = int.from_bytes(place.read(at * _WORD, _WORD), "little")
        except UnreadableError:
            continue
    words = tuple(known.get(at, 0) for at in range(count))
    for at, word in known.items():
        _, part, into = part_at(types, go_type, at * _WORD)
        before = [at - n for n in range(into // _WORD + 1)]  # of an interface, its type
        if not has_pointer_at(part, into) or not known.keys() >= set(before):
            continue
        if word and not place.lost(at * _WORD, word):
            address = place.address or 0
            yield HeldWord(binding.name, go_type, frame.function, address, at, words)
