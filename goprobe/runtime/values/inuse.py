"""Whether what a pointer leads to may still be what the program put there.

A variable that the compiler counts as no longer used is no root for the collector, and is not
adjusted when its goroutine's stack moves (runtime/stack.go, adjustframe): it may lead to an object
that was freed since, or into memory that was a stack. What lies there now is not its value.
"""

from __future__ import annotations

from goprobe.model.location import Kind, Location, RuntimeUse

_GIVEN_UP = (RuntimeUse.STACK_CACHE, RuntimeUse.FREE_MANUAL_SPAN, RuntimeUse.FREE_PAGES)


def given_up(location: Location, goroutine: int) -> str:
    """Why nothing is to be told of a pointee that lies there; "" where it is in use. `goroutine`
    is the one whose frames are looked at (0: not known): no other's stack is pointed into."""
    detail = location.detail
    if location.kind is Kind.HEAP and detail.get("allocated") is False:
        return "it points to a heap object that is free: nothing uses the pointer any more"
    if location.kind is Kind.RUNTIME and detail.get("what") in _GIVEN_UP:
        return f"it points into {detail['what']}: nothing uses the pointer any more"
    if location.kind is Kind.GOROUTINE_STACK and goroutine:
        if detail.get("goroutine") != goroutine:
            return "it points into what is another goroutine's stack by now"
        if detail.get("live") is False:
            return "it points into the unused part of the stack"
    return ""
