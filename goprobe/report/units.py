"""The one vocabulary of the reports: what a number of that name is, whichever report it stands in.

A name says its unit itself (`pause_us`, `retained_bytes`), or stands here, or it is a count. So the
same name never means two things. The schemas carry it as `x-unit`.
"""

from __future__ import annotations

_ENDINGS = {
    "_us": "microseconds",
    "_ns": "nanoseconds",
    "_bytes": "bytes",
    "seconds": "seconds",
    "_rss": "bytes",
}

_NAMES = {
    "bytes": (
        "bytes", "bytes_before", "size", "used", "rss", "pss", "swap", "peak", "huge", "stored",
        "limited", "cgroup_left",
        "page_tables", "cgroup", "cgroup_limit", "absent", "into", "free", "live", "retained",
        "memory_limit", "next_gc", "retain_goal", "optimized_code", "unoptimized_code", "rate",
    ),
    "id": ("pid", "thread", "goroutine", "id", "parent"),
    "number": (
        "line", "col", "first", "last", "start", "frame", "descriptor", "code", "exit_code",
        "number", "gogc", "gomaxprocs",
    ),
    "cycles": ("cycles", "block_rate"),
    "share": ("fragmentation", "gc_cpu"),
    "per second": ("cycles_per_second",),
}  # fmt: skip

_UNITS = {name: unit for unit, names in _NAMES.items() for name in names}


def unit_of(name: str) -> str:
    """What numbers of this name are: of what unit, or what else they say."""
    if name in _UNITS:
        return _UNITS[name]
    return next((unit for end, unit in _ENDINGS.items() if name.endswith(end)), "count")
