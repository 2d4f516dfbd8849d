// The executor: blocks one after another, in each its warps in turn, in each lanes until all of them wait.
//
//   exchange (__shfl_sync, __match_any_sync, __syncwarp, ...)  goes on when every lane of the mask has come to the same
//            word, line and mask. A lane that has returned, or that never comes, is an error.
//   __activemask  has no promise to keep. kTogether: all who wait at that place when nobody of the warp can go on, lower
//            places first, as a processor does that brings lanes together where it can; kApart: each lane by itself;
//            kScattered: some of those who wait, by chance.
//   __syncthreads  goes on when every thread that has not returned has come to the same line.
#include "executor.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

#include "fibres.h"
#ifdef __SSE__
#include <xmmintrin.h>
#endif

Dim3 threadIdx, blockIdx, blockDim, gridDim;
extern "C" HIDDEN __attribute__((weak)) char __start_executor_shared[], __stop_executor_shared[];

namespace executor {

enum State { kAbsent, kNew, kReady, kExchanging, kAsking, kAtBarrier, kReturned };

struct Lane {
    Fibre fibre;
    int state = kAbsent;
    Exchange part = {};
    Place place = {};
    const void* site = nullptr;  // of __activemask: one in each copy of an inlined function
    Bits result = 0;
};

constexpr int kMostThreads = 1024;
static Lane lanes[kMostThreads];
static Fibre scheduler;
static Stacks stacks;
static Request request;
static void (*kernel_call)(void**);
static const char* kernel_name;
static int threads, current, atomics_in_turn;
static int64_t block;
static uint64_t random_state;
static bool failed;
static char message[2000];

static uint64_t chance(uint64_t most) {  // 0 to most - 1 (xorshift64*)
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545f4914f6cdd1dull >> 33) % most;
}

// ---- messages -----------------------------------------------------------------------------------------------

static int add_text(int at, const char* format, ...) {
    va_list list;
    va_start(list, format);
    const int room = (int)sizeof message - at;
    const int more = room > 1 ? vsnprintf(message + at, (size_t)room, format, list) : 0;
    va_end(list);
    return at + (more < room ? more : room - 1);
}

static void leave();

void fail(const char* format, ...) {
    if (failed) return;
    failed = true;
    int at = add_text(0, "%s, ", kernel_name);
    va_list list;
    va_start(list, format);
    vsnprintf(message + at, sizeof message - (size_t)at, format, list);
    va_end(list);
    if (current >= 0) leave();
}

static const char* waits_at(const Lane& lane) {
    return lane.state == kAtBarrier ? "__syncthreads" : lane.state == kAsking ? "__activemask" : lane.part.word;
}

// ---- a lane's side ------------------------------------------------------------------------------------------

static void leave() {
    Lane& mine = lanes[current];
    switch_fibres(mine.fibre, scheduler, false);
}

static void thread_main() {
    arrived(scheduler);
    kernel_call(request.arguments);
    Lane& mine = lanes[current];
    mine.state = kReturned;
    switch_fibres(mine.fibre, scheduler, true);
}

int lane_number() { return current & 31; }
static Lane* warp_of(int thread) { return lanes + (thread & ~31); }

static void release(Lane* warp, unsigned members) {
    for (int l = 0; l < 32; ++l)
        if (members >> l & 1) warp[l].state = kReady;
}

static void answer(Lane* warp, unsigned members) {
    Bits all = 0;
    bool first = true, alike = true;
    Bits given = 0;
    for (int l = 0; l < 32; ++l) {
        if (!(members >> l & 1)) continue;
        const Exchange& part = warp[l].part;
        if (part.kind == kBallot && part.given) all |= 1u << l;
        if (part.kind == kReduce) all = first ? part.given : part.fold(all, part.given);
        if (first) given = part.given;
        alike = alike && part.given == given;
        first = false;
    }
    for (int l = 0; l < 32; ++l) {
        if (!(members >> l & 1)) continue;
        const Exchange& part = warp[l].part;
        warp[l].result = all;
        if (part.kind == kShuffle) warp[l].result = warp[part.source].part.given;
        if (part.kind == kMatchAll) warp[l].result = alike ? members : 0;
        if (part.kind != kMatch) continue;
        warp[l].result = 0;
        for (int m = 0; m < 32; ++m)
            if (members >> m & 1 && warp[m].part.given == part.given) warp[l].result |= 1u << m;
    }
}

static bool is_same(const Lane& a, const Lane& b) {
    return a.part.mask == b.part.mask && a.place.line == b.place.line && !strcmp(a.part.word, b.part.word) &&
           !strcmp(a.place.file, b.place.file);
}

// Goes on with the exchange that this lane waits in, if all have come.
static void try_exchange(Lane* warp, const Lane& lane) {
    unsigned wanted = lane.part.mask;
    for (int l = 0; l < 32; ++l) {
        if (!(wanted >> l & 1)) continue;
        const int state = warp[l].state;
        if (lane.part.kind == kSync && (state == kReturned || state == kAbsent)) wanted &= ~(1u << l);
        else if (state != kExchanging || !is_same(warp[l], lane)) return;
    }
    answer(warp, wanted);
#ifdef EXECUTOR_WATCH
    if (lane.part.kind == kSync) watch::meet_lanes((int)(warp - lanes) / 32, wanted);
#endif
    release(warp, wanted);
}

Bits exchange(const Exchange& part, Place place) {
    Lane& mine = lanes[current];
    Lane* warp = warp_of(current);
    const int lane = lane_number();
    if (!(part.mask >> lane & 1))
        fail("%s:%d: %s: lane %d calls with mask 0x%08x, which does not name it", place.file, place.line, part.word, lane, part.mask);
    for (int l = 0; l < 32 && part.kind != kSync; ++l)
        if (part.mask >> l & 1 && (warp[l].state == kReturned || warp[l].state == kAbsent))
            fail("%s:%d: %s: mask 0x%08x of lane %d names lane %d, which %s", place.file, place.line, part.word, part.mask,
                 lane, l, warp[l].state == kAbsent ? "does not exist" : "has returned");
    if (part.kind == kShuffle && !(part.mask >> part.source & 1))
        fail("%s:%d: %s: lane %d reads from lane %d, which mask 0x%08x does not name", place.file, place.line, part.word, lane, part.source, part.mask);
    mine.part = part;
    mine.place = place;
    mine.state = kExchanging;
    try_exchange(warp, mine);
    leave();
    return mine.result;
}

__attribute__((noinline)) unsigned active_mask(Place place) {
    Lane& mine = lanes[current];
    if (request.schedule == kApart) return 1u << lane_number();
    mine.site = __builtin_return_address(0);
    mine.place = place;
    mine.state = kAsking;
    leave();
    return (unsigned)mine.result;
}

unsigned barrier(unsigned predicate, Place place) {
    Lane& mine = lanes[current];
    mine.part.given = predicate != 0;
    mine.place = place;
    mine.state = kAtBarrier;
    leave();
    return (unsigned)mine.result;
}

void give_way() {
    lanes[current].state = kReady;
    leave();
}

// Others may come in between here; one that waits for another by atomics does not wait forever.
void touched_atomically(const void* address, size_t size, const void* caller) {
#ifdef EXECUTOR_WATCH
    watch::atomic(address, size, caller);
#else
    (void)address, (void)size, (void)caller;
#endif
    if (++atomics_in_turn > 1000 || (request.order == kRandom && chance(4) == 0)) give_way();
}

// ---- the scheduler's ----------------------------------------------------------------------------------------

static void resume(int thread) {
    Lane& lane = lanes[thread];
    if (lane.state == kNew) prepare(lane.fibre, stacks.take(), thread, thread_main);
    current = thread;
    atomics_in_turn = 0;
    lane.state = kReady;
    const unsigned x = (unsigned)thread % blockDim.x, rest = (unsigned)thread / blockDim.x;
    threadIdx = Dim3{x, rest % blockDim.y, rest / blockDim.y};
#ifdef EXECUTOR_WATCH
    watch::begin_thread(Thread{block, thread});
#endif
    switch_fibres(scheduler, lane.fibre, false);
#ifdef EXECUTOR_WATCH
    watch::end_thread();
#endif
    current = -1;
    if (failed || lane.state != kReturned) return;
    stacks.give(lane.fibre.stack);
    Lane* warp = warp_of(thread);
    for (int l = 0; l < 32 && !failed; ++l) {
        const Lane& other = warp[l];
        if (other.state != kExchanging || !(other.part.mask >> (thread & 31) & 1)) continue;
        if (other.part.kind == kSync) try_exchange(warp, other);
        else
            fail("%s:%d: %s: mask 0x%08x of lane %d names lane %d, which has returned", other.place.file, other.place.line,
                 other.part.word, other.part.mask, l, thread & 31);
    }
}

static int pick(unsigned among) {
    if (request.order == kFirst) return __builtin_ctz(among);
    if (request.order == kLast) return 31 - __builtin_clz(among);
    for (int skip = (int)chance((uint64_t)__builtin_popcount(among)); skip; --skip) among &= among - 1;
    return __builtin_ctz(among);
}

static unsigned in_state(const Lane* warp, int state) {
    unsigned found = 0;
    for (int l = 0; l < 32; ++l) found |= (unsigned)(warp[l].state == state) << l;
    return found;
}

// Those who wait at one __activemask go on with their mask.
static bool release_asking(Lane* warp) {
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

// True if a lane has gone on.
static bool run_warp(Lane* warp) {
    bool any = false;
    do {
        while (const unsigned ready = in_state(warp, kReady) | in_state(warp, kNew)) {
            resume((int)(warp - lanes) + pick(ready));
            any = true;
            if (failed || (request.order == kRandom && chance(8) == 0)) return true;
        }
    } while (release_asking(warp));
    return any;
}

static bool release_barrier() {
    int waiting = 0, first = -1;
    unsigned count = 0;
    for (int t = 0; t < threads; ++t) {
        if (lanes[t].state == kReturned) continue;
        if (lanes[t].state != kAtBarrier) return false;
        if (first < 0) first = t;
        if (lanes[t].place.line != lanes[first].place.line || strcmp(lanes[t].place.file, lanes[first].place.file)) return false;
        ++waiting;
        count += (unsigned)lanes[t].part.given;
    }
    if (!waiting) return false;
    for (int t = 0; t < threads; ++t)
        if (lanes[t].state == kAtBarrier) lanes[t].state = kReady, lanes[t].result = count;
#ifdef EXECUTOR_WATCH
    watch::meet_block();
#endif
    return true;
}

// Nobody can go on: who waits where.
static void report_deadlock() {
    failed = true;
    int at = add_text(0, "%s, block %lld: no thread can go on:", kernel_name, (long long)block);
    bool told[kMostThreads] = {};
    for (int t = 0; t < threads; ++t) {
        const Lane& lane = lanes[t];
        if (told[t] || lane.state == kReturned) continue;
        unsigned same = 0;
        for (int u = t; u < (t | 31) + 1 && u < threads; ++u) {
            const Lane& other = lanes[u];
            if (other.state != lane.state || other.place.line != lane.place.line || strcmp(other.place.file, lane.place.file)) continue;
            if (lane.state == kExchanging && !is_same(lane, other)) continue;
            told[u] = true;
            same |= 1u << (u & 31);
        }
        at = add_text(at, "\n  lanes 0x%08x of warp %d wait at %s:%d: %s", same, t / 32, lane.place.file, lane.place.line, waits_at(lane));
        if (lane.state == kExchanging) at = add_text(at, " with mask 0x%08x", lane.part.mask);
    }
    unsigned gone = 0;
    for (int t = 0; t < threads; ++t) gone += lanes[t].state == kReturned;
    if (gone) add_text(at, "\n  %u threads have returned", gone);
}

__attribute__((no_sanitize_address)) static void fill_shared() {
    if (!&__start_executor_shared) return;
    for (volatile char* at = __start_executor_shared; at + 4 <= __stop_executor_shared; at += 4)
        *(volatile uint32_t*)at = 0x7fa00001u;  // a signalling NaN; as an index or an address far off
}

static void run_block() {
    for (int t = 0; t < kMostThreads && (t < threads || t & 31); ++t) lanes[t].state = t < threads ? kNew : kAbsent;
    fill_shared();
#ifdef EXECUTOR_WATCH
    watch::begin_block(threads);
#endif
    const int warps = (threads + 31) / 32;
    for (bool left = true; left && !failed;) {
        bool any = false;
        const int from = request.order == kRandom ? (int)chance((uint64_t)warps) : 0;
        for (int w = 0; w < warps && !failed; ++w)
            any |= run_warp(lanes + 32 * (request.order == kLast ? warps - 1 - w : (w + from) % warps));
        if (any || failed || release_barrier()) continue;
        left = false;
        for (int t = 0; t < threads; ++t) left |= lanes[t].state != kReturned;
        if (left) report_deadlock();
    }
    for (int t = 0; failed && t < threads; ++t)  // given up where they are
        if (lanes[t].state != kNew && lanes[t].state != kReturned) stacks.give(lanes[t].fibre.stack);
}

static void run_blocks() {
    const int64_t blocks = (int64_t)gridDim.x * gridDim.y * gridDim.z;
    std::vector<int64_t> order((size_t)(request.order == kRandom ? blocks : 0));
    for (int64_t b = 0; b < (int64_t)order.size(); ++b) {
        const int64_t other = (int64_t)chance((uint64_t)b + 1);
        order[(size_t)b] = order[(size_t)other];
        order[(size_t)other] = b;
    }
    for (int64_t b = 0; b < blocks && !failed; ++b) {
        block = request.order == kFirst ? b : request.order == kLast ? blocks - 1 - b : order[(size_t)b];
        blockIdx = Dim3{(unsigned)(block % gridDim.x), (unsigned)(block / gridDim.x % gridDim.y), (unsigned)(block / gridDim.x / gridDim.y)};
        run_block();
    }
}

const char* run(const char* kernel, void (*call)(void**), const Request& asked) {
    request = asked;
    kernel_name = kernel;
    kernel_call = call;
    gridDim = Dim3{asked.grid[0], asked.grid[1], asked.grid[2]};
    blockDim = Dim3{asked.block[0], asked.block[1], asked.block[2]};
    threads = (int)(blockDim.x * blockDim.y * blockDim.z);
    random_state = asked.seed * 2 + 0x9e3779b97f4a7c15ull;
    failed = false;
    current = -1;
    if (threads > kMostThreads) return "a block has at most 1024 threads";
    stacks.give(stacks.take());
#ifdef EXECUTOR_WATCH
    watch::begin_launch(request, stacks.begin, stacks.end);
#endif
#ifdef __SSE__
    const unsigned before = _mm_getcsr();
    _mm_setcsr(request.flush ? before | 0x8040u : before & ~0x8040u);  // results, and what is read, are flushed to zero
#elif defined(__aarch64__)
    uint64_t before;
    asm volatile("mrs %0, fpcr" : "=r"(before));
    asm volatile("msr fpcr, %0" ::"r"(request.flush ? before | 1ull << 24 : before & ~(1ull << 24)));
#endif
    run_blocks();
#ifdef __SSE__
    _mm_setcsr(before);
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" ::"r"(before));
#endif
    return failed ? message : nullptr;
}

}  // namespace executor
