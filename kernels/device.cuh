// How a GPU runs a kernel: one thread per element, in blocks of 32 x 4. Only NVRTC reads this (host.h is the CPU's side).
// Two ways to add to a gradient:
//   default        atomics; the lanes of a warp that add to the same place are summed first, so that one of them adds.
//   GLRAST_RECORD  nothing is added: every add is written down, sorted and summed in that order (record.cuh).
#pragma once
#include "common.cuh"

// One pixel of what OpenGL drew, read where it lies: `drawn` is a texture object of the layered array that
// gl/interop.py mapped, layers being images; 0: it has been copied to memory already.
GLRAST_INLINE void fetch_drawn(int64 drawn, bool full, int x, Row row, int* id, float* rast) {
    if (!drawn) return;
    const float s = (float)x + 0.5f, t = (float)row.y + 0.5f;
    if (full) {
        const float4 v = tex2DLayered<float4>((cudaTextureObject_t)drawn, s, t, (int)row.n);
        store4(rast, Float4{v.x, v.y, v.z, v.w});
    } else {
        *id = (int)tex2DLayered<unsigned int>((cudaTextureObject_t)drawn, s, t, (int)row.n);
    }
}

#define GLRAST_THREADS 128

// Every kernel's second argument: what its threads would all divide for. n / d is n * by >> shift, exactly, for n below 2^31
// (Granlund and Montgomery 1994, theorem 4.2); launch/cuda.py finds `by` and `shift`.
struct GridArgs {
    int columns;          // blocks in a row
    int columns_shift;
    int64 columns_by;
    int64 height_by;
    int height_shift;
};

GLRAST_INLINE unsigned quotient(unsigned n, int64 by, int shift) { return (unsigned)((unsigned long long)n * (unsigned)by >> shift); }

GLRAST_INLINE Row row_in(const GridArgs& g, int index, int H) {
    const unsigned n = quotient((unsigned)index, g.height_by, g.height_shift);
    return Row{index, n, (int)((unsigned)index - n * H)};
}

#define GLRAST_CUDA_PLACE(g, first)                                                              \
    const unsigned line = quotient(blockIdx.x, g.columns_by, g.columns_shift);                   \
    const int x = (int)(blockIdx.x - line * g.columns) * 32 + (int)threadIdx.x;                  \
    const int index = (int)(first) + (int)line * 4 + (int)threadIdx.y;
#define GLRAST_CUDA_KERNEL(name, Args, call)                                                     \
    extern "C" __global__ void __launch_bounds__(GLRAST_THREADS) name(const __grid_constant__ Args a, const GridArgs g) { \
        GLRAST_CUDA_PLACE(g, 0)                                                                  \
        if (x >= a.width || index >= a.rows) return;                                             \
        const Row row = row_in(g, index, a.H);                                                   \
        call;                                                                                    \
    }
#define GLRAST_KERNEL(name, Args) GLRAST_CUDA_KERNEL(name, Args, name##_element(a, x, 1, row))
#define GLRAST_SCATTER(name, Args) GLRAST_CUDA_SCATTER(name, Args, name##_element(a, x, 1, row))
#define GLRAST_ADD(p, value) accumulate((p), (value))

// ---- sums over a warp ------------------------------------------------------------------------------------
// Neighbouring pixels add to the same vertices. What a pixel adds to follows from its triangle (or edge): one key, so that
// one match finds for all its values the lanes that add to the same places. These sum in pairs, neighbours first (Westphal
// 2015, "Voting and Shuffling to Optimize Atomic Operations"): after k rounds every 2^k-th of them holds the sum of 2^k.

// `active` lanes sum together; six bits of `plan` a round: from which lane this one takes, and 32 if it takes at all.
struct WarpSharers { unsigned active, plan; int rounds; bool adds; };  // adds: of those with one key this lane adds the sums

template <class Key>
GLRAST_INLINE WarpSharers find_sharers(unsigned active, Key key) {
    const unsigned lane = threadIdx.x & 31, below = (1u << lane) - 1, peers = __match_any_sync(active, key);
    WarpSharers s = {active, 0, 0, !(peers & below)};
    unsigned above = peers & (0xfffffffeu << lane), rank = __popc(peers & below);
    for (int shift = 0; __any_sync(active, above); shift += 6, ++s.rounds) {
        s.plan |= (above ? (unsigned)__ffs(above) - 1 + 32 : lane) << shift;
        above &= __ballot_sync(active, !(rank & 1));  // those of odd rank have been added to the one before
        rank >>= 1;
    }
    return s;
}

// `values` become their sums over the lanes with one key, in the lane that `adds`.
template <int Count>
GLRAST_INLINE void sum_lanes(const WarpSharers& s, float (&values)[Count]) {
    unsigned plan = s.plan;
#pragma unroll 1
    for (int round = 0; round < s.rounds; ++round, plan >>= 6)
#pragma unroll
        for (int i = 0; i < Count; ++i) {
            const float other = __shfl_sync(s.active, values[i], plan & 31);
            if (plan & 32) values[i] += other;
        }
}

#ifndef GLRAST_RECORD

#define GLRAST_CUDA_SCATTER(name, Args, call) GLRAST_CUDA_KERNEL(name, Args, call)

typedef WarpSharers Sharers;
template <class Key>
GLRAST_INLINE Sharers sharers_of(Key key) { return find_sharers(__activemask(), key); }

template <int Count>
GLRAST_INLINE void sum_shared(const Sharers& s, float (&values)[Count]) { sum_lanes(s, values); }

GLRAST_INLINE void add(float* p, float value) { atomicAdd(p, value); }

// p[0 .. Count - 1] += values; four at an address of 16 bytes, or two at one of 8, are one instruction from sm_90 on.
template <int Count>
GLRAST_INLINE void add_aligned(float* p, const float (&values)[Count]) {
#if __CUDA_ARCH__ >= 900
    if constexpr (Count == 4) atomicAdd((float4*)p, float4{values[0], values[1], values[2], values[3]});
    else if constexpr (Count == 2) atomicAdd((float2*)p, float2{values[0], values[1]});
    else
#endif
    for (int i = 0; i < Count; ++i) add(p + i, values[i]);
}

// Row p += (x, y, z, w), which is at an address of 16 bytes; without Z nothing is added to z.
template <bool Z>
GLRAST_INLINE void add_row(float* p, float x, float y, float z, float w) {
#if __CUDA_ARCH__ >= 900
    const float row[4] = {x, y, Z ? z : 0.0f, w};
    add_aligned(p, row);
#else
    add(p, x);
    add(p + 1, y);
    if (Z) add(p + 2, z);
    add(p + 3, w);
#endif
}

// What has no key for all its values: one match each.
GLRAST_INLINE void accumulate(float* p, float value) {
    const Sharers s = sharers_of((unsigned long long)p);
    float sum[1] = {value};
    sum_lanes(s, sum);
    if (s.adds) add(p, sum[0]);
}

#else

#include "record.cuh"

#endif
