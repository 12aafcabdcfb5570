"""Go programs under test, from pytest: the fixture `goprobe`.

    def test_the_session_is_shared(goprobe):
        program = goprobe.launch("./shop")
        for stop in program.run(["main.serve"]):
            goprobe.assert_location(stop["session"].data, "heap")

    def test_the_server_keeps_no_goroutine(goprobe):
        server = goprobe.start("./server", ready="listening")
        assert server.goroutines().groups

Whatever a test starts is gone when the test ends. pytest finds the fixture by itself where goprobe
is installed (`-p no:goprobe` leaves it out).
"""

from goprobe.testing.probe import Probe
from goprobe.testing.started import Started

__all__ = ["Probe", "Started"]
