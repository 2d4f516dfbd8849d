// GLRAST_BINNED(name, Args): a scatter kernel for gradients too large to copy per thread. The element is
//   template <class Sink> void name_element(const Args& a, const Groups& groups, Sink& sink)
// for some groups of up to GLRAST_LANES pixels. A visit is for the values that belong to pixels (Sink::gradients), or for
// adding to texels (Sink::adds), or both. It calls sink.group(i) before group i and sink.pixel(lane, second) before each pixel's first
// and second visit (a kernel may have one alone), and then
//   if (sink.takes_texels())  for each texel: float* to = sink.place(texel, C); add there if Sink::adds and to is not null.
// sink.place_four does it for four texels; true: to all four. Where an int counts the texels, a group's first or second visit
// may go at once: sink.visit(second), then sink.place_lanes, or where Sink::adds place_four for each lane.
// The own pass sees only lanes for which place was called. sink.keeps(pixel): a float of each pixel that the visit for pixels
// writes and the one that only adds reads; or null.
// Args has `float* grad` [texels, C] or null, `int64 texels`, `int C`.
//   CUDA   one thread per pixel, one visit, atomics; the caller zeroes grad.
//   host   texels are cut into blocks that fit a cache. The first visit lists the groups of pixels by the blocks they touch;
//          then each block is owned by one task, which visits its groups in order. A block that many pixels touch is shared
//          out in segments, each with a copy of that block, summed in order. Lists, blocks and segments follow from the
//          data alone, so the result does not depend on the number of threads. grad is zeroed here.
// Memory on the host: for a group of 4 pixels and a block it touches (1 or a little more; at most 32) 4 bytes of list, as much
// while it is sorted, and at most 4 of copies; and 4 bytes for each pixel; for at most kSlabPixels pixels at once. The worst:
// (3 x 4 x 8 + 4) x 4Mi = 400 MiB.
#pragma once
#include "lanes.cuh"

struct Groups {
    int64 pixel[GLRAST_GROUPS];  // the first of each, counted over all images
    int lanes[GLRAST_GROUPS];    // bits: whose first visits are asked for, and above them whose second
    int count;
    int64 end;                   // pixels from here on do not exist
};

constexpr int kAllLanes = (1 << GLRAST_LANES) - 1, kAllVisits = (1 << 2 * GLRAST_LANES) - 1;

#ifdef __CUDACC__

#define GLRAST_INLINE_MEMBER __device__ __forceinline__

struct AtomicSink {
    static constexpr bool gradients = true, adds = true;
    float* grad;
    GLRAST_INLINE_MEMBER float* keeps(int64) const { return nullptr; }
    GLRAST_INLINE_MEMBER void group(int) {}
    GLRAST_INLINE_MEMBER void visit(bool) {}
    GLRAST_INLINE_MEMBER void pixel(int, bool) {}
    GLRAST_INLINE_MEMBER bool takes_texels() const { return grad; }
    GLRAST_INLINE_MEMBER void place_lanes(Ints, Ints, Ints, int, bool) {}
    GLRAST_INLINE_MEMBER float* place(int64 texel, int C) { return grad + texel * C; }
    GLRAST_INLINE_MEMBER bool place_four(int64 texel, const int64 at[4], int C, float* to[4]) {
        for (int k = 0; k < 4; ++k) to[k] = place(texel + at[k], C);
        return true;
    }
    GLRAST_INLINE_MEMBER int room(int channels, bool) { return channels; }
};

GLRAST_INLINE Groups one_pixel(int64 pixel) { return Groups{{pixel}, {kAllVisits}, 1, pixel + 1}; }

#define GLRAST_BINNED(name, Args) \
    GLRAST_CUDA_SCATTER(name, Args, AtomicSink sink = {a.grad}; \
                        const Groups groups = one_pixel(index * a.width + x); \
                        name##_element(a, groups, sink))

#else

#define GLRAST_INLINE_MEMBER inline __attribute__((always_inline))
#include "binned_host.h"

#endif
