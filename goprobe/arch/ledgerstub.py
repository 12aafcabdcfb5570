"""The ledger's routines for the machine."""

from __future__ import annotations

from goprobe.arch.amd64.ledgerstub import (
    ENTRY_SIZE as ENTRY_SIZE,
)
from goprobe.arch.amd64.ledgerstub import (
    ENTRY_WORD as ENTRY_WORD,
)
from goprobe.arch.amd64.ledgerstub import (
    GRAIN as GRAIN,
)
from goprobe.arch.amd64.ledgerstub import (
    MULTIPLIER as MULTIPLIER,
)
from goprobe.arch.amd64.ledgerstub import (
    ON_G0_WORD as ON_G0_WORD,
)
from goprobe.arch.amd64.ledgerstub import (
    SIZE_WORD as SIZE_WORD,
)
from goprobe.arch.amd64.ledgerstub import (
    STEPS as STEPS,
)
from goprobe.arch.amd64.ledgerstub import (
    TYPE_WORD as TYPE_WORD,
)
from goprobe.arch.amd64.ledgerstub import (
    routine as routine,
)
