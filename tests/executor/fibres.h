// Fibres: a stack each, and a switch that saves what a call must save. By hand for x86-64 and aarch64; ucontext, some ten
// times as slow, elsewhere or with -DEXECUTOR_UCONTEXT. AddressSanitizer is told of every switch.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <vector>

#if !defined(__x86_64__) && !defined(__aarch64__)
#define EXECUTOR_UCONTEXT
#endif
#ifdef EXECUTOR_UCONTEXT
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

constexpr size_t kStackBytes = 256 << 10, kGuardBytes = 64 << 10, kMostFibres = 1024;
constexpr size_t kSlotBytes = kStackBytes + kGuardBytes;

struct Fibre {
    char* stack = nullptr;  // its lowest byte; below it pages that nobody may touch
    size_t bytes = 0;
#ifdef EXECUTOR_UCONTEXT
    ucontext_t context;
#else
    void* pointer = nullptr;  // stack pointer while it waits
#endif
    void* shadow = nullptr;   // AddressSanitizer's
};

#ifndef EXECUTOR_UCONTEXT
extern "C" __attribute__((visibility("hidden"))) void executor_switch(void** from, void* to);
#endif

// Stacks, lent to fibres that have begun and not ended: one that never waits leaves its stack, warm, to the next.
class Stacks {
public:
    char* begin = nullptr;
    char* end = nullptr;

    char* take() {
        if (!begin) reserve();
        if (free_.empty()) add();
        char* stack = free_.back();
        free_.pop_back();
#ifdef __SANITIZE_ADDRESS__
        __asan_unpoison_memory_region(stack, kStackBytes);  // a fibre that was given up left its frames marked
#endif
        return stack;
    }
    void give(char* stack) { free_.push_back(stack); }

private:
    std::vector<char*> free_;
    size_t made_ = 0;

    void reserve() {
        const size_t bytes = kMostFibres * kSlotBytes;
        void* found = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (found == MAP_FAILED) abort();
        begin = (char*)found;
        end = begin + bytes;
    }
    void add() {
        char* stack = begin + made_++ * kSlotBytes + kGuardBytes;
        if (stack >= end || mprotect(stack, kStackBytes, PROT_READ | PROT_WRITE)) abort();
        free_.push_back(stack);
    }
};

// Makes `fibre` start with entry() when it is switched to. Stacks begin at different lines of the cache.
inline void prepare(Fibre& fibre, char* stack, int number, void (*entry)()) {
    fibre.stack = stack;
    fibre.bytes = kStackBytes;
    fibre.shadow = nullptr;
    const size_t usable = kStackBytes - (size_t)(number % 31 + 1) * 320;
#ifdef EXECUTOR_UCONTEXT
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = stack;
    fibre.context.uc_stack.ss_size = usable & ~(size_t)63;
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, entry, 0);
#else
    uintptr_t* top = (uintptr_t*)(((uintptr_t)stack + usable) & ~(uintptr_t)63);
#ifdef __x86_64__
    uintptr_t* at = top - 8;  // six registers, the address that `ret` takes, and none to return to, as after a call
    for (int i = 0; i < 8; ++i) at[i] = 0;
    at[6] = (uintptr_t)entry;
#else
    uintptr_t* at = top - 20;
    for (int i = 0; i < 20; ++i) at[i] = 0;
    at[11] = (uintptr_t)entry;  // x30
#endif
    fibre.pointer = at;
#endif
}

// The first thing that a fibre says; `from` is where it was switched to from.
inline void arrived(Fibre& from) {
#ifdef __SANITIZE_ADDRESS__
    const void* stack;
    __sanitizer_finish_switch_fiber(nullptr, &stack, &from.bytes);
    from.stack = (char*)stack;
#else
    (void)from;
#endif
}

// From one fibre to another; `ends`: the first never comes back.
inline void switch_fibres(Fibre& from, Fibre& to, bool ends) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(ends ? nullptr : &from.shadow, to.stack, to.bytes);
#else
    (void)ends;
#endif
#ifdef EXECUTOR_UCONTEXT
    swapcontext(&from.context, &to.context);
#else
    executor_switch(&from.pointer, to.pointer);
#endif
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from.shadow, nullptr, nullptr);
#endif
}
