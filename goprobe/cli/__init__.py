"""The command line: one file per command."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with the contract's exit code."""
    raise SystemExit(2)
