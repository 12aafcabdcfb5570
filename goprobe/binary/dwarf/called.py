"""What people call the variables and constants of packages."""

from __future__ import annotations

from goprobe.binary.dwarf.info import DebugInfo


def full_names(debug: DebugInfo, name: str) -> tuple[str, ...]:
    """A name as it is, and in full where its package is called by the end of its path
    ("http.DefaultClient") and no other that ends so has it."""
    if "/" in name or "." not in name:
        return (name,)
    names = (n for names in (debug.globals, debug.index.constants) for n in names)
    full = {n for n in names if n.endswith(f"/{name}")}
    return (name, *full) if len(full) == 1 else (name,)
