"""What is known of a site when it is judged: the code, the run, and what its calls made."""

from __future__ import annotations

import msgspec

from goprobe.analysis.escape.codeplaces import Static
from goprobe.model.escape import Outcome, Prediction
from goprobe.runtime.allocatorcalls import Allocator, Family


class CallEvidence(msgspec.Struct, frozen=True):
    """A call into the allocator: how often it ran, and where the inspected results lay.

    `inspected` is how many results were looked at. `made` is how many objects were allocated in
    these calls, `bytes` what they asked for in all, and `on_g0` how many more were made on the
    thread's own stack, all counted.
    """

    allocator: Allocator
    hits: int = 0
    inspected: int = 0
    outcomes: tuple[Outcome, ...] = ()
    made: int = 0
    bytes: int = 0
    on_g0: int = 0


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a site.

    `ran`: the program was run (else only the code speaks). `code`: the line has machine code;
    `alive`: so has its function. `witnessed`: executions at which memory of the site's own was seen
    in the frame, out of `executed`, of which `least` are its own (-1: all); `taken` is false where
    code only uses that part of the frame; `saved`: which may all be registers', put by; `line_ran`:
    some code of its line (where it has none, of its function) was seen to run; `line_shown` is
    false where the line may run without its code. `in_part`: other memory of the line's frame was
    never used, and `sharing` sites may be meant by what was; where the line itself uses none, that
    of the line `below` was looked at. `elsewhere` are the places into which the function was
    inlined. `dangling` are pointers into stacks that must not be. `temporary`: a string made of
    bytes, in passing. `wrapper`: the closure of a go or defer statement. `foreign`: of a package
    whose predictions were not asked for. `unseen` says why the run did not show everything;
    `looked` is after how many executions nobody looks any more. `together` are calls for other
    sites that made this one's memory as well. `boxed` are the parts of a map that are too large to
    lie in it. `alike`: its calls may be another's of its line, or another's its own.
    """

    prediction: Prediction
    families: frozenset[Family]
    calls: tuple[CallEvidence, ...] = ()
    statics: tuple[Static, ...] = ()
    ran: bool = True
    code: bool = True
    alive: bool = True
    parameter: bool = False
    leaks: bool = False
    global_: bool = False
    zero_copy: bool = False
    temporary: bool = False
    wrapper: bool = False
    foreign: bool = False
    witness: bool = False
    witnessed: int = 0
    executed: int = 0
    least: int = -1
    taken: bool = True
    saved: bool = False
    in_part: bool = False
    sharing: int = 1
    below: int = 0
    line_ran: bool = False
    line_shown: bool = True
    elsewhere: tuple[str, ...] = ()
    dangling: tuple[str, ...] = ()
    unseen: str = ""
    looked: int = 0
    limits: tuple[str, ...] = msgspec.field(default=())
    together: tuple[CallEvidence, ...] = ()
    boxed: str = ""
    alike: bool = False

    @property
    def all_calls(self) -> tuple[CallEvidence, ...]:
        return self.calls or self.together

    @property
    def main_calls(self) -> tuple[CallEvidence, ...]:
        """Those that make the thing itself, not the entries of a map literal."""
        main = tuple(c for c in self.calls if c.allocator.family is not Family.ASSIGN)
        return main or self.calls or self.together

    @property
    def hits(self) -> int:
        return sum(c.hits for c in self.main_calls)

    @property
    def made(self) -> int:
        """Objects allocated, for the entries of a map literal too."""
        return sum(c.made for c in self.all_calls)

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for call in self.main_calls for outcome in call.outcomes]
