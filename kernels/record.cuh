// The deterministic form of kernels that add (device.cuh): every add is written down as (place, value). The lanes of a warp
// sum what they have for one place, launch/cuda.py sorts the rest by place, and glrast_reduce sums each place's in that order: no
// order of threads shows in the result.
#pragma once
#include "common.cuh"
#ifdef GLRAST_RECORD

// Rows [first_row, last_row) of a scatter kernel; entry i of element e is at i * elements + e, elements = rows * width.
struct RecordArgs {
    int64 first_row;
    int64 last_row;
    int64 size;           // floats of the gradient; this place means nothing was added
    int* places;          // [per_element, elements], where size < 2^31, or null:
    int64* wide_places;   // the same
    float* values;
    int per_element;      // adds of one element, at most
};

struct Recorder {
    const float* grad; int* place; int64* wide_place; float* value; int64 step; int left;
    __device__ __forceinline__ void write(int64 at, float v) {
        if (place) *place = (int)at;
        else *wide_place = at;
        *value = v;
    }
    __device__ __forceinline__ int64 written() const { return place ? *place : *wide_place; }
    __device__ __forceinline__ void advance() {
        if (place) place += step;
        else wide_place += step;
        value += step;
        --left;
    }
};

GLRAST_INLINE Recorder& recorder() {  // one for each thread of the block
    __shared__ Recorder all[GLRAST_THREADS];
    return all[threadIdx.y * 32 + threadIdx.x];
}

GLRAST_INLINE void add(float* p, float value) {
    Recorder& r = recorder();
    if (r.left <= 0) {  // launch/cuda.py counted wrong: nobody shall miss it
        r.value[-r.step] = __int_as_float(0x7fc00000);
        return;
    }
    r.write(p - r.grad, value);
    r.advance();
}

GLRAST_INLINE void accumulate(float* p, float value) { add(p, value); }

// Every lane writes down its own: who is active at an add is not promised, and who is at the end is (sum_records).
struct Sharers { static constexpr bool adds = true; };
template <class Key>
GLRAST_INLINE Sharers sharers_of(Key) { return Sharers{}; }
template <int Count>
GLRAST_INLINE void sum_shared(Sharers, float (&)[Count]) {}

template <int Count>
GLRAST_INLINE void add_aligned(float* p, const float (&values)[Count]) {
    for (int i = 0; i < Count; ++i) add(p + i, values[i]);
}

template <bool Z>
GLRAST_INLINE void add_row(float* p, float x, float y, float z, float w) {
    add(p, x);
    add(p + 1, y);
    if (Z) add(p + 2, z);
    add(p + 3, w);
}

// Entry i of all lanes of the warp: those at one place become one, the others nothing. `r`: this lane's first entry.
GLRAST_INLINE void sum_records(Recorder r, int64 nothing) {
    __syncwarp();
    for (int i = r.left; i > 0; --i, r.advance()) {
        const int64 place = r.step ? r.written() : nothing;
        if (!__any_sync(0xffffffffu, place != nothing)) continue;
        const WarpSharers s = find_sharers(0xffffffffu, (unsigned long long)place);
        float sum[1] = {r.step ? *r.value : 0.0f};
        sum_lanes(s, sum);
        if (r.step) r.write(s.adds ? place : nothing, sum[0]);
    }
}

// A lane outside the image has no entries (step = 0) and takes part in the sums.
#define GLRAST_CUDA_SCATTER(name, Args, call)                                                    \
    extern "C" __global__ void __launch_bounds__(GLRAST_THREADS) name(const __grid_constant__ Args a, const GridArgs g, const RecordArgs r) { \
        GLRAST_CUDA_PLACE(g, r.first_row)                                                        \
        const bool inside = x < a.width && index < r.last_row;                                   \
        const int64 element = (index - r.first_row) * a.width + x, elements = (r.last_row - r.first_row) * a.width; \
        const Recorder first = {a.grad, r.places ? r.places + element : nullptr,                 \
                                r.wide_places ? r.wide_places + element : nullptr,               \
                                r.values + element, inside ? elements : 0, r.per_element};       \
        if (inside) {                                                                            \
            const Row row = row_in(g, index, a.H);                                               \
            recorder() = first;                                                                  \
            call;                                                                                \
            for (Recorder& rest = recorder(); rest.left > 0; rest.advance()) rest.write(r.size, 0.0f); \
        }                                                                                        \
        sum_records(first, r.size);                                                              \
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
