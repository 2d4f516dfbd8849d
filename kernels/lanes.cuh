// Neighbouring pixels in the lanes of one register. On CUDA a thread is one pixel and has one lane, so `Floats` is
// float and everything here is what it says (lanes_one.cuh); on the CPU four pixels share the arithmetic, written once;
// eight where the processor has such registers (AVX2) and the file that includes this defines GLRAST_WIDE
// (lanes_many.cuh). Only vertices are fetched lane by lane, since each pixel may see another triangle.
//
// Both say what GLRAST_LANES pixels hold: Floats, Ints, Mask; Rows, four values of each; Pair, two of each. Where a kernel
// waits for memory, GLRAST_GROUPS registers of pixels go together: the addresses of all are found and asked for (prefetch)
// before the first is used.
#pragma once
#include "common.cuh"

#ifdef __CUDACC__
#include "lanes_one.cuh"
#else
#include "lanes_many.cuh"
#endif

GLRAST_INLINE bool any(Mask m) { return lane_bits(m) != 0; }
GLRAST_INLINE Mask are_finite(Floats a) { return magnitude(a) <= 3.402823466e38f; }
GLRAST_INLINE Floats ceilings(Floats a) { return -floors(-a); }

// The rows of consecutive pixels; lanes beyond `count` repeat the first.
GLRAST_INLINE Rows load_pixels(const float* p, int count) {
    const float* rows[GLRAST_LANES];
    for (int l = 0; l < GLRAST_LANES; ++l) rows[l] = p + 4 * l;
    for (int l = count; l < GLRAST_LANES; ++l) rows[l] = p;
    return load_rows(rows);
}
