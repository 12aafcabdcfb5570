"""The claims of the familiar picture, in its order, each with how it is measured.

What could not be measured is said with the reason; nothing is taken from the picture itself.
"""

from __future__ import annotations

from collections.abc import Callable

from goprobe.analysis.explain import behaviour, locations
from goprobe.analysis.explain.measured import Measured
from goprobe.analysis.explain.study import ClaimStudy

CLAIMS: tuple[tuple[str, Callable[[ClaimStudy], Measured]], ...] = (
    (
        "machine code of main, fmt.Println and the runtime lies in one read-only, executable "
        "segment at the lowest addresses, shared by all goroutines",
        locations.code_segment,
    ),
    (
        'the literal\'s bytes lie in the "data" segment, once, and are immutable',
        locations.literal_place,
    ),
    ("global variables live beside the literal", locations.globals_beside),
    ('msg, on the stack, is "a pointer" to the literal', locations.message_is_pointer),
    (
        "reusing or copying a string copies only its header; equal literals share their bytes",
        locations.copies_share,
    ),
    (
        "main's frame is on the stack, between data and heap; it grows downward, and a call "
        "costs a pointer adjustment",
        locations.main_on_stack,
    ),
    ("a goroutine's stack grows and moves as needed", locations.stack_moves),
    ('there are no "stack overflow" fears', behaviour.overflow),
    (
        "the heap is not used by this code, though fmt.Println may use it for buffers",
        behaviour.heap_use,
    ),
    ("from lowest to highest address: code, data, stack, heap", locations.order),
    ("the garbage collector stays out of the way of a program like this", behaviour.collector),
    (
        "no hidden virtual machine: the runtime is embedded, and the binary self-contained",
        behaviour.no_machine,
    ),
    ("the runtime adds about 2 MB to the binary", behaviour.runtime_size),
    ("what the compiler predicts of the heap (-m) is what happens", behaviour.predictions),
)
