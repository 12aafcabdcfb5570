"""What is told of leaked goroutines in a sentence, in text as in pages."""

from __future__ import annotations

from goprobe.model.attached import LeakSummary
from goprobe.report import words


def none_lost(leaks: LeakSummary) -> str:
    """ "no goroutine is leaked of 12 goroutines that only others could wake"."""
    return f"no goroutine is leaked {of_blocked(leaks)}"


def of_blocked(leaks: LeakSummary) -> str:
    return f"of {words.counted(leaks.blocked, 'goroutine')} that only others could wake"


def held_by_lost(leaks: LeakSummary) -> str:
    """ "9.9 MiB in 1,024 objects by 500 goroutines that can never run again, beside 4 MiB of
    stacks"."""
    return (
        f"{words.size(leaks.retained_bytes)} in {words.counted(leaks.retained_objects, 'object')} "
        f"by {words.counted(leaks.leaked, 'goroutine')} that can never run again, beside "
        f"{words.size(leaks.stack_bytes)} of stacks"
    )


MAIN_WAITS = (
    "the main goroutine waits for what nobody else has: that is how a program stays, and no leak "
    "(--id 1 shows where)"
)


def undecided(leaks: LeakSummary) -> str:
    they = "it" if leaks.undecided == 1 else "they"
    count = words.counted(leaks.undecided, "goroutine")
    return f"of {count} it cannot be told whether {they} can ever run again"
