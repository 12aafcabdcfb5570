"""What a session says besides its answers."""

from __future__ import annotations


class StopWarning(UserWarning):
    """What a stop says against itself, or cannot do: one of the two cannot be right."""
