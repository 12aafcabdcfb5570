"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`holds` is None where it could not be told, which `says` explains."""

    check: str
    holds: bool | None
    says: str

    def __str__(self) -> str:
        word = {True: "ok", False: "FAILED", None: "skipped"}[self.holds]
        return f"{word:8}{self.check}: {self.says}"
