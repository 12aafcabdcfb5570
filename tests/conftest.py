"""What holds for all tests."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# The machine that tests run on is shared: how long an example takes says nothing of the code.
settings.register_profile("goprobe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("goprobe")

# A shell's background jobs ignore these; what the tests start would ignore them too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
