"""How much may be asked of the tracer: apart, as those who ask need not load it."""

MOST_INSPECTED = 1 << 16
"""Hits of a call that are looked at."""
