"""What holds for all tests."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from msgspec.structs import replace

from goprobe.analysis.audit import Check
from goprobe.model.report import Audited, Report
from tests.support.go import matrix
from tests.support.schemas import hold_report
from tests.support.temporary import own_root

# goprobe's byte code is kept, as users keep it: where the machine's Python is told to keep none,
# each of the thousands of processes that tests start would compile half a second of it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The machine that tests run on is shared: how long an example takes says nothing of the code.
settings.register_profile("goprobe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("goprobe")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # workers of xdist have a part of their controller's
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(own_root())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only what is marked, with its reason, may try again: elsewhere a second try hides a flaw."""
    for item in items:
        if mark := item.get_closest_marker("races"):
            assert mark.args, f"{item.nodeid}: why does it race?"
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def reports_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """No report that a test has made contradicts itself, but where a test wants it to; and each is
    one that its schema allows (of commands that tests run: tests/support/cli.py).

    By a patch of its own: the tests' would be set up by it, before all of their fixtures.
    """
    faults: list[Audited] = []
    plain = Check.of

    def noted(self: Check[object], facts: object) -> Audited:
        found = plain(self, facts)
        faults.extend(() if found.holds else (found,))
        return found

    def held(report: Report, **fields: Any) -> Report:
        whole = replace(report, **fields)
        hold_report(whole)
        return whole

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Check, "of", noted)
        patch.setattr("goprobe.analysis.audit.replace", held)
        yield
    assert not faults or request.node.get_closest_marker("contradictory"), faults


@pytest.fixture(scope="module", params=matrix())
def go(request: pytest.FixtureRequest) -> str:
    """Each release to test with, of tests that say no other."""
    assert isinstance(request.param, str)
    return request.param


# A shell's background jobs ignore these; what the tests start would ignore them too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
