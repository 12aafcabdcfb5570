"""The runtime's globals that its own code shows, in a binary without symbols.

What waits in a queue may be nothing when a process is looked at, so that memory shows no queue;
but the functions that use one are there in every program, and named by its line table. Addresses
are link-time addresses.
"""

from __future__ import annotations

from goprobe.arch.machinecode import references
from goprobe.arch.machinefacts import Constant
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import UnreadableError
from goprobe.runtime.layout.layout import Layout


class CodedRoots:
    """What the functions of one binary say."""

    def __init__(self, elf: ElfFile, lines: LineTable) -> None:
        self._elf = elf
        self._lines = lines

    def queues(self, layout: Layout) -> dict[str, int]:
        """The queues of finalizers and of cleanups that wait to run: those found beyond doubt.

        markroot (mgcmark.go, Go 1.21 to 1.27) reads the head of either. queuefinalizer (mfinal.go)
        uses no other word that markroot reads: the mask that both use is an array, whose address
        is taken. freeSpecial (mheap.go, Go 1.25 on) takes the cleanup queue's address to call its
        enqueue.
        """
        marks = self._references("runtime.markroot")
        heads = {address for address, _ in marks} - {address for address, taken in marks if taken}
        by_name = {"allfin": heads & self.used("runtime.queuefinalizer")}
        if layout.has("cleanupQueue", "all"):
            head = layout.offset("cleanupQueue", "all")
            queues = self.taken("runtime.freeSpecial")
            by_name["gcCleanups"] = {queue for queue in queues if queue + head in heads}
        return {name: next(iter(heads)) for name, heads in by_name.items() if len(heads) == 1}

    def profiles(self) -> dict[str, int]:
        """What profiles hang on (mprof.go, Go 1.21 to 1.27): those found beyond doubt.

        stkbucket takes the addresses of the heads of all lists of buckets; what walks through one
        of them reads it. schedinit turns sampling off (proc.go), profilealloc reads how often to
        sample (malloc.go). The cycle is the only word that those who count by it read together.
        semacquire1 (sema.go) reads how much of either kind of waiting is to be counted. Locks are
        taken by their addresses: one by who publishes counts, beside that of a cycle, which those
        who count take, too; another by who notes a wait, and by who reads what was noted.
        """
        heads = self.taken("runtime.stkbucket")
        counting = self._taken_by_any("mProf_Malloc", "mProf_Free")
        noting = self._taken_by_any("saveBlockEventStack", "saveblockevent")
        by_name = {
            "mbuckets": heads & self.used("runtime.mProf_FlushLocked"),
            "bbuckets": heads & self._used_by_any("blockProfileInternal", "BlockProfile"),
            "xbuckets": heads & self._used_by_any("mutexProfileInternal", "MutexProfile"),
            "mProfCycle": self._read("mProf_Malloc") & self._read("mProf_Free"),
            "MemProfileRate": self._read("profilealloc") & self._read("schedinit"),
            "blockprofilerate": self._read("blockevent"),
            "mutexprofilerate": self._read("semacquire1") - self._read("blockevent"),
            "profMemActiveLock": self.taken("runtime.mProf_Flush")
            - counting
            - self._read("mProf_Malloc"),
            "profBlockLock": noting & self._taken_by_any("blockProfileInternal", "BlockProfile"),
        }
        return {name: next(iter(at)) for name, at in by_name.items() if len(at) == 1}

    def _used_by_any(self, *functions: str) -> set[int]:
        """What functions of the runtime use. Since Go 1.23 the first of two does the work."""
        return set().union(*(self.used(f"runtime.{name}") for name in functions))

    def _taken_by_any(self, *functions: str) -> set[int]:
        return set().union(*(self.taken(f"runtime.{name}") for name in functions))

    def _read(self, function: str) -> set[int]:
        """What a function of the runtime uses without taking its address."""
        references = self._references(f"runtime.{function}")
        taken = {address for address, register in references if register}
        return {address for address, _ in references} - taken

    def used(self, function: str) -> set[int]:
        """The static addresses that a function uses; none where it has no code."""
        return {address for address, _ in self._references(function)}

    def taken(self, function: str) -> set[int]:
        """Those that it takes as addresses."""
        return {address for address, register in self._references(function) if register}

    def _references(self, function: str) -> list[tuple[int, str]]:
        try:
            about = self._lines.function_named(function)
        except UnreadableError:
            about = None
        if about is None:
            return []
        code = self._elf.read(about.entry, about.end - about.entry)
        used = references(code, about.entry)
        return [(r.what.value, r.register) for r in used if isinstance(r.what, Constant)]
