"""What the code of whole functions says: control flow, definitions, assigned slots."""

from __future__ import annotations

from goprobe.arch.amd64.assigned import (
    AssignedSlots as AssignedSlots,
    VariableSlot as VariableSlot,
)
from goprobe.arch.amd64.codeflow import (
    ENTRY as ENTRY,
    CodeFlow as CodeFlow,
    FieldUse as FieldUse,
    FrameSlot as FrameSlot,
)
from goprobe.arch.amd64.controlflow import (
    CODE_LIMIT as CODE_LIMIT,
    Defers as Defers,
    changes_of as changes_of,
    mapped_of as mapped_of,
    returns_of as returns_of,
)
from goprobe.arch.amd64.framewrites import (
    FrameWrites as FrameWrites,
)
from goprobe.arch.amd64.handedon import (
    HandedOn as HandedOn,
    handed_on as handed_on,
)
from goprobe.arch.amd64.origins import (
    Addressed as Addressed,
    Call as Call,
    Framed as Framed,
    Given as Given,
    LoadedElement as LoadedElement,
    LoadedWord as LoadedWord,
    Number as Number,
    ObjectUses as ObjectUses,
    Origin as Origin,
    Origins as Origins,
    Returned as Returned,
    Static as Static,
    StaticWord as StaticWord,
    Untold as Untold,
)
from goprobe.arch.amd64.reaching import (
    LOST as LOST,
    Definition as Definition,
    Definitions as Definitions,
    Holder as Holder,
)
from goprobe.arch.amd64.receivers import (
    MethodCall as MethodCall,
    Place as Place,
    Receivers as Receivers,
    Ways as Ways,
)
from goprobe.arch.amd64.stores import (
    ElementStore as ElementStore,
    Store as Store,
)
from goprobe.arch.amd64.waysin import (
    LineStretch as LineStretch,
    ways_in as ways_in,
)
