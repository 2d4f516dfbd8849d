// antialias_pairs: alpha of every pixel's pair with its right and its upper neighbour.    one thread = one pixel
#pragma once
#include "visibility/antialias/crossing.cuh"

struct AntialiasPairsArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_SEEN_MEMBERS
    float* alpha;           // [N,H,W,2]: right, upper
};

// What the pixel to the left found out about this one.
struct PairsRun {
    bool known;
    float id;
    int silhouette;  // its triangle has a silhouette edge
};

// Does the triangle that this rast value names have a silhouette edge?
template <class Args>
GLRAST_INLINE int has_silhouette(const Args& a, float id, int64 n) {
    const unsigned t = (unsigned)(decode_id(id) - 1);
    return t < (unsigned)a.T ? a.flags[n * a.flags_stride + t] : 0;
}

GLRAST_INLINE void pixel_pairs(const AntialiasPairsArgs& a, int x, Row row, PairsRun& run) {
    const int64 pixel = row.index * a.width + x;
    const float* id = a.rast + 4 * pixel + 3;
    if (!run.known) run = PairsRun{true, *id, has_silhouette(a, *id, row.n)};
    const PairsRun own = run;
    float right = own.id, upper = own.id;
    if (x + 1 < a.width) right = id[4];
    if (row.y + 1 < a.H) upper = id[4 * (int64)a.width];
    run = PairsRun{true, right, has_silhouette(a, right, row.n)};
    const int above = has_silhouette(a, upper, row.n);
    // Bitwise on purpose: neighbours differ too irregularly to be predicted, silhouettes are rare.
    const bool try_right = (right != own.id) & ((own.silhouette | run.silhouette) != 0);
    const bool try_upper = (upper != own.id) & ((own.silhouette | above) != 0);
    a.alpha[2 * pixel] = try_right ? find_crossing(a, x, row, false).alpha : 0.0f;
    a.alpha[2 * pixel + 1] = try_upper ? find_crossing(a, x, row, true).alpha : 0.0f;
}

// Do `count` pixels from x on, their right and their upper neighbours all show the same?
GLRAST_INLINE bool is_uniform(const AntialiasPairsArgs& a, int x, int count, Row row) {
    const float* id = a.rast + 4 * (row.index * a.width + x) + 3;
    const float* upper = row.y + 1 < a.H ? id + 4 * (int64)a.width : id;
    const int last = x + count < a.width ? count : count - 1, own = float_bits(id[0]);
    if (float_bits(id[4 * last]) != own || float_bits(upper[0]) != own) return false;  // most often
    int other = 0;
    for (int i = 0; i < count; ++i) other |= (float_bits(id[4 * i]) ^ own) | (float_bits(upper[4 * i]) ^ own);
    return other == 0;
}

GLRAST_INLINE void span_pairs(const AntialiasPairsArgs& a, int x, int count, Row row) {
    if (is_uniform(a, x, count, row)) {
        float* alpha = a.alpha + 2 * (row.index * a.width + x);
        for (int i = 0; i < 2 * count; ++i) alpha[i] = 0.0f;
        return;
    }
    PairsRun run = {};
    for (int end = x + count; x < end; ++x) pixel_pairs(a, x, row, run);
}

GLRAST_INLINE void antialias_pairs_element(const AntialiasPairsArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_SPAN) span_pairs(a, x, lesser(end - x, GLRAST_SPAN), row);
}
GLRAST_KERNEL(antialias_pairs, AntialiasPairsArgs)
