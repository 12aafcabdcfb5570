"""The reports of `where`, `maps` and `goroutines`."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.contention import Contention
from goprobe.model.location import Detail, Kind, Location, Region
from goprobe.model.report import Report
from goprobe.model.value import Variable

WHERE_SCHEMA = "goprobe.where/1"
MAPS_SCHEMA = "goprobe.maps/1"
GOROUTINES_SCHEMA = "goprobe.goroutines/1"


class Whereabouts(msgspec.Struct, frozen=True):
    """A Location with all further identities of the address in `also`, most specific first."""

    kind: Kind
    address: Address
    name: str
    detail: Detail
    evidence: tuple[str, ...]
    also: tuple[Location, ...] = ()


class WhereReport(Report, frozen=True, kw_only=True):
    pause_us: int
    locations: tuple[Whereabouts, ...]
    schema: str = WHERE_SCHEMA


class MapsReport(Report, frozen=True, kw_only=True):
    """`rss` of each region and in all, in bytes; `smaps_rss` is the kernel's own sum, huge pages of
    hugetlbfs included, and `swap` what it has swapped out. Of a core file none of these is known,
    and `stored` is how many bytes of the process it has."""

    pause_us: int
    map: tuple[Region, ...]
    rss: int | UnsetType = UNSET
    smaps_rss: int | UnsetType = UNSET
    swap: int | UnsetType = UNSET
    stored: int | UnsetType = UNSET
    schema: str = MAPS_SCHEMA


class StackUse(msgspec.Struct, frozen=True, gc=False):
    """A goroutine's stack [low, high) and how many bytes of it are in use, 0 where that is not
    known."""

    low: Address
    high: Address
    used: int


class Differing(msgspec.Struct, frozen=True):
    """A variable that has different values in the goroutines of a group: how many have each, the
    most frequent first, and how many others there are (`more`). `index` is which of the frame's
    variables it is: one may hide another of its name."""

    name: str
    values: tuple[tuple[str, int], ...]
    more: int = 0
    index: int = 0


class CallSite(msgspec.Struct, frozen=True, gc=False):
    """A place in the code: `pc` is an address of the target. `own`: it is of the program's own
    module, not of a library. With --locals an own one has its `variables`; in a group they are
    those of its first goroutine, and `differing` says which are other ones in others."""

    function: str
    file: str
    line: int
    pc: Address
    inlined: bool = False
    own: bool = False
    variables: tuple[Variable, ...] | UnsetType = UNSET
    differing: tuple[Differing, ...] | UnsetType = UNSET


class Holder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Who has what another waits on: `goroutine` (0: no one goroutine's, a package-level variable)
    by the variable `name` in a frame of `function`."""

    goroutine: int
    name: str
    function: str = ""


class Owner(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A goroutine that has what another waits for: its `operation` was "lock" or "read lock", or it
    has to call Done ("done") of a wait group. It has called Lock and not Unlock; another may have
    unlocked in its stead, for Go notes no owner. `evidence` says how that is known; where it is not
    `certain`, what could be otherwise. `function` is where that stands."""

    goroutine: int
    operation: str
    evidence: str
    certain: bool = True
    function: str = ""


class WaitsOn(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What a goroutine waits on. `kind` is "channel", "mutex", "rwmutex", "wait group",
    "condition", "semaphore", "timer", "descriptor", "syscall", "collector", "coroutine", "runtime",
    and "nothing" for what never becomes ready. `operation` is what it does there ("send",
    "receive", "lock", "read" …), `state` how that stands ("closed", "locked, 3 wait"). `name` is a
    shortest way to it from a package-level variable, or else from one who waits; `held_by` are
    variables by which goroutines have it, `holders` the same as facts, those first who do not wait
    on it themselves, and `more_holders` how many are left out. `owners` are goroutines that have
    locked it, or have to call Done. In a group, `count` goroutines wait on it.

    A timer, or one that a channel has, `fires_in_us` microseconds. A descriptor is the kernel's
    number, `local` and `remote` what it leads to. A system call is told as `call`; `why` says what
    could not be told.
    """

    kind: str
    address: Address | UnsetType = UNSET
    operation: str = ""
    type: str = ""
    name: str = ""
    state: str = ""
    length: int | UnsetType = UNSET
    capacity: int | UnsetType = UNSET
    fires_in_us: int | UnsetType = UNSET
    every_us: int | UnsetType = UNSET
    descriptor: int | UnsetType = UNSET
    local: str = ""
    remote: str = ""
    call: str = ""
    why: str = ""
    held_by: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()
    more_holders: int = 0
    owners: tuple[Owner, ...] = ()
    count: int = 0


class Deadlock(msgspec.Struct, frozen=True, omit_defaults=True):
    """Goroutines each of which waits for what only the others could end: nothing else that can run
    leads to what they wait on, or they have locked it. `steps` say it of each in turn. `possible`:
    it is not certain of each that it has what the one before it waits for."""

    goroutines: tuple[int, ...]
    steps: tuple[str, ...]
    possible: bool = False


class Creation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where so many goroutines of a group were made: the `go` statement, or its function alone."""

    count: int
    function: str
    file: str = ""
    line: int = 0


class TypeHeld(msgspec.Struct, frozen=True):
    """Objects of one type; "?" where that is not known."""

    type: str
    objects: int
    bytes: int


class LeakSummary(msgspec.Struct, frozen=True):
    """How many goroutines are `leaked`, of so many `blocked` ones that only others could wake, and
    of how many that cannot be told (`undecided`).

    `retained_bytes` of `retained_objects` are kept from being collected by them alone, of these
    `types`, most bytes first; their stacks take `stack_bytes` more. `main_waits`: the main
    goroutine can never run again, either, which is how a program stays, and is not counted.
    """

    blocked: int
    leaked: int
    undecided: int
    retained_objects: int
    retained_bytes: int
    stack_bytes: int
    types: tuple[TypeHeld, ...] = ()
    main_waits: bool = False


class GoroutineState(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A goroutine. `function` is where it stands; `waiting_us` how long it has been blocked, where
    the runtime noted it; `thread` the kernel's id of the thread that runs it, 0 for none.
    `created_by` is the function whose `go` statement made it, `created_at` where that stands.
    `labels` are its pprof labels, in text as Go would quote it; `why_no_labels` says why they are
    not told where it has some. With --leaked: whether it is `leaked`, and why; or why that cannot
    be told (`why_undecided`); and what it `waits_on`. With --locals its frames have variables, or
    `why_no_locals` says why not."""

    id: int
    status: str
    wait_reason: str
    function: str
    created_by: str
    stack: StackUse
    thread: int
    system: bool
    locked: bool = False
    parent: int = 0
    created_at: CallSite | UnsetType = UNSET
    waiting_us: int | UnsetType = UNSET
    frames: tuple[CallSite, ...] | UnsetType = UNSET
    frames_end: str | UnsetType = UNSET
    labels: dict[str, str] = {}
    why_no_labels: str = ""
    why_no_locals: str = ""
    leaked: bool = False
    why_leaked: str = ""
    why_undecided: str = ""
    waits_on: tuple[WaitsOn, ...] = ()


class GoroutineGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """Goroutines with the same status and stack, largest group first.

    `frames_end` says why the walk of the stack ended before its beginning: what lies there may
    differ. With --leaked: `why` each is leaked, or why that cannot be told (`leaked` is false);
    `waits_on` of any of them, most first, `more_waits_on` are left out; `retained_bytes` are kept
    by these, and perhaps by other leaked ones, alone; their stacks take `stack_bytes`."""

    count: int
    status: str
    wait_reason: str
    ids: tuple[int, ...]
    frames: tuple[CallSite, ...]
    frames_end: str | UnsetType = UNSET
    created: tuple[Creation, ...] = ()
    least_waiting_us: int | UnsetType = UNSET
    most_waiting_us: int | UnsetType = UNSET
    leaked: bool = False
    why: str = ""
    waits_on: tuple[WaitsOn, ...] = ()
    retained_bytes: int | UnsetType = UNSET
    stack_bytes: int = 0
    more_waits_on: int = 0


class Crash(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Why a core's process ended. `kind` is "panic", "fatal error" (so the runtime calls what it
    ends a program for) or "signal"; `message` what the panic or error says, of panics the last one,
    and `earlier` those that were not over yet. `goroutine` is the one (0: none, or not known).
    `signal` is what the panic was made of, or came without one ("SIGSEGV"), `address` what that is
    about; `ended_by` is the signal that the process ended with."""

    kind: str
    message: str = ""
    earlier: tuple[str, ...] = ()
    goroutine: int = 0
    signal: str = ""
    address: Address | UnsetType = UNSET
    ended_by: str = ""


class GoroutinesReport(Report, frozen=True, kw_only=True):
    """`snapshot` is "fork" where a copy-on-write child of the process was read, else "stop".

    With --leaked the `goroutines` are those that are leaked and those of which that cannot be told.
    With --waits `deadlocks` are goroutines that wait for each other. `chosen` says by what the
    goroutines were chosen, of `every` one that there is. With --contention where goroutines have
    waited since the start, as far as the runtime was asked to note it. `notes` say of what there
    was too much to look at all of it. `crash` says why the process of a core ended.
    """

    pause_us: int
    goroutines: tuple[GoroutineState, ...]
    groups: tuple[GoroutineGroup, ...] = ()
    dead: int = 0
    unreadable: int = 0
    snapshot: str = "stop"
    leaks: LeakSummary | UnsetType = UNSET
    deadlocks: tuple[Deadlock, ...] | UnsetType = UNSET
    chosen: str = ""
    every: int | UnsetType = UNSET
    contention: Contention | UnsetType = UNSET
    notes: tuple[str, ...] = ()
    crash: Crash | UnsetType = UNSET
    schema: str = GOROUTINES_SCHEMA
