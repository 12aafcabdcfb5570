"""What the code of whole functions says: control flow, definitions, assigned slots."""

from __future__ import annotations

from goprobe.arch.amd64.assigned import (
    AssignedSlots as AssignedSlots,
)
from goprobe.arch.amd64.assigned import (
    VariableSlot as VariableSlot,
)
from goprobe.arch.amd64.codeflow import (
    CodeFlow as CodeFlow,
)
from goprobe.arch.amd64.codeflow import (
    Slot as Slot,
)
from goprobe.arch.amd64.controlflow import (
    CODE_LIMIT as CODE_LIMIT,
)
from goprobe.arch.amd64.controlflow import (
    changes_of as changes_of,
)
from goprobe.arch.amd64.controlflow import (
    returns_of as returns_of,
)
from goprobe.arch.amd64.framewrites import (
    ENTRY as ENTRY,
)
from goprobe.arch.amd64.framewrites import (
    FrameWrites as FrameWrites,
)
from goprobe.arch.amd64.reaching import (
    LOST as LOST,
)
from goprobe.arch.amd64.reaching import (
    Definition as Definition,
)
from goprobe.arch.amd64.reaching import (
    Definitions as Definitions,
)
from goprobe.arch.amd64.reaching import (
    Holder as Holder,
)
from goprobe.arch.amd64.waysin import (
    Stretch as Stretch,
)
from goprobe.arch.amd64.waysin import (
    ways_in as ways_in,
)
