"""Every field, constant and global of Go's runtime that goprobe reads, declared in one place.

Names are those of src/runtime in Go 1.21 to 1.27; `scripts/check-runtime` holds this table against
each toolchain. A trailing "?" marks what not every release has: a strategy is chosen by whether it
is there. "a|b" are the names of one thing in different releases.
"""

from __future__ import annotations

_G = (
    "stack.lo stack.hi m sched.sp sched.pc sched.bp syscallsp syscallpc syscallbp? "
    "atomicstatus goid waitsince waitreason lockedm parentGoid gopc startpc _panic _defer param "
    "waiting timer? labels sig sigcode1 "
    "runningCleanups?"
)
_MODULE = (
    "pcHeader funcnametab cutab filetab pctab pclntable ftab findfunctab minpc maxpc text etext "
    "noptrdata enoptrdata data edata bss ebss noptrbss enoptrbss covctrs ecovctrs end "
    "types etypes rodata gofunc epclntab? typelinks? typedesclen? "
    "pluginpath modulename gcdatamask.n gcdatamask.bytedata "
    "gcbssmask.n gcbssmask.bytedata bad next"
)

_SCHEDULER = (
    "mnext nmfreed ngsys gFree.n? gFree.stack.size? gFree.noStack.size? runqsize? runq.size? "
    "nGsyscallNoP? goroutinesCreated? totalMutexWaitTime totalRuntimeLockWaitTime? timeToRun "
    "stwTotalTimeGC? stwTotalTimeOther? stwStoppingTimeGC? stwStoppingTimeOther? "
    "npidle nmidle nmspinning"
)

STRUCTS: dict[str, tuple[str, ...]] = {
    name: tuple(paths.split())
    for name, paths in {
        # mheap.go
        "mspan": "next startAddr npages freeindex nelems allocBits gcmarkBits "
        "sweepgen allocCount allocCountBeforeCache? spanclass state needzero "
        "isUserArenaChunk elemsize limit specials largeType?",
        "mheap": "allspans arenas sweepgen pagesInUse "
        "allArenas? heapArenas? "
        "userArenaArenas? pages.summary pages.chunks "
        "pages.scav.index.chunks?",
        "heapArena": "spans bitmap? noMorePtrs? pageUseSpanInlineMarkBits?",
        "special": "next offset kind",
        "specialfinalizer": "fn ot",
        "specialCleanup?": "fn? cleanup?",
        "specialWeakHandle?": "handle",
        "specialprofile": "b",
        "spanInlineMarkBits?": "marks? class?",
        # mfixalloc.go, malloc.go, mcache.go, mheap.go
        "gcBitsArena": "free next",
        # mfinal.go, mcleanup.go
        "finBlock|finblock": "alllink cnt fin",
        "finalizer": "fn arg",
        "cleanupBlock?": "cleanupBlockHeader.alllink cleanupBlockHeader.n cleanups",
        "cleanupFn?": "call fn arg",
        "cleanupQueue?": "all queued? executed?",
        # runtime2.go
        "g": _G,
        "_defer": "heap fn link _panic?",
        "_panic": "arg link recovered goexit",
        "m": "g0 gsignal curg procid id alllink p vdsoSP vdsoPC ncgocall dying "
        "mLockProfile.waitTime?",
        "p": "id status m mcache runqhead runqtail runnext gFree.n? gFree.size? "
        "goroutinesCreated? cleanupsQueued? pcache "
        "numTimers? deletedTimers? timers.len? timers.zombies?",
        "schedt": _SCHEDULER,
        "sudog": "g next prev elem? c? waitlink",
        # mprof.go
        "bucket": "allnext typ hash size nstk",
        "memRecord": "active future",
        "memRecordCycle": "allocs frees",
        "blockRecord": "count cycles",
        # runtime.go
        "ticksType?": "val startTicks? startTime?",
        # chan.go, map.go, internal/runtime/maps
        "hchan": "qcount dataqsiz buf elemsize closed? timer? elemtype recvq.first recvq.last "
        "sendq.first sendq.last",
        # time.go, netpoll.go
        "timer?": "when period f arg isFake?",
        "pollDesc?": "fd rg wg",
        "hmap?": "count flags B buckets oldbuckets extra",
        "internal/runtime/maps.Map?": "dirPtr dirLen",
        "internal/runtime/maps.table?": "groups.data",
        # runtime/pprof/label.go, internal/runtime/pprof/label
        "internal/runtime/pprof/label.Set|runtime/pprof.labelMap?": "List? LabelSet.list?",
        # mstats.go, mgc.go
        "mstats?": "heapStats? numgc pause_total_ns stacks_sys mspan_sys mcache_sys buckhash_sys "
        "gcMiscSys other_sys last_gc_unix pause_ns pause_end numforcedgc gc_cpu_fraction "
        "gcPauseDist?",
        "heapStatsDelta?": "inStacks inWorkBufs inPtrScalarBits? smallAllocCount smallFreeCount "
        "largeAllocCount largeFreeCount committed released inHeap tinyAllocCount largeAlloc "
        "largeFree",
        "workType": "cpuStats",
        "sweepdata?": "active.state",
        # mgcpacer.go, mgclimit.go
        "gcControllerState": "gcPercent memoryLimit gcPercentHeapGoal sweepDistMinTrigger "
        "triggered heapScan lastStackScan globalsScan heapMarked heapInUse heapReleased "
        "heapFree totalAlloc totalFree mappedReady",
        "gcCPULimiterState": "lastEnabledCycle",
        # mcache.go; what of mheap lies far behind the rest of it is read by itself
        "mcache": "tinyAllocs alloc stackcache",
        "fixedAllocators|mheap": "spanalloc.inuse cachealloc.inuse",
        # internal/godebug/godebug.go, internal/godebugs/table.go
        "internal/godebug.Setting?": "name setting",
        "internal/godebug.setting?": "nonDefault",
        "internal/godebugs.Info?": "Name Opaque",
        "godebugInc?": "inc",
        # histogram.go
        "timeHistogram": "counts underflow overflow",
        # symtab.go
        "moduledata": _MODULE,
        # internal/abi/type.go
        "internal/abi.Type": "Size_ PtrBytes TFlag Kind_ GCData Str",
        "internal/abi.MapType|internal/abi.SwissMapType|internal/abi.OldMapType": "Key Group? "
        "Bucket?",
    }.items()
}

CONSTANTS: tuple[str, ...] = (
    # malloc.go
    "arenaBaseOffsetUintptr", "heapArenaBytes", "arenaL1Bits", "arenaL2Bits",
    "_PageSize|internal/runtime/gc.PageSize", "tinySpanClass",
    "minSizeForMallocHeader|internal/runtime/gc.MinSizeForMallocHeader",
    "mallocHeaderSize|internal/runtime/gc.MallocHeaderSize",
    # mheap.go
    "mSpanDead", "mSpanInUse", "mSpanManual", "_KindSpecialFinalizer", "_KindSpecialCleanup",
    "_KindSpecialWeakHandle", "_KindSpecialProfile",
    # mpagealloc.go
    "pallocChunkPages", "pallocChunksL1Bits", "pallocChunksL2Bits", "summaryLevels",
    # runtime2.go
    "_Gidle", "_Grunnable", "_Grunning", "_Gsyscall", "_Gwaiting", "_Gdead", "_Gcopystack",
    "_Gpreempted", "_Gleaked", "_Gdeadextra", "_Gscan",
    # internal/abi/type.go
    "internal/abi.TFlagDirectIface", "internal/abi.TFlagGCMaskOnDemand",
)  # fmt: skip

ROOTS: tuple[str, ...] = (
    "mheap_", "allgs", "allm", "firstmoduledata", "gcBitsArenas", "persistentChunks",
    "stackpool", "waitReasonStrings", "sched", "zerobase", "g0", "memstats",
    "work", "sweep", "allfin", "maxstacksize",
    "noptrdata", "iscgo", "gcCleanups", "buckhash",
    "gcController", "scavenge", "gcCPULimiter", "allp", "ncgocall",
    "startingStackSize", "extraMInUse", "extraMLength", "finqueued", "finexecuted", "gcphase",
    "mbuckets", "bbuckets", "xbuckets", "mProfCycle", "MemProfileRate", "blockprofilerate",
    "mutexprofilerate", "ticks", "profMemActiveLock", "profBlockLock",
)  # fmt: skip
