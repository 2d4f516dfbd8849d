// What the executor keeps of its threads: between executor.cpp, which lets them run, and exchanges.cpp, where they wait.
#pragma once
#include <cstring>

#include "executor.h"
#include "fibres.h"

namespace executor {

enum State { kAbsent, kNew, kReady, kExchanging, kAsking, kAtBarrier, kReturned, kStates };

struct Lane {
    Fibre fibre;
    int state = kAbsent;
    Exchange part = {};
    Place place = {};
    const void* site = nullptr;  // of __activemask: one in each copy of an inlined function
    Bits result = 0;
};

constexpr int kMostThreads = 1024;
constexpr int kLongTurn = 1000, kMostLongTurns = 100000;  // atomics that a lane makes in a turn; such turns of a launch
HIDDEN extern Lane lanes[kMostThreads];
HIDDEN extern unsigned lanes_in[kMostThreads / 32][kStates];  // of each warp, the lanes in each state
HIDDEN extern Request request;
HIDDEN extern int threads, current, atomics_in_turn, long_turns;  // current: the thread that runs, or -1

HIDDEN uint64_t chance(uint64_t most);  // 0 to most - 1
HIDDEN void leave();                    // to the scheduler, until a lane's state is kReady again

inline Lane* warp_of(int thread) { return lanes + (thread & ~31); }
inline bool is_same_text(const char* a, const char* b) { return a == b || !strcmp(a, b); }
inline bool is_same_place(const Lane& a, const Lane& b) { return a.place.line == b.place.line && is_same_text(a.place.file, b.place.file); }
inline unsigned& in_state(const Lane* warp, int state) { return lanes_in[(warp - lanes) / 32][state]; }
inline void set_state(int thread, int state) {
    const unsigned bit = 1u << (thread & 31);
    lanes_in[thread / 32][lanes[thread].state] &= ~bit;
    lanes_in[thread / 32][state] |= bit;
    lanes[thread].state = state;
}
inline void release(Lane* warp, unsigned members) {  // all of them in one state
    if (!members) return;
    in_state(warp, warp[__builtin_ctz(members)].state) &= ~members;
    in_state(warp, kReady) |= members;
    for (; members; members &= members - 1) warp[__builtin_ctz(members)].state = kReady;
}

// exchanges.cpp
HIDDEN void try_exchange(Lane* warp, const Lane& lane);  // goes on with the exchange that it waits in, if all have come
HIDDEN bool release_asking(Lane* warp);                  // those at one __activemask go on, if any wait
HIDDEN bool release_barrier();
HIDDEN void lane_returned(int thread);
HIDDEN bool is_same_exchange(const Lane& a, const Lane& b);

}  // namespace executor
