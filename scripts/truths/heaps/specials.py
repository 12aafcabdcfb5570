"""Finalizers, cleanups and weak pointers of objects: what they keep, and what they do not."""

from __future__ import annotations

from scripts.truths.heaps.library import Maker
from scripts.truths.heaps.types import pointer
from scripts.truths.kind import release


def attach(maker: Maker, object_: str, kind: str, go: str) -> None:
    """Attach something to the object that a variable points at."""
    _, minor = release(go)
    what = maker.choices.below(3 if minor >= 24 else 1)
    kept = maker.value(pointer(maker.types.named(maker.choices)), 2) if what < 2 else ""
    if what == 0:
        name = maker.name()
        inner = f"{name}c"
        if kept:
            maker.say(f"{inner} := {kept}")
            use = f"runtime.KeepAlive({inner})"
        else:
            use = ""
        maker.say(f"{name} := closure(func(*{kind}) {{ {use} }})")
        if kept:
            maker.say(f"holds(pointer({name}), unsafe.Pointer({inner}))")
        maker.say(f"runtime.SetFinalizer({object_}, {name})")
        maker.say(f"attached(unsafe.Pointer({object_}), pointer({name}), 1)")
    elif what == 1 and kept:
        # What is cleaned up must not be what the cleanup is handed.
        maker.say(
            f"if apart(unsafe.Pointer({object_}), unsafe.Sizeof(*{object_}), "
            f"unsafe.Pointer({kept})) {{"
        )
        maker.say(f"runtime.AddCleanup({object_}, deferred, {kept})")
        maker.say(f"attached(unsafe.Pointer({object_}), unsafe.Pointer({kept}), 0) }}")
    elif what == 2:
        # Go 1.24 throws where the object has no bytes (getWeakHandle, mheap.go).
        maker.say(
            f"if unsafe.Sizeof(*{object_}) > 0 {{ unsure = append(unsure, weak.Make({object_})) }}"
        )
