// How a GPU runs a kernel: one thread per element, in blocks of 32 x 4. Only NVRTC reads this (host.h is the CPU's side).
// Two ways to add to a gradient:
//   default        atomics; the lanes of a warp that add to the same place are summed first, so that one of them adds.
//   GLRAST_RECORD  nothing is added: every add is written down as (place, value). launch/cuda.py sorts them by place,
//                  and glrast_reduce sums each place's in that order: no order of threads shows in the result.
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
#define GLRAST_CUDA_THREAD(a, first, last)                                                       \
    const unsigned columns = (unsigned)(a.width + 31) / 32;                                      \
    const int x = (int)(blockIdx.x % columns) * 32 + (int)threadIdx.x;                           \
    const int64 index = (first) + (int64)(blockIdx.x / columns) * 4 + (int)threadIdx.y;          \
    if (x >= a.width || index >= (last)) return;                                                 \
    const Row row = row_of(index, a.H);
#define GLRAST_CUDA_KERNEL(name, Args, call)                                                     \
    extern "C" __global__ void __launch_bounds__(GLRAST_THREADS) name(const Args a) {            \
        GLRAST_CUDA_THREAD(a, 0, a.rows)                                                         \
        call;                                                                                    \
    }
#define GLRAST_KERNEL(name, Args) GLRAST_CUDA_KERNEL(name, Args, name##_element(a, x, 1, row))
#define GLRAST_SCATTER(name, Args) GLRAST_CUDA_SCATTER(name, Args, name##_element(a, x, 1, row))
#define GLRAST_ADD(p, value) accumulate((p), (value))

#ifndef GLRAST_RECORD

#define GLRAST_CUDA_SCATTER(name, Args, call) GLRAST_CUDA_KERNEL(name, Args, call)

// Neighbouring pixels add to the same vertices. Lanes with the same place sum in pairs, neighbours first (Westphal 2015,
// "Voting and Shuffling to Optimize Atomic Operations"): after k rounds every 2^k-th of them holds the sum of 2^k.
GLRAST_INLINE void accumulate(float* p, float value) {
    const unsigned active = __activemask(), lane = threadIdx.x & 31, below = (1u << lane) - 1;
    const unsigned peers = __match_any_sync(active, (unsigned long long)p);
    unsigned above = peers & (0xfffffffeu << lane), rank = __popc(peers & below);
    while (__any_sync(active, above)) {
        const int next = __ffs(above);
        const float other = __shfl_sync(active, value, next ? next - 1 : (int)lane);
        if (next) value += other;
        above &= __ballot_sync(active, !(rank & 1));  // those of odd rank have been added to the one before
        rank >>= 1;
    }
    if (!(peers & below)) atomicAdd(p, value);
}

#else

// Rows [first_row, last_row) of a scatter kernel; entry i of element e is at i * elements + e, elements = rows * width.
struct RecordArgs {
    int64 first_row;
    int64 last_row;
    int64 size;           // floats of the gradient; this place means nothing was added
    int64* places;        // [per_element, elements]
    float* values;
    int per_element;      // adds of one element, at most
};

struct Recorder { const float* grad; int64* place; float* value; int64 step; int left; };

GLRAST_INLINE Recorder& recorder() {  // one for each thread of the block
    __shared__ Recorder all[GLRAST_THREADS];
    return all[threadIdx.y * 32 + threadIdx.x];
}

GLRAST_INLINE void write_down(int64 place, float value) {
    Recorder& r = recorder();
    if (r.left <= 0) {  // launch/cuda.py counted wrong: nobody shall miss it
        r.value[-r.step] = __int_as_float(0x7fc00000);
        return;
    }
    *r.place = place;
    *r.value = value;
    r.place += r.step;
    r.value += r.step;
    --r.left;
}

GLRAST_INLINE void accumulate(float* p, float value) { write_down(p - recorder().grad, value); }

#define GLRAST_CUDA_SCATTER(name, Args, call)                                                    \
    extern "C" __global__ void __launch_bounds__(GLRAST_THREADS) name(const Args a, const RecordArgs r) { \
        GLRAST_CUDA_THREAD(a, r.first_row, r.last_row)                                           \
        const int64 element = (index - r.first_row) * a.width + x;                               \
        recorder() = Recorder{a.grad, r.places + element, r.values + element,                    \
                              (r.last_row - r.first_row) * a.width, r.per_element};              \
        call;                                                                                    \
        while (recorder().left > 0) write_down(r.size, 0.0f);                                    \
    }

// One thread sums GLRAST_PIECE entries. A place whose entries all lie in the piece is added to grad; the sums of the
// first and the last place, which may go on in the next piece, are carried to the next round. One piece carries nothing.
#define GLRAST_PIECE 64

struct ReduceArgs {
    int64 count;              // entries
    int64 size;               // floats of grad; entries at this place or beyond are nothing
    const int64* places;      // [count], ascending
    const float* values;
    const int64* order;       // the value of entry i is values[order[i]]; null: values[i]
    float* grad;
    int64* carry_places;      // [2 * pieces], ascending again
    float* carry_values;
};

extern "C" __global__ void __launch_bounds__(GLRAST_THREADS) glrast_reduce(const ReduceArgs a) {
    const int64 piece = (int64)blockIdx.x * GLRAST_THREADS + threadIdx.y * 32 + threadIdx.x;
    const int64 begin = piece * GLRAST_PIECE, end = begin + GLRAST_PIECE < a.count ? begin + GLRAST_PIECE : a.count;
    if (begin >= end) return;
    int64 carried[2] = {a.places[begin], a.places[end - 1]};
    float sums[2] = {0.0f, 0.0f};
    for (int64 i = begin; i < end;) {
        const int64 place = a.places[i], from = i;
        float sum = 0.0f;
        for (; i < end && a.places[i] == place; ++i) sum += a.values[a.order ? a.order[i] : i];
        if (from == begin && begin > 0 && a.places[begin - 1] == place) sums[0] = sum;
        else if (i == end && end < a.count && a.places[end] == place) sums[1] = sum;
        else if (place < a.size) a.grad[place] += sum;
    }
    for (int k = 0; k < 2 && a.carry_places; ++k) {
        a.carry_places[2 * piece + k] = carried[k];
        a.carry_values[2 * piece + k] = sums[k];
    }
}

#endif
