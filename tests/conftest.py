"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The machine that tests run on is shared: how long an example takes says nothing of the code.
settings.register_profile("goprobe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("goprobe")
