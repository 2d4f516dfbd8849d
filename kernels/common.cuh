// What every kernel file shares: how one text becomes a CUDA kernel and a host function.
//
// A kernel is an inline function of `count` elements of a row, from x on; what runs along the row is a local variable:
//   void NAME_element(const Args& a, int x, int count, Row row)
// Three kinds make it callable:
//   GLRAST_KERNEL(NAME, Args)   each element writes what is its own
//   GLRAST_SCATTER(NAME, Args)  elements add to one gradient: what adds to the same places gets one key (sharers_of), then
//                               sum_shared, and add_row and the like where it `adds`; or GLRAST_ADD one by one
//   GLRAST_BINNED(NAME, Args)   the same where the gradient is too large for copies; its element is a visit (binned.cuh)
// CUDA (NVRTC): one thread per element, so count is 1; blocks of 32 x 4 elements over a width x rows grid. A scatter kernel
//   adds by atomics, or its adds are recorded and sorted (device.cuh); the caller zeroes the gradient.
// Host compiler: threads share out the rows (host.h), and count is the part of a row that a thread owns. A scatter kernel
//   adds to private buffers over a partition of the rows that depends on the sizes alone, summed in fixed order: the
//   result does not depend on the number of threads.
//
// Every Args begins with `int width; int H; int64 rows;`: rows of N images of H rows. Every Args of a scatter kernel goes on with
// GLRAST_SCATTER_MEMBERS. Where an element is long, the Args say for how many short ones it counts,
// `static constexpr int work = 64;`, so that threads take fewer of them at a time. The Python side reads the Args structs
// from this text, so their members are declared once, there; what several share is a macro whose name ends in _MEMBERS.
#pragma once

#ifdef __CUDACC__
typedef long long int64;
#define GLRAST_INLINE static __device__ __forceinline__
// A loop that is long or seldom runs: unrolled it would take registers from the rest.
#define GLRAST_ROLLED _Pragma("unroll 1")
#else
#include <cmath>
#include <cstdint>
#include <cstring>
#include "host.h"
typedef int64_t int64;
#define GLRAST_INLINE static inline __attribute__((always_inline))
#define GLRAST_ROLLED
#endif

// Where a scatter kernel adds (host.h): grad [slots, slot_size], of which the elements of each slot's rows add to that slot;
// pieces: into how many the host cuts a slot's rows, and spare: [pieces - 1, slots, slot_size] for all but the first.
#define GLRAST_SCATTER_MEMBERS float* grad; float* spare; int64 slot_size; int slots; int pieces;

// One row of a batch of images. Made once a row on the host: divisions are slow.
struct Row {
    int64 index;  // n * H + y
    int64 n;      // image
    int y;        // row within the image
};

struct Float4 { float x, y, z, w; };
struct Int3 { int x, y, z; };

GLRAST_INLINE float minimum(float a, float b) { return a < b ? a : b; }
GLRAST_INLINE float maximum(float a, float b) { return a > b ? a : b; }
GLRAST_INLINE bool is_finite(float a) { return fabsf(a) <= 3.402823466e38f; }  // false for NaN

GLRAST_INLINE bool is_finite4(Float4 p) { return is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w); }

GLRAST_INLINE int float_bits(float value) {
#ifdef __CUDACC__
    return __float_as_int(value);
#else
    int bits; std::memcpy(&bits, &value, sizeof bits); return bits;
#endif
}

GLRAST_INLINE float bits_float(int bits) {
#ifdef __CUDACC__
    return __int_as_float(bits);
#else
    float value; std::memcpy(&value, &bits, sizeof value); return value;
#endif
}

// Floats of a triangle that is drawn from its corners: three times a clip position and the bits of its index.
#define GLRAST_CORNERS 15

// Triangle ids travel in a float: plain up to 2^24, above as the float with the bits 0x4a800000 + id.
#define GLRAST_ID_PLAIN_MAX 16777216
#define GLRAST_ID_BITS 0x4a800000

GLRAST_INLINE float encode_id(int id) { return id <= GLRAST_ID_PLAIN_MAX ? (float)id : bits_float(GLRAST_ID_BITS + id); }

GLRAST_INLINE int decode_id(float value) {  // 0 for background, NaN and negative values
    if (!(value > 0.0f)) return 0;
    if (value <= (float)GLRAST_ID_PLAIN_MAX) return (int)value;
    return float_bits(value) - GLRAST_ID_BITS;
}

// The three vertex indices of triangle t; false when t or an index is out of range.
GLRAST_INLINE bool fetch_triangle(const int* tri, int T, int V, int t, Int3* out) {
    if ((unsigned)t >= (unsigned)T) return false;
    const int* p = tri + 3 * (int64)t;
    *out = Int3{p[0], p[1], p[2]};
    return (unsigned)out->x < (unsigned)V && (unsigned)out->y < (unsigned)V && (unsigned)out->z < (unsigned)V;
}

GLRAST_INLINE Row row_of(int64 index, int H) {
    const int64 n = index / H;
    return Row{index, n, (int)(index - n * H)};
}

// Mostly all pixels of a span are treated alike: an element looks at so many at once.
#define GLRAST_SPAN 16

GLRAST_INLINE int lesser(int a, int b) { return a < b ? a : b; }

// Are these floats all +0?
GLRAST_INLINE bool are_zero(const float* p, int count) {
    int any = 0;
    for (int i = 0; i < count; ++i) any |= float_bits(p[i]);
    return any == 0;
}

// Four floats at an address of 16 bytes: one access on a GPU, whose launch sees to it that arguments lie there.
#ifdef __CUDACC__
GLRAST_INLINE Float4 load4(const float* p) { const float4 v = *(const float4*)p; return Float4{v.x, v.y, v.z, v.w}; }
GLRAST_INLINE void store4(float* p, Float4 v) { *(float4*)p = float4{v.x, v.y, v.z, v.w}; }
GLRAST_INLINE void count_up(int* p, int by) { atomicAdd(p, by); }  // at a place that other elements add to, too
#else
GLRAST_INLINE Float4 load4(const float* p) { return Float4{p[0], p[1], p[2], p[3]}; }
GLRAST_INLINE void store4(float* p, Float4 v) { p[0] = v.x; p[1] = v.y; p[2] = v.z; p[3] = v.w; }
GLRAST_INLINE void count_up(int* p, int by) { __atomic_fetch_add(p, by, __ATOMIC_RELAXED); }
#endif
GLRAST_INLINE Float4 load_anywhere(const float* p) { return Float4{p[0], p[1], p[2], p[3]}; }
GLRAST_INLINE void store_anywhere(float* p, Float4 v) { p[0] = v.x; p[1] = v.y; p[2] = v.z; p[3] = v.w; }

#ifdef __CUDACC__

#include "device.cuh"

#else

#define GLRAST_ADD(p, value) (*(p) += (value))

// Who adds to the same places, as device.cuh finds them among the lanes of a warp: here everyone adds for itself.
struct Sharers { static constexpr bool adds = true; };
template <class Key>
GLRAST_INLINE Sharers sharers_of(Key) { return Sharers{}; }
template <int Count>
GLRAST_INLINE void sum_shared(Sharers, float (&)[Count]) {}

GLRAST_INLINE void add(float* p, float value) { *p += value; }
template <bool Z>
GLRAST_INLINE void add_row(float* p, float x, float y, float z, float w) {
    p[0] += x;
    p[1] += y;
    if (Z) p[2] += z;
    p[3] += w;
}

GLRAST_INLINE void fetch_drawn(int64, bool, int, Row, int*, float*) {}  // what OpenGL drew is in memory already

#define GLRAST_HOST_KERNEL(name, Args, share)                                                    \
    extern "C" int64 name##_sizeof() { return sizeof(Args); }                                    \
    extern "C" void name(const Args* args, int threads) {                                        \
        share(*args, threads, [](const Args& a, int64 begin, int64 end, int from, int to) {      \
            for (int64 index = begin; index < end; ++index) name##_element(a, from, to - from, row_of(index, a.H)); \
        });                                                                                      \
    }
#define GLRAST_KERNEL(name, Args) GLRAST_HOST_KERNEL(name, Args, host::rows)
#define GLRAST_SCATTER(name, Args) GLRAST_HOST_KERNEL(name, Args, host::scatter)

#endif
