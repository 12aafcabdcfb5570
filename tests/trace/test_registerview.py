"""GDB's registers as a World asks for them: one that is not there is an error, never zero."""

from __future__ import annotations

import pytest

from goprobe.analysis.trace.stopregisters import RegisterView


def test_a_register_that_gdb_did_not_tell_is_no_zero() -> None:
    view = RegisterView({"rax": 0xC000012345})
    assert view.value("rax") == 0xC000012345
    with pytest.raises(KeyError):
        view.value("rbx")
