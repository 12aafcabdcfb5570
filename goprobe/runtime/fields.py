"""Every field, constant and global of Go's runtime that goprobe reads, declared in one place.

Names are those of src/runtime in Go 1.21 to 1.27; `scripts/check-runtime` holds this table against
each toolchain. A trailing "?" marks what not every release has: a strategy is chosen by whether it
is there. "a|b" are the names of one thing in different releases.
"""

from __future__ import annotations

_G = (
    "stack.lo stack.hi m sched.sp sched.pc sched.bp sched.ctxt syscallsp syscallpc syscallbp? "
    "atomicstatus goid waitsince waitreason lockedm parentGoid gopc startpc _panic _defer param "
    "waiting schedlink timer? labels ancestors "
    "runningCleanups?"
)
_MODULE = (
    "pcHeader funcnametab cutab filetab pctab pclntable ftab findfunctab minpc maxpc text etext "
    "noptrdata enoptrdata data edata bss ebss noptrbss enoptrbss covctrs ecovctrs end gcdata gcbss "
    "types etypes rodata gofunc epclntab? textsectmap typelinks? itablinks? typedesclen? "
    "itaboffset? itabsize? pluginpath modulename hasmain gcdatamask.n gcdatamask.bytedata "
    "gcbssmask.n gcbssmask.bytedata bad next"
)

STRUCTS: dict[str, tuple[str, ...]] = {
    name: tuple(paths.split())
    for name, paths in {
        # mheap.go
        "mspan": "next startAddr npages manualFreeList freeindex nelems allocBits gcmarkBits "
        "pinnerBits? sweepgen allocCount allocCountBeforeCache? spanclass state needzero "
        "isUserArenaChunk elemsize limit specials largeType? freeIndexForScan",
        "mheap": "allspans arenas sweepgen pagesInUse arenaHints spanalloc cachealloc "
        "specialfinalizeralloc specialprofilealloc arenaHintAlloc allArenas? heapArenas? "
        "userArenaArenas? curArena.base curArena.end pages.summary pages.chunks pages.start "
        "pages.end pages.inUse pages.scav.index.chunks? heapArenaAlloc.next heapArenaAlloc.end",
        "heapArena": "spans pageInUse pageSpecials bitmap? noMorePtrs? pageUseSpanInlineMarkBits? "
        "zeroedBase",
        "arenaHint": "addr down next",
        "special": "next offset kind",
        "specialfinalizer": "special.next special.offset special.kind fn fint ot",
        "specialCleanup?": "special.next fn? cleanup?",
        "specialWeakHandle?": "special.next handle",
        "spanInlineMarkBits?": "scans? marks? owned? class?",
        # mfixalloc.go, malloc.go, mcache.go, mheap.go
        "fixalloc": "size list chunk nchunk inuse",
        "persistentAlloc": "base off",
        "gcBitsArena": "free next",
        "mcache": "tiny tinyoffset alloc stackcache",
        "stackfreelist": "list size",
        # mfinal.go, mcleanup.go
        "finBlock|finblock": "alllink cnt fin",
        "finalizer": "fn arg",
        "cleanupBlock?": "cleanupBlockHeader.alllink cleanupBlockHeader.n cleanups",
        "cleanupFn?": "call fn arg",
        "cleanupQueue?": "all",
        # runtime2.go
        "g": _G,
        "_defer": "heap fn link _panic?",
        "m": "g0 gsignal curg procid id alllink p lockedg ncgo incgo isextra vdsoSP vdsoPC",
        "p": "id status m mcache palloc.base palloc.off",
        "sudog": "g next prev elem? c? waitlink",
        "itab|internal/abi.ITab": "",
        # chan.go, map.go, internal/runtime/maps
        "hchan": "qcount dataqsiz buf elemsize elemtype recvq.first recvq.last sendq.first "
        "sendq.last",
        "hmap?": "buckets oldbuckets extra",
        "mapextra?": "overflow oldoverflow nextOverflow",
        "internal/runtime/maps.Map?": "dirPtr dirLen",
        "internal/runtime/maps.table?": "groups.data",
        "schedt": "gFree.stack? gFree.noStack?",
        # mstats.go
        "mstats?": "heapStats? numgc pause_total_ns",
        "heapStatsDelta?": "inStacks inWorkBufs inPtrScalarBits? smallAllocCount smallFreeCount "
        "largeAllocCount largeFreeCount",
        # symtab.go
        "moduledata": _MODULE,
        # internal/abi/type.go
        "internal/abi.Type": "Size_ PtrBytes Hash TFlag Kind_ GCData Str PtrToThis",
        "internal/abi.MapType|internal/abi.SwissMapType|internal/abi.OldMapType": "Key Elem Group? "
        "Bucket?",
    }.items()
}

CONSTANTS: tuple[str, ...] = (
    # malloc.go
    "arenaBaseOffsetUintptr", "heapArenaBytes", "pagesPerArena", "arenaL1Bits", "arenaL2Bits",
    "_PageSize|internal/runtime/gc.PageSize", "tinySpanClass",
    "minSizeForMallocHeader|internal/runtime/gc.MinSizeForMallocHeader",
    "mallocHeaderSize|internal/runtime/gc.MallocHeaderSize",
    # mheap.go
    "mSpanDead", "mSpanInUse", "mSpanManual", "_KindSpecialFinalizer", "_KindSpecialCleanup",
    "_KindSpecialWeakHandle", "_KindSpecialProfile", "_KindSpecialReachable",
    "_KindSpecialPinCounter",
    # mpagealloc.go
    "pallocChunkPages", "pallocChunksL1Bits", "pallocChunksL2Bits", "summaryLevels",
    # runtime2.go
    "_Gidle", "_Grunnable", "_Grunning", "_Gsyscall", "_Gwaiting", "_Gdead", "_Gcopystack",
    "_Gpreempted", "_Gleaked", "_Gdeadextra", "_Gscan",
    # internal/abi/type.go
    "internal/abi.TFlagDirectIface", "internal/abi.TFlagGCMaskOnDemand",
    # stack.go
    "fixedStack", "stackMin", "_NumStackOrders",
)  # fmt: skip

ROOTS: tuple[str, ...] = (
    "mheap_", "allgs", "allm", "allp", "firstmoduledata", "gcBitsArenas", "persistentChunks",
    "stackpool", "stackLarge", "waitReasonStrings", "sched", "zerobase", "m0", "g0", "memstats",
    "work", "finq", "allfin", "globalAlloc", "maxstacksize", "class_to_size", "buildVersion",
    "noptrdata", "iscgo", "gcCleanups", "buckhash",
)  # fmt: skip
