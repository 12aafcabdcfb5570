"""The words that goprobe uses, each explained once, for `goprobe help` and the manual."""

from __future__ import annotations

GLOSSARY: dict[str, str] = {
    "reachable": "A root leads to it, over however many pointers: the collector keeps it.",
    "garbage": "No root leads to it any more; the next collection frees it. What the last one found"
    " is freed span by span: until a span is swept its garbage still counts as allocated.",
    "root": "Where the collector begins: package-level variables, goroutines' stacks, finalizers"
    " and cleanups.",
    "held by": "A row that everything below it hangs on: without it that would be garbage.",
    "held by several": "Each of them leads to it, so none alone keeps it: it is freed only when all"
    " have let go.",
    "retained": "What would be freed with it: itself, and all that only it leads to.",
    "path": "The shortest way from a root to an object, as Go would select it.",
    "referrer": "An object or root with a pointer to the object.",
    "dangling": "A pointer to where no object is: what it led to was freed, or never was one.",
    "noscan": "Memory without pointers, which the collector does not look into.",
    "size class": "Small objects are rounded up to one of 68 sizes; a span holds objects of one.",
    "span": "A run of pages that the runtime gives to one size class, one large object or a stack.",
    "tiny block": "One slot of 16 bytes that several small values without pointers share.",
    "backing": "The array behind a slice.",
    "groups, table, directory": "What a map's entries lie in (from Go 1.24 on); buckets before.",
    "escapes": "The compiler cannot prove that a value dies with its frame, and so may put it on"
    " the heap. That is a permission, not an event.",
    "inlined away": "The function's code stands in its caller: no call of it is left to be seen.",
    "optimised out": "The compiler kept the value nowhere at this place of the code.",
    "at": "The line of source that a goroutine is at: that of the call in its innermost frame.",
    "leaked": "A goroutine that waits for what nothing that can still run leads to.",
    "locked by": "Who has called Lock of what others wait for, and not Unlock, by where it stands"
    " in the code. Go notes no owner, and lets another goroutine unlock a mutex in its stead.",
    "deadlock": "Goroutines each of which waits for what only the next one can end, in a circle:"
    " none runs again. A possible one is not sure of each.",
    "stood still": "How long the process was stopped for an answer.",
}
"""In the terms of Go's own documentation."""
