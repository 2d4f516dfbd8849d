// The executor: blocks one after another, in each its warps in turn, in each lanes until all of them wait (exchanges.cpp).
#include <cstdarg>
#include <cstdio>

#include "lanes.h"
#ifdef __SSE__
#include <xmmintrin.h>
#endif

Dim3 threadIdx, blockIdx, blockDim, gridDim;
extern "C" HIDDEN __attribute__((weak)) char __start_executor_shared[], __stop_executor_shared[];

namespace executor {

Lane lanes[kMostThreads];
unsigned lanes_in[kMostThreads / 32][kStates];
Request request;
int threads, current, atomics_in_turn, long_turns;
static Fibre scheduler;
static Stacks stacks;
static void (*kernel_call)(void**);
static const char* kernel_name;
static int64_t block;
static uint64_t random_state;
static bool failed;
static char message[2000];

uint64_t chance(uint64_t most) {  // 0 to most - 1 (xorshift64*)
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

void leave() {
    Lane& mine = lanes[current];
    switch_fibres(mine.fibre, scheduler, false);
}

static void thread_main() {
    arrived(scheduler);
    kernel_call(request.arguments);
    Lane& mine = lanes[current];
    set_state(current, kReturned);
    switch_fibres(mine.fibre, scheduler, true);
}

// ---- the scheduler's ----------------------------------------------------------------------------------------

static void resume(int thread) {
    Lane& lane = lanes[thread];
    if (lane.state == kNew) prepare(lane.fibre, stacks.take(), thread, thread_main);
    current = thread;
    atomics_in_turn = 0;
    set_state(thread, kReady);
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
    lane_returned(thread);
}

static int pick(unsigned among) {
    if (request.order == kFirst) return __builtin_ctz(among);
    if (request.order == kLast) return 31 - __builtin_clz(among);
    for (int skip = (int)chance((uint64_t)__builtin_popcount(among)); skip; --skip) among &= among - 1;
    return __builtin_ctz(among);
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

// Nobody can go on: who waits where.
static void report_deadlock() {
    failed = true;
    int at = add_text(0, "%s, block %lld: no thread can go on:", kernel_name, (long long)block);
    bool told[kMostThreads] = {};
    for (int t = 0, most = 6; t < threads && most; ++t) {
        const Lane& lane = lanes[t];
        if (told[t] || lane.state == kReturned) continue;
        --most;
        unsigned same = 0;
        for (int u = t; u < (t | 31) + 1 && u < threads; ++u) {
            const Lane& other = lanes[u];
            if (other.state != lane.state || !is_same_place(lane, other)) continue;
            if (lane.state == kExchanging && !is_same_exchange(lane, other)) continue;
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
    for (int t = 0; t < kMostThreads && (t < threads || t & 31); ++t) set_state(t, t < threads ? kNew : kAbsent);
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
    long_turns = 0;
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
