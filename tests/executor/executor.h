// What a kernel's text (words.h) asks of the executor (exchanges.cpp): who am I, meet these lanes, I touch this memory.
//
// A block's threads are fibres of one processor thread: a lane runs until it has to wait for others. Warps are 32
// consecutive threads. Nothing else is promised: which lane, warp and block goes first is a setting (Request).
#pragma once
#include <cstddef>
#include <cstdint>

#define HIDDEN __attribute__((visibility("hidden")))
// Linker's names for the ends of all `__shared__` variables; null where there are none.
#define SHARED_SECTION "executor_shared"

struct Dim3 { unsigned x, y, z; };
HIDDEN extern Dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace executor {

typedef unsigned long long Bits;

// Where in the kernel's text a word stands, as #line says it.
struct Place { const char* file; int line; };

enum Kind { kShuffle, kMatch, kMatchAll, kBallot, kReduce, kSync };

// One lane's part of an exchange.
struct Exchange {
    const char* word;               // "__shfl_sync"
    Kind kind;
    unsigned mask;
    Bits given;
    int source;                     // kShuffle: the lane to read from
    Bits (*fold)(Bits, Bits);       // kReduce
};

HIDDEN Bits exchange(const Exchange& mine, Place place);
HIDDEN unsigned active_mask(Place place);
HIDDEN unsigned barrier(unsigned predicate, Place place);  // how many gave true
HIDDEN void before_atomic(const void* address, size_t size, const void* caller);
HIDDEN void after_atomic();
HIDDEN void give_way();  // another lane may go first
HIDDEN int lane_number();

enum Order { kFirst, kLast, kRandom };             // of lanes, warps and blocks
enum Schedule { kTogether, kApart, kScattered };   // who meets at __activemask

struct Range { const char* begin; int64_t bytes; const char* name; };

struct Request {
    unsigned grid[3], block[3];
    int order, schedule, flush;     // flush: denormals are zero
    uint64_t seed;
    void** arguments;               // of the kernel, by address
    const Range* ranges;            // memory that it may touch
    int64_t range_count;
};

// Null, or what went wrong.
HIDDEN const char* run(const char* kernel, void (*call)(void**), const Request& request);

// Only in a build with -DEXECUTOR_WATCH (watch.cpp); every access of the kernel's own code comes there, too.
struct Thread { int64_t block; int thread; };
namespace watch {
void begin_launch(const Request& request, const char* stacks, const char* stacks_end);
void begin_block(int threads);
void begin_thread(Thread now);      // from here on it is this one that runs
void end_thread();
void meet_block();
void meet_lanes(int warp, unsigned lanes);
void atomic(const void* address, size_t size, const void* caller);
}

// Ends the launch with this message; from a fibre it does not return.
HIDDEN __attribute__((format(printf, 1, 2))) void fail(const char* format, ...);

}  // namespace executor
