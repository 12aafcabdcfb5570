"""Typed reads: memory at an address as a value of a Go type."""

from __future__ import annotations

from goprobe.api.script.driver import Driver
from goprobe.api.script.value import Value


class TypedMemory:
    """A Go type whose values can be read at any address."""

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver = driver
        self.name = name

    def at(self, address: int) -> Value:
        """The value at an address. Raises UsageError (no such type, unreadable memory)."""
        return Value(self._driver, self._driver.value(self.name, int(address)), lambda: None)
