"""Instructions of the machine, run elsewhere than where they stand."""

from __future__ import annotations

from goprobe.arch.amd64.displaced import (
    MAX_INSTRUCTION as MAX_INSTRUCTION,
)
from goprobe.arch.amd64.displaced import (
    Call as Call,
)
from goprobe.arch.amd64.displaced import (
    Copy as Copy,
)
from goprobe.arch.amd64.displaced import (
    Displaced as Displaced,
)
from goprobe.arch.amd64.displaced import (
    Jump as Jump,
)
from goprobe.arch.amd64.displaced import (
    NotDisplaceableError as NotDisplaceableError,
)
from goprobe.arch.amd64.displaced import (
    displace as displace,
)
