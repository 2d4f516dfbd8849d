// Lanes of a warp as threads that meet before and after every exchange; then accumulate() of kernels/device.cuh on
// random groups of lanes with the same target. Prints what went wrong, or how many rounds went right.
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>
#include <vector>
#define EMULATE_WARP
#include "emulator.h"

static std::mutex mutex;
static std::condition_variable changed;
static unsigned active_lanes, arrived, generation;
static unsigned long long given[32];
static int atomics;

static void meet() {
    std::unique_lock<std::mutex> lock(mutex);
    const unsigned mine = generation;
    if (++arrived == (unsigned)__builtin_popcount(active_lanes)) { arrived = 0; ++generation; changed.notify_all(); return; }
    changed.wait(lock, [&] { return generation != mine; });
}
template <class Use> static unsigned exchange(unsigned mask, unsigned long long value, Use use) {
    if (mask != active_lanes) std::printf("wrong mask\n");
    given[threadIdx.x] = value;
    meet();
    const unsigned result = use();
    meet();
    return result;
}
static unsigned lanes_where(unsigned mask, unsigned long long value) {
    unsigned found = 0;
    for (int l = 0; l < 32; ++l) if (mask >> l & 1 && given[l] == value) found |= 1u << l;
    return found;
}
static unsigned __activemask() { return active_lanes; }
static unsigned __match_any_sync(unsigned mask, unsigned long long v) { return exchange(mask, v, [&] { return lanes_where(mask, v); }); }
static unsigned __ballot_sync(unsigned mask, bool v) { return exchange(mask, v, [&] { return lanes_where(mask, 1); }); }
static bool __any_sync(unsigned mask, unsigned v) { return __ballot_sync(mask, v != 0) != 0; }
static float __shfl_sync(unsigned mask, float v, int lane) {
    if (!(mask >> lane & 1)) std::printf("reads from a lane that is not there\n");
    return __int_as_float((int)exchange(mask, (unsigned)__float_as_int(v), [&] { return (unsigned)given[lane]; }));
}
static void atomicAdd(float* p, float v) { std::lock_guard<std::mutex> lock(mutex); *p += v; ++atomics; }

#include KERNEL_TEXT

int main() {
    std::mt19937 random(0);
    const int kTargets[] = {1, 2, 5, 32};
    int right = 0;
    for (int round = 0; round < 40; ++round) {
        active_lanes = round % 4 == 0 ? 0xffffffffu : round % 4 == 1 ? 1u << (random() % 32) : random() | 1u;
        const int targets = kTargets[round / 4 % 4];
        std::vector<float> sums(targets, 0.0f), wanted(targets, 0.0f);
        std::vector<int> target(32);
        unsigned used = 0;
        for (int l = 0; l < 32; ++l) {
            target[l] = round % 3 ? (int)(random() % targets) : l * targets / 32;  // at random, or neighbours together
            if (active_lanes >> l & 1) { wanted[target[l]] += (float)(l + 1); used |= 1u << target[l]; }
        }
        atomics = 0;
        std::vector<std::thread> warp;
        for (int l = 0; l < 32; ++l)
            if (active_lanes >> l & 1)
                warp.emplace_back([&, l] { threadIdx.x = l; accumulate(&sums[target[l]], (float)(l + 1)); });
        for (auto& thread : warp) thread.join();
        if (sums != wanted) { std::printf("round %d: wrong sums\n", round); return 1; }
        if (atomics != __builtin_popcount(used)) { std::printf("round %d: %d atomics\n", round, atomics); return 1; }
        ++right;
    }
    std::printf("%d right\n", right);
}
