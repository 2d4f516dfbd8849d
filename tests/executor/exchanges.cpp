// Where lanes wait for each other: exchanges by mask, __activemask, __syncthreads, and atomics, where others may come in.
//
//   exchange (__shfl_sync, __match_any_sync, __syncwarp, ...)  goes on when every lane of the mask has come to the same
//            word, line and mask. A lane that has returned, or that never comes, is an error.
//   __activemask  has no promise to keep. kTogether: all who wait at that place when nobody of the warp can go on, lower
//            places first, as a processor does that brings lanes together where it can; kApart: each lane by itself;
//            kScattered: some of those who wait, by chance.
//   __syncthreads  goes on when every thread that has not returned has come to the same line.
#include "lanes.h"

namespace executor {

// ---- exchanges by mask --------------------------------------------------------------------------------------

int lane_number() { return current & 31; }

static void answer(Lane* warp, unsigned members);
static void answer_match(Lane* warp, unsigned members);

Bits exchange(const Exchange& part, Place place) {
    Lane& mine = lanes[current];
    Lane* warp = warp_of(current);
    const int lane = lane_number();
    if (!(part.mask >> lane & 1))
        fail("%s:%d: %s: lane %d calls with mask 0x%08x, which does not name it", place.file, place.line, part.word, lane, part.mask);
    const unsigned gone = part.mask & (in_state(warp, kReturned) | in_state(warp, kAbsent));
    if (gone && part.kind != kSync) {
        const int first = __builtin_ctz(gone);
        fail("%s:%d: %s: mask 0x%08x of lane %d names lane %d, which %s", place.file, place.line, part.word, part.mask, lane,
             first, warp[first].state == kAbsent ? "does not exist" : "has returned");
    }
    if (part.kind == kShuffle && !(part.mask >> part.source & 1))
        fail("%s:%d: %s: lane %d reads from lane %d, which mask 0x%08x does not name", place.file, place.line, part.word, lane, part.source, part.mask);
    mine.part = part;
    mine.place = place;
    set_state(current, kExchanging);
    try_exchange(warp, mine);
    leave();
    return mine.result;
}

void try_exchange(Lane* warp, const Lane& lane) {
    unsigned wanted = lane.part.mask;
    if (lane.part.kind == kSync) wanted &= ~(in_state(warp, kReturned) | in_state(warp, kAbsent));
    if (wanted & ~in_state(warp, kExchanging)) return;
    for (unsigned left = wanted; left; left &= left - 1)
        if (!is_same_exchange(warp[__builtin_ctz(left)], lane)) return;
    answer(warp, wanted);
#ifdef EXECUTOR_WATCH
    if (lane.part.kind == kSync) watch::meet_lanes((int)(warp - lanes) / 32, wanted);
#endif
    release(warp, wanted);
}

bool is_same_exchange(const Lane& a, const Lane& b) {
    return a.part.mask == b.part.mask && is_same_place(a, b) && is_same_text(a.part.word, b.part.word);
}

static void answer(Lane* warp, unsigned members) {
    const Exchange& first = warp[__builtin_ctz(members)].part;  // all are of one kind
    Bits all = first.kind == kReduce ? first.given : 0;
    bool alike = true;
    for (unsigned left = members; left; left &= left - 1) {
        const int l = __builtin_ctz(left);
        const Bits given = warp[l].part.given;
        if (first.kind == kBallot && given) all |= 1u << l;
        if (first.kind == kReduce && left != members) all = first.fold(all, given);
        alike = alike && given == first.given;
    }
    if (first.kind == kMatchAll) all = alike ? members : 0;
    if (first.kind == kMatch) return answer_match(warp, members);
    for (unsigned left = members; left; left &= left - 1) {
        Lane& lane = warp[__builtin_ctz(left)];
        lane.result = first.kind == kShuffle ? warp[lane.part.source].part.given : all;
    }
}

static void answer_match(Lane* warp, unsigned members) {
    for (unsigned left = members; left;) {
        const Bits given = warp[__builtin_ctz(left)].part.given;
        unsigned same = 0;
        for (unsigned other = left; other; other &= other - 1)
            if (warp[__builtin_ctz(other)].part.given == given) same |= other & -other;
        for (unsigned one = same; one; one &= one - 1) warp[__builtin_ctz(one)].result = same;
        left &= ~same;
    }
}

// Who waits for a lane that has returned waits in vain, but in __syncwarp.
void lane_returned(int thread) {
    Lane* warp = warp_of(thread);
    const int gone = thread & 31;
    for (int l = 0; l < 32; ++l) {
        const Lane& other = warp[l];
        if (other.state != kExchanging || !(other.part.mask >> gone & 1)) continue;
        if (other.part.kind == kSync) try_exchange(warp, other);
        else
            fail("%s:%d: %s: mask 0x%08x of lane %d names lane %d, which has returned", other.place.file, other.place.line,
                 other.part.word, other.part.mask, l, gone);
    }
}

// ---- __activemask -------------------------------------------------------------------------------------------

__attribute__((noinline)) unsigned active_mask(Place place) {
    Lane& mine = lanes[current];
    if (request.schedule == kApart) return 1u << lane_number();
    mine.site = __builtin_return_address(0);
    mine.place = place;
    set_state(current, kAsking);
    leave();
    return (unsigned)mine.result;
}

// Those who wait at one __activemask go on with their mask.
bool release_asking(Lane* warp) {
    const unsigned asking = in_state(warp, kAsking);
    if (!asking) return false;
    int first = __builtin_ctz(asking);
    for (int l = 0; l < 32; ++l)
        if (asking >> l & 1 && warp[l].site < warp[first].site) first = l;
    if (request.schedule == kScattered) {
        unsigned left = asking;
        for (int skip = (int)chance((uint64_t)__builtin_popcount(asking)); skip; --skip) left &= left - 1;
        first = __builtin_ctz(left);
    }
    unsigned group = 0;
    for (int l = 0; l < 32; ++l)
        if (asking >> l & 1 && warp[l].site == warp[first].site)
            if (l == first || request.schedule == kTogether || chance(2)) group |= 1u << l;
    for (int l = 0; l < 32; ++l)
        if (group >> l & 1) warp[l].result = group;
    release(warp, group);
    return true;
}

// ---- __syncthreads ------------------------------------------------------------------------------------------

unsigned barrier(unsigned predicate, Place place) {
    Lane& mine = lanes[current];
    mine.part.given = predicate != 0;
    mine.place = place;
    set_state(current, kAtBarrier);
    leave();
    return (unsigned)mine.result;
}

bool release_barrier() {
    int waiting = 0, first = -1;
    unsigned count = 0;
    for (int t = 0; t < threads; ++t) {
        if (lanes[t].state == kReturned) continue;
        if (lanes[t].state != kAtBarrier) return false;
        if (first < 0) first = t;
        if (!is_same_place(lanes[t], lanes[first])) return false;
        ++waiting;
        count += (unsigned)lanes[t].part.given;
    }
    if (!waiting) return false;
    for (int t = 0; t < threads; ++t) {
        if (lanes[t].state != kAtBarrier) continue;
        lanes[t].result = count;
        set_state(t, kReady);
    }
#ifdef EXECUTOR_WATCH
    watch::meet_block();
#endif
    return true;
}

// ---- atomics ------------------------------------------------------------------------------------------------

void give_way() {
    set_state(current, kReady);
    leave();
}

void before_atomic(const void* address, size_t size, const void* caller) {
#ifdef EXECUTOR_WATCH
    watch::atomic(address, size, caller);
#else
    (void)address, (void)size, (void)caller;
#endif
}

// One that waits for another by atomics does not wait forever, nor for one that never comes.
void after_atomic() {
    const bool has_spun = ++atomics_in_turn > kLongTurn;
    if (has_spun && ++long_turns > kMostLongTurns)
        fail("lane %d of warp %d goes round an atomic and nobody lets it go on", lane_number(), current / 32);
    if (has_spun || (request.order == kRandom && chance(4) == 0)) give_way();
}

}  // namespace executor
