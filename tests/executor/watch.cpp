// The watch: every access of a kernel's own code comes here, for the compiler was told -fsanitize=thread and finds these
// functions in place of ThreadSanitizer's. An error is
//   memory that no argument of the launch holds (the kernel's stack and constants are its own),
//   shared memory that no thread of the block wrote,
//   a race: two threads touch a byte, one of them writes, not both by atomics, and nothing orders the two. Threads of a block
//   are ordered by __syncthreads, lanes of a warp by __syncwarp alone (other exchanges order no memory), blocks by nothing.
#include <cstring>
#include <unordered_map>

#include "executor.h"

extern "C" HIDDEN char __ehdr_start, _end;
extern "C" HIDDEN __attribute__((weak)) char __start_executor_shared[], __stop_executor_shared[];

namespace executor {
namespace watch {

struct Access {
    int64_t block = -1;  // -1: there was none
    int thread = 0;
    unsigned epoch = 0, clock = 0;
    bool is_atomic = false;
    const void* caller = nullptr;
};
struct Byte { Access write, reads[2]; };  // the last write, and the last reads of two threads
struct Word { Byte bytes[4]; };

static std::unordered_map<uintptr_t, Word> seen, seen_shared;
static const Request* request;
static const char *stacks, *stacks_end;
static Thread now;
static bool watching;
static unsigned epoch;                  // __syncthreads of this block
static unsigned known[1024][32];        // each thread: up to which of its own meetings it knows each lane of its warp

void begin_launch(const Request& asked, const char* begin, const char* end) {
    request = &asked;
    stacks = begin;
    stacks_end = end;
    seen.clear();
    watching = false;
}

void begin_block(int threads) {
    seen_shared.clear();
    epoch = 0;
    std::memset(known, 0, sizeof known);
    for (int t = 0; t < threads; ++t) known[t][t & 31] = 1;
}

void begin_thread(Thread running) { now = running, watching = true; }
void end_thread() { watching = false; }
void meet_block() { ++epoch; }

void meet_lanes(int warp, unsigned lanes) {
    unsigned all[32] = {};
    for (int l = 0; l < 32; ++l)
        for (int m = 0; m < 32 && lanes >> l & 1; ++m)
            if (known[32 * warp + l][m] > all[m]) all[m] = known[32 * warp + l][m];
    for (int l = 0; l < 32; ++l) {
        if (!(lanes >> l & 1)) continue;
        std::memcpy(known[32 * warp + l], all, sizeof all);
        ++known[32 * warp + l][l];
    }
}

static bool is_before(const Access& a) {
    if (a.block < 0 || (a.block == now.block && a.thread == now.thread)) return true;
    if (a.block != now.block) return false;
    if (a.epoch != epoch) return true;
    return a.thread / 32 == now.thread / 32 && known[now.thread][a.thread & 31] >= a.clock;
}

static unsigned long long offset(const void* caller) { return (unsigned long long)((const char*)caller - &__ehdr_start); }

static void report_race(const char* mine, const void* caller, const char* theirs, const Access& a, const char* name, long long at) {
    fail("race on byte %lld of %s: lane %d of warp %d, block %lld, %s it (@0x%llx), and lane %d of warp %d, block %lld, %s it "
         "(@0x%llx); nothing says which is first",
         at, name, now.thread & 31, now.thread / 32, (long long)now.block, mine, offset(caller), a.thread & 31, a.thread / 32,
         (long long)a.block, theirs, offset(a.caller));
}

static const Range* range_of(const char* at, size_t size) {
    for (int64_t i = 0; i < request->range_count; ++i) {
        const Range& range = request->ranges[i];
        if (at >= range.begin && at + size <= range.begin + range.bytes) return &range;
    }
    return nullptr;
}

static void touch(const void* address, size_t size, bool writes, bool is_atomic, const void* caller) {
    const char* at = (const char*)address;
    if (!watching || (at >= stacks && at < stacks_end)) return;
    const bool is_shared = &__start_executor_shared && at >= __start_executor_shared && at < __stop_executor_shared;
    if (!is_shared && at >= &__ehdr_start && at < &_end) return;
    const Range* range = is_shared ? nullptr : range_of(at, size);
    const char* does = is_atomic ? "adds to" : writes ? "writes" : "reads";
    if (!is_shared && !range)
        fail("lane %d of warp %d, block %lld, %s %zu bytes at %p (@0x%llx), which no argument holds", now.thread & 31,
             now.thread / 32, (long long)now.block, does, size, address, offset(caller));
    const char* name = is_shared ? "shared memory" : range->name;
    const char* begin = is_shared ? __start_executor_shared : range->begin;
    const Access mine = {now.block, now.thread, epoch, known[now.thread][now.thread & 31], is_atomic, caller};
    for (size_t i = 0; i < size; ++i) {
        const uintptr_t byte = (uintptr_t)at + i;
        Byte& cell = (is_shared ? seen_shared : seen)[byte >> 2].bytes[byte & 3];
        const long long number = at + i - begin;
        if (is_shared && cell.write.block < 0 && (!writes || is_atomic))
            fail("lane %d of warp %d, block %lld, reads byte %lld of shared memory (@0x%llx), which nobody wrote", now.thread & 31,
                 now.thread / 32, (long long)now.block, number, offset(caller));
        if (!(is_atomic && cell.write.is_atomic) && !is_before(cell.write))
            report_race(does, caller, "wrote", cell.write, name, number);
        for (const Access& read : cell.reads)
            if (writes && !is_before(read)) report_race(does, caller, "read", read, name, number);
        if (writes) cell.write = mine;
        else if (cell.reads[0].block == now.block && cell.reads[0].thread == now.thread) cell.reads[0] = mine;
        else cell.reads[1] = cell.reads[0], cell.reads[0] = mine;
    }
}

void atomic(const void* address, size_t size, const void* caller) { touch(address, size, true, true, caller); }

}  // namespace watch
}  // namespace executor

#define CALLED_BACK extern "C" HIDDEN
#define ACCESS(size)                                                                             \
    CALLED_BACK void __tsan_read##size(void* p) { executor::watch::touch(p, size, false, false, __builtin_return_address(0)); }            \
    CALLED_BACK void __tsan_write##size(void* p) { executor::watch::touch(p, size, true, false, __builtin_return_address(0)); }            \
    CALLED_BACK void __tsan_unaligned_read##size(void* p) { executor::watch::touch(p, size, false, false, __builtin_return_address(0)); }  \
    CALLED_BACK void __tsan_unaligned_write##size(void* p) { executor::watch::touch(p, size, true, false, __builtin_return_address(0)); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
CALLED_BACK void __tsan_read_range(void* p, size_t size) { executor::watch::touch(p, size, false, false, __builtin_return_address(0)); }
CALLED_BACK void __tsan_write_range(void* p, size_t size) { executor::watch::touch(p, size, true, false, __builtin_return_address(0)); }
CALLED_BACK void __tsan_init() {}
CALLED_BACK void __tsan_func_entry(void*) {}
CALLED_BACK void __tsan_func_exit() {}
CALLED_BACK void __tsan_vptr_update(void**, void*) {}
CALLED_BACK void __tsan_vptr_read(void**) {}
