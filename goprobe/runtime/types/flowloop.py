"""The flow of types along pointers, edge by edge: what is certain, and nothing contradicts.

All else is put aside for `inference`, which decides what says more.
"""

from __future__ import annotations

from goprobe.compiled import Row, loop
from goprobe.runtime.heap.beside import BYTE_SET, NOUGHT, SECOND, STATIC

# Of shapes: what the loop may do with them.
UNREAD, READY, GENERIC = 0, 1, 2

# Rules as shape.Rule has them: numba compiles no enumerations.
_NOTHING, _ONE, _ARRAY, _ANY, _EFACE, _IFACE, _FUNC = 0, 1, 2, 3, 4, 5, 6
_DIRECTORY, _TRIE, _SLICE, _TEXT, _CHAN, _REFLECTED = 7, 8, 9, 10, 11, 12
NO_OFFSET = (1 << 32) - 1  # as analysis/heap/nodes.py has it
_TINY = 16  # maxTinySize, runtime/malloc.go, Go 1.21 to 1.27
INDIRECT = 1 << 7  # flagIndir, src/reflect/value.go, Go 1.21 to 1.27
LEADS, IS = 2, 4
"""Added to the type of a reflect.Value's pointer: it leads to the value, or is one itself."""
_ABSENT = NOWHERE = -1
LONGEST = 1 << 31
"""Nothing is said of parts that reach further into an object (bytes)."""
LONG, TOLD, LIKE = 1 << 20, 20, 42
"""A key of `held`: what an object is like, the part's shape, how far into the object (less than
LONG), from these bits on."""
_MANY = 64  # pointers of a node, for which a shape is read at once

# What stands in tables: what is wanted together lies together, and a loop of fewer arrays is
# compiled sooner.
LEAD, ROOM, BELOW, NOSCAN, SLOT, SPAN_BASE = range(6)
OF_SPAN = 8
"""Of each span (see HeapView)."""
KIND, SIZE, LENGTH, POINTERS, BEGIN, COUNT, ONE_PART, OTHER_PART, COVERS = range(9)
OF_SHAPE = 9
"""Of each shape: what the loop may do with it, its size, its words where it is an array, whether it
has pointers, where its rules begin, and how many there are. Of a Swiss map's table its directory
and its groups, of a trie's node its inner nodes and entries. How far parts may reach into an object
of that shape without telling more of it."""
EDGE, SOURCE, RULE, SHAPE = range(4)
OF_ASIDE = 4
ARRAY_SHAPE, ARRAY_NODE, ARRAY_INTO, ARRAY_LENGTH = range(4)
OF_ARRAY = 4
"""Of what was put aside, of what slices reach, and of parts."""
LARGEST = 1 << 47  # user space of x86-64: nothing is longer


@loop
def flow(
    state: Row, queue: Row, later: Row, most: int, patient: int, n: int, ahead: int,
    first: Row, offset: Row, target: Row, into: Row,
    span: Row, base: Row, shape: Row, sure: Row, extent: Row,
    spans: Row, start: Row, words: Row, there: Row, page_bits: int, element_at: int,
    shapes: Row, rules: Row, known: Row, told_by: Row, aside: Row, arrays: Row,
    part_shape: Row, part_into: Row, part_length: Row, like: Row, held: Row, made_of: Row,
    parts: Row, naming: int, notes: Row, heads: Row, static: Row,
) -> int:  # fmt: skip
    """Follows the pointers of the nodes in `queue`, and of what gets a shape on the way.

    Ends when nothing is left, when more than `most` wait, or where there is no room for what the
    next edge, state[5], leads to. `shapes`, `spans`, `aside` and `arrays` are tables (see above);
    `rules` has two numbers of each word: the rule, and which shape. `known` are words that tell a
    type, ascending: first words of interfaces (itabs with the lowest bit set), types of
    reflect.Values (with the second bit set where these lead to a value, the third where they are
    one), and the complements of closures' code and of channels' elements; each one's rule, shape,
    and whether that is certain, are in `told_by`. Where objects are `like` each other, `held` tells
    of parts what they make of objects of which nothing else is known (see `heldparts`): `made_of`
    has each part's length, and the whole. Such parts are followed at once. Where a pointer leads
    to a part of an object that is of no shape yet, or of one that `COVERS` it, that is all that it
    tells: such parts are written to `parts` (rows as of `arrays`), state[9] of them, unless types
    of generic code are `naming` objects, too. `notes`, `heads` and `static` say what stands beside
    pointers (see `beside`): other words are looked up. Ends, too, where a word is wanted that is
    not `there`, or a node of many edges wants a shape that was not read: state[4] is the word's
    place then, state[6] the shape (else NOWHERE), and state[5] the
    edge to go on with. Nodes from the place `patient` in the queue on that want a word of their
    own, and have not very many edges, are put into `later` instead, behind state[7] others.

    Of so many edges `ahead` what is known of their targets is looked at first, all at once:
    memory has it in the time of one.
    """
    head, tail, asides, reached = state[0], state[1], state[2], state[3]
    at_edge, missing, unread, put_off, full = state[5], _ABSENT, _ABSENT, state[7], False
    most_aside, most_reached, seen = len(aside) // OF_ASIDE, len(arrays) // OF_ARRAY, 0
    noted, most_noted = state[9], len(parts) // OF_ARRAY
    while head < tail and tail - head <= most and missing < 0 and unread < 0 and not full:
        node = queue[head]
        edges, begins_at = first[node + 1] - first[node], max(at_edge, first[node])
        at_edge = _ABSENT
        head += 1
        own, skipped = shape[node], 0
        if own == 0 and node < n and len(like) > 0:
            own, skipped = part_shape[node], part_into[node] >> 3
        own_length = shapes[own * OF_SHAPE + LENGTH]
        words_before, place, last, of_own = 0, _ABSENT, LARGEST, False
        if node < n:
            at_span = span[node]
            about = at_span * OF_SPAN
            words_before = spans[about + LEAD] >> 3
            if start[at_span] != _ABSENT:
                place = start[at_span] + ((base[node] - spans[about + SPAN_BASE]) >> 3)
            words_before += skipped
            if shape[node] == 0:
                last = 0
                if own_length > 0 and part_into[node] & 7 == 0:
                    last = (part_length[node] >> 3) // own_length * own_length
            elif own_length > 0:  # behind the last value for which there is room there is none
                last = (spans[about + ROOM] >> 3) // own_length * own_length
        if own == 0 or shapes[own * OF_SHAPE + KIND] == UNREAD:
            continue
        rule_at, rule_count = shapes[own * OF_SHAPE + BEGIN], shapes[own * OF_SHAPE + COUNT]
        for edge in range(begins_at, min(begins_at + ahead, first[node + 1])):
            to = target[edge]
            if to < n:
                seen += shape[to]
                if shape[to] == 0:
                    seen += sure[to] + span[to] + extent[to]
        for edge in range(begins_at, first[node + 1]):
            if (
                asides == most_aside or reached == most_reached
                or noted == most_noted or tail == len(queue)
            ):  # fmt: skip
                full = True
                break
            to, word = target[edge], offset[edge]
            if to >= n or word == NO_OFFSET or word < words_before:
                continue
            at = word - words_before
            if at >= last:
                continue
            if own_length > 0:
                at %= own_length
            if at >= rule_count:
                continue
            rule, told = rules[2 * (rule_at + at)], rules[2 * (rule_at + at) + 1]
            if rule == _NOTHING or (rule == _ONE and shape[to] == told and into[edge] == 0):
                continue
            if sure[to]:
                continue
            asked, wanted = rule, told
            at_span = span[to]
            about = at_span * OF_SPAN
            inside = into[edge] - spans[about + LEAD]
            slot, room = spans[about + SLOT], spans[about + ROOM]
            noscan = spans[about + NOSCAN] != 0
            certain = rule in (_ANY, _ARRAY)
            put_aside, taken, long = False, False, 0

            # Words that tell what the pointer means, perhaps one after the other: an interface's
            # that holds a function, and that function's code.
            nothing, asks = False, True
            while asks and not put_aside:
                asks, key, note = False, 0, notes[edge]
                if rule in (_EFACE, _IFACE) and note >= STATIC:
                    key = static[note - STATIC]
                    if rule == _IFACE:
                        key |= 1
                elif rule == _DIRECTORY and 0 < note < STATIC:
                    key = 0 if note & NOUGHT else 1
                elif rule in (_EFACE, _IFACE, _REFLECTED, _DIRECTORY):
                    before, behind = place + word - 1, place + word + 1
                    if place == _ABSENT or word == 0 or behind >= len(words):
                        put_aside = True
                        break
                    if not (there[before >> page_bits] and there[behind >> page_bits]):
                        missing, of_own = behind if there[before >> page_bits] else before, True
                        break
                    key = words[before]
                    if rule == _DIRECTORY:
                        key = words[behind]
                    elif key & 7 != 0 or (key == 0 and rule == _REFLECTED):
                        put_aside = True  # no address of a type, or of an itab
                    elif key == 0:
                        nothing = True
                        break
                    elif rule == _IFACE:
                        key |= 1
                    elif rule == _REFLECTED:
                        key |= LEADS if words[behind] & INDIRECT else IS
                elif rule in (_FUNC, _CHAN, _TRIE):
                    behind = spans[about + LEAD] + (element_at if rule == _CHAN else 0)
                    if rule != _TRIE and (inside != 0 or behind + 8 > slot):
                        nothing = True
                        break
                    word_first = heads[to]
                    if rule != _CHAN and behind == 0 and 0 < word_first <= STATIC:
                        key = ~static[word_first - 1]
                    elif rule == _TRIE and behind == 0 and word_first > STATIC:
                        key = ~1 if word_first == BYTE_SET else ~0
                    elif start[at_span] == _ABSENT:
                        put_aside = True
                        break
                    else:
                        begins = base[to] - spans[about + SPAN_BASE] + behind
                        begins = start[at_span] + (begins >> 3)
                        if not there[begins >> page_bits]:
                            missing = begins
                            break
                        key = ~words[begins]
                else:
                    break
                if rule in (_DIRECTORY, _TRIE):
                    part = told * OF_SHAPE + ONE_PART
                    put_aside = part >= len(shapes) or shapes[part] == 0
                    if not put_aside:
                        other = key == 0 if rule == _DIRECTORY else ~key & 0xFF != 0
                        certain = rule == _DIRECTORY and not other
                        rule = _ARRAY if certain else _ONE
                        told = shapes[told * OF_SHAPE + OTHER_PART] if other else shapes[part]
                    break
                low, high = 0, len(known)
                while low < high:
                    middle = (low + high) >> 1
                    if known[middle] < key:
                        low = middle + 1
                    else:
                        high = middle
                if put_aside or low >= len(known) or known[low] != key:
                    put_aside = True
                else:
                    rule, told = told_by[3 * low], told_by[3 * low + 1]
                    certain = told_by[3 * low + 2] != 0
                    nothing = rule == _NOTHING
                    asks = rule in (_FUNC, _CHAN)
            if missing >= 0:
                break
            if nothing:
                continue

            # What it says of its target.
            if not put_aside:
                if told == 0:
                    continue
                is_read = told * OF_SHAPE < len(shapes)
                kind = shapes[told * OF_SHAPE + KIND] if is_read else UNREAD
                if edges > _MANY and kind == UNREAD:
                    unread = told
                    break
                size, pointers = 0, False
                if is_read:
                    size = shapes[told * OF_SHAPE + SIZE]
                    pointers = shapes[told * OF_SHAPE + POINTERS] != 0
                if kind != READY:
                    put_aside = True
                elif rule == _ONE:
                    fits = (
                        noscan != pointers
                        and spans[about + BELOW] < size <= room
                    ) or (
                        not pointers and size < _TINY
                        and noscan and slot == _TINY
                    )  # fmt: skip
                    alone = certain and noscan and slot == _TINY
                    if inside == 0 and fits and (alone or size >= extent[to]):
                        taken = True
                    elif inside < 0 or inside + size > room:
                        continue
                    else:
                        put_aside, long = True, size
                elif rule == _TEXT:
                    if inside < 0 or not noscan:
                        continue
                    taken = True
                elif rule == _ANY:
                    if inside != 0:
                        continue
                    taken = True
                elif rule == _ARRAY:
                    each = max(size, 1)
                    if (
                        inside < 0 or inside % each != 0
                        or noscan == pointers or size > room
                    ):  # fmt: skip
                        continue
                    taken = True
                elif rule == _SLICE and place != _ABSENT:
                    each = max(size, 1)
                    elements, behind = 0, notes[edge] & SECOND
                    if notes[edge] < STATIC and 0 < behind < SECOND:
                        elements = behind - 1
                    elif place + word + 2 < len(words):
                        if not there[(place + word + 2) >> page_bits]:
                            missing, of_own = place + word + 2, True
                            break
                        elements = words[place + word + 2]
                    if elements < 0 or elements > LARGEST // each:
                        elements = LARGEST // each
                    # s[n:] of n elements keeps the address of the first (cmd/compile, ssagen).
                    end = inside + max(elements, 1) * each
                    if inside < 0 or end > room:
                        continue
                    whole = (
                        inside % each == 0 and end > spans[about + BELOW]
                        and noscan != pointers and end >= extent[to]
                    )  # fmt: skip
                    begun = inside == 0 or not pointers
                    tiny = noscan and slot == _TINY
                    if not ((whole and begun) or tiny) or (shape[to] != 0 and shape[to] != told):
                        put_aside, long = True, end - inside
                    else:
                        taken = True
                    if whole and (taken or len(like) > 0):
                        put = reached * OF_ARRAY
                        arrays[put + ARRAY_SHAPE], arrays[put + ARRAY_NODE] = told, to
                        arrays[put + ARRAY_INTO], arrays[put + ARRAY_LENGTH] = inside, end - inside
                        reached += 1
                else:
                    put_aside = True

            # A part of something of which nothing else is known.
            if 0 < long < LONG and len(like) > 0 and shape[to] == 0 and part_length[to] == 0:
                key, low, high = like[to] << LIKE | told << TOLD | inside, 0, len(held)
                while low < high:
                    middle = (low + high) >> 1
                    if held[middle] < key:
                        low = middle + 1
                    else:
                        high = middle
                while low < len(held) and held[low] == key and made_of[2 * low] != long:
                    low += 1
                if inside < LONG and low < len(held) and held[low] == key:
                    made = made_of[2 * low + 1]
                    is_read = made * OF_SHAPE < len(shapes)
                    if made == 0 or (is_read and shapes[made * OF_SHAPE + KIND] == READY):
                        part_shape[to], part_into[to], part_length[to] = told, inside, long
                        extent[to] = max(extent[to], inside + long)
                        shape[to] = made
                        if shapes[(made if made else told) * OF_SHAPE + COUNT] > 0:
                            queue[tail] = to
                            tail += 1
                        put_aside = False

            if put_aside and rule == _ONE and long > 0 and inside + long < LONGEST and not naming:
                covers, have = 0, shape[to]
                if have != 0 and (have + 1) * OF_SHAPE <= len(shapes):
                    covers = shapes[have * OF_SHAPE + COVERS]
                if have == 0 or inside + long <= covers:
                    put_aside = False
                    extent[to] = max(extent[to], inside + long)
                    known_of = part_length[to] == long and part_into[to] == inside
                    if have == 0 and not (known_of and part_shape[to] == told):
                        put = noted * OF_ARRAY
                        parts[put + ARRAY_SHAPE], parts[put + ARRAY_NODE] = told, to
                        parts[put + ARRAY_INTO], parts[put + ARRAY_LENGTH] = inside, long
                        noted += 1
                        if long > part_length[to] or (
                            long == part_length[to] and inside < part_into[to]
                        ):
                            part_shape[to], part_into[to], part_length[to] = told, inside, long

            if taken:
                old = shape[to]
                if old == 0 or (certain and old != told):
                    shape[to] = told
                    if shapes[told * OF_SHAPE + COUNT] > 0:
                        queue[tail] = to
                        tail += 1
                elif old != told:
                    put_aside = True
                if certain:
                    sure[to] = True
            if put_aside:
                put = asides * OF_ASIDE
                aside[put + EDGE], aside[put + SOURCE] = edge, node
                aside[put + RULE], aside[put + SHAPE] = asked, wanted
                asides += 1
        if of_own and head > patient and edges <= _MANY and put_off < len(later):
            later[put_off] = node
            put_off += 1
            missing = _ABSENT
        elif missing >= 0 or unread >= 0 or full:
            head -= 1
            at_edge = edge
    state[0], state[1], state[2], state[3] = head, tail, asides, reached
    state[4], state[5], state[6], state[7] = missing, at_edge, unread, put_off
    state[8], state[9] = seen, noted
    return tail - head
