"""The pytest plugin: the fixture `goprobe`, which is a `goprobe.testing.Probe`.

It is loaded in every run of pytest where goprobe is installed, also in those that never ask for it:
goprobe itself is imported with the first test that does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from goprobe.testing.probe import Probe
    from goprobe.testing.reports import Reports


@pytest.fixture(scope="session")
def goprobe_reports() -> Reports:
    """What `goprobe escape` has told in this session."""
    from goprobe.testing.reports import Reports

    return Reports()


@pytest.fixture
def goprobe(tmp_path: Path, goprobe_reports: Reports) -> Iterator[Probe]:
    """Launches Go programs, attaches to them, and asserts where things live and what allocates."""
    from goprobe.testing.probe import Probe

    with Probe(tmp_path, goprobe_reports) as probe:
        yield probe
