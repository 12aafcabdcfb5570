"""The tracer's stubs for the machine."""

from __future__ import annotations

from goprobe.arch.amd64.stub import (
    CLAIM_WORD as CLAIM_WORD,
)
from goprobe.arch.amd64.stub import (
    CLAIMED as CLAIMED,
)
from goprobe.arch.amd64.stub import (
    CONTROL_SIZE as CONTROL_SIZE,
)
from goprobe.arch.amd64.stub import (
    CONTROL_WORDS as CONTROL_WORDS,
)
from goprobe.arch.amd64.stub import (
    FIRST_CLAIM as FIRST_CLAIM,
)
from goprobe.arch.amd64.stub import (
    HITS as HITS,
)
from goprobe.arch.amd64.stub import (
    MODE as MODE,
)
from goprobe.arch.amd64.stub import (
    RECORD as RECORD,
)
from goprobe.arch.amd64.stub import (
    RECORD_SIZE as RECORD_SIZE,
)
from goprobe.arch.amd64.stub import (
    RECORD_WORD as RECORD_WORD,
)
from goprobe.arch.amd64.stub import (
    RECORDED_WORDS as RECORDED_WORDS,
)
from goprobe.arch.amd64.stub import (
    RECORDS as RECORDS,
)
from goprobe.arch.amd64.stub import (
    StubLayout as StubLayout,
)
from goprobe.arch.amd64.stub import (
    StubPhase as StubPhase,
)
from goprobe.arch.amd64.stub import (
    make_stub as make_stub,
)
from goprobe.arch.amd64.stub import (
    ring_size as ring_size,
)
