"""For how long a thread of goprobe's has waited for a processor, ready to run."""

from __future__ import annotations

from pathlib import Path

_DELAY = (
    1  # sched_info.run_delay, the second number (kernel Documentation/scheduler/sched-stats.rst)
)


def waited_for_processor() -> int:
    """Nanoseconds, of this thread in all; 0 where the kernel does not say."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[_DELAY])
    except (OSError, ValueError, IndexError):
        return 0
