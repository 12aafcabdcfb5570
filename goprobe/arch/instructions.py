"""Single instructions of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.instructions import (
    LONGEST as LONGEST,
)
from goprobe.arch.amd64.instructions import (
    Transfer as Transfer,
)
from goprobe.arch.amd64.instructions import (
    after_call as after_call,
)
from goprobe.arch.amd64.instructions import (
    call_ahead as call_ahead,
)
from goprobe.arch.amd64.instructions import (
    called as called,
)
from goprobe.arch.amd64.instructions import (
    prologue as prologue,
)
from goprobe.arch.amd64.instructions import (
    spans as spans,
)
from goprobe.arch.amd64.instructions import (
    stack_check as stack_check,
)
from goprobe.arch.amd64.instructions import (
    stored_range as stored_range,
)
from goprobe.arch.amd64.instructions import (
    transfers as transfers,
)
