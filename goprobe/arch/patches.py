"""What is written into code of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.patches import (
    BREAKPOINT as BREAKPOINT,
)
from goprobe.arch.amd64.patches import (
    BREAKPOINT_SIZE as BREAKPOINT_SIZE,
)
from goprobe.arch.amd64.patches import (
    CALL_SIZE as CALL_SIZE,
)
from goprobe.arch.amd64.patches import (
    NEVER_REACHED as NEVER_REACHED,
)
from goprobe.arch.amd64.patches import (
    STORE_BYTE as STORE_BYTE,
)
from goprobe.arch.amd64.patches import (
    STORE_REGISTER as STORE_REGISTER,
)
from goprobe.arch.amd64.patches import (
    callee as callee,
)
from goprobe.arch.amd64.patches import (
    set_callee as set_callee,
)
