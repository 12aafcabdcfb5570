"""What goprobe costs, measured: one module for each command, with a function `measure`.

    measure(runs: int) -> Iterator[Figure]

Alternatives are timed side by side in one run (`timing.side_by_side`), and medians count.
"""
