"""A process that stood, for each Go, and a way to ask it with other words in its memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from goprobe.target.core import CoreTarget
from scripts.fuzzing.overlay import OverlaidCore, Patch
from scripts.fuzzing.standing import Standing, standing
from tests.support.go import matrix


@pytest.fixture(scope="session", params=matrix())
def stood(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Standing:
    """testdata/fuzz/tangle, whole."""
    home: Path = tmp_path_factory.mktemp("stood")
    return standing(home, request.param)


Damaged = Callable[..., CoreTarget]


@pytest.fixture
def damaged(stood: Standing) -> Damaged:
    """The process with patches (address, bytes) over its memory."""

    def make(*patches: Patch) -> CoreTarget:
        core = OverlaidCore(stood.core, stood.binary, patches)
        return CoreTarget(core, stood.target.program, stood.target.bias)

    return make
