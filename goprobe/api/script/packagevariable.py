"""Variables of packages, as a script has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from goprobe.api.script.driver import Driver
from goprobe.api.script.value import Value


class PackageVariable(Value):
    """A variable of a package, or an integer constant of it, which lies nowhere."""

    __slots__ = ()

    @property
    def location(self) -> Any:
        """Where it lies; None of a constant."""
        address = self.part.address
        if address is UNSET:
            return None
        self._alive()
        return self._driver.locate(address)[0]


def package_variable(driver: Driver, name: str, alive: Callable[[], object]) -> PackageVariable:
    """By its full name (`main.counter`). Raises NoSuchElementError."""
    return PackageVariable(driver, driver.global_variable(name), alive)
