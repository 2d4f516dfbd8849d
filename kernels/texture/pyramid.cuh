// The pyramid: texture_mip_down makes a level from the one below, texture_mip_pull returns a level's gradient to the one
// below. One thread = one texel.
#pragma once
#include "lanes.cuh"

struct TextureMipArgs {
    int width;                // w, of the level below for texture_mip_pull
    int H;                    // h, likewise
    int64 rows;               // B*h or B*6*h
    float* below;             // [rows of the finer level, its width, C]
    float* above;             // [rows of the coarser level, its width, C]
    int C;
    int step_x;               // 2, or 1 where the finer level is one texel wide
    int step_y;
};

// Texels [x, end) of the coarser level: the mean of the step_y x StepX texels below.
template <int Fixed, int StepX>
GLRAST_INLINE void mip_texels(const TextureMipArgs& a, int x, int end, Row row) {
    const int C = Fixed ? Fixed : a.C;
    const int64 line = (int64)a.width * StepX * C;
    const int right = StepX == 2 ? C : 0;
    const float* p = a.below + row.index * a.step_y * line + (int64)x * StepX * C;
    const float* q = a.step_y == 2 ? p + line : p;
    float* out = a.above + (row.index * a.width + x) * C;
    for (; x < end; ++x, p += StepX * C, q += StepX * C, out += C) {
        // Three channels go with a fourth, but for the last: the next texel sets that right.
        const bool roomy = Fixed == 3 && x + 1 < end;
        for (int i = 0; i < C; i += GLRAST_LANES) {
            const int count = roomy ? GLRAST_LANES : C - i;
            const Floats low = load_channels(p + i, count) + load_channels(p + right + i, count);
            const Floats high = load_channels(q + i, count) + load_channels(q + right + i, count);
            store_channels(out + i, count, 0.25f * (low + high));
        }
    }
}

// The same of one channel, GLRAST_LANES texels at once.
GLRAST_INLINE void mip_lanes(const TextureMipArgs& a, int x, int end, Row row) {
    const int64 line = (int64)a.width * 2;
    const float* p = a.below + row.index * a.step_y * line;
    const float* q = a.step_y == 2 ? p + line : p;
    for (; x < end; x += GLRAST_LANES) {
        const int count = end - x < GLRAST_LANES ? end - x : GLRAST_LANES;
        const Pair low = load_pairs(p + 2 * x, count), high = load_pairs(q + 2 * x, count);
        store_floats(a.above + row.index * a.width + x, count, 0.25f * ((low.x + low.y) + (high.x + high.y)));
    }
}

GLRAST_INLINE void texture_mip_down_element(const TextureMipArgs& a, int x, int count, Row row) {
    const int end = x + count;
    if (a.step_x != 2) mip_texels<0, 1>(a, x, end, row);
    else if (a.C == 3) mip_texels<3, 2>(a, x, end, row);
    else if (a.C == 4) mip_texels<4, 2>(a, x, end, row);
    else if (a.C == 1) mip_lanes(a, x, end, row);
    else mip_texels<0, 2>(a, x, end, row);
}
GLRAST_KERNEL(texture_mip_down, TextureMipArgs)

// Texels [x, end) of the finer level: below += above / (texels averaged).
template <int Fixed>
GLRAST_INLINE void pull_texels(const TextureMipArgs& a, int x, int end, Row row) {
    const int C = Fixed ? Fixed : a.C, shift_x = a.step_x - 1, shift_y = a.step_y - 1;  // steps are 1 or 2
    const float share = 1.0f / (float)(a.step_x * a.step_y);
    const float* above = a.above + (row.index >> shift_y) * (a.width >> shift_x) * C;
    float* below = a.below + row.index * a.width * C;
    for (; x < end; ++x) {
        const float* from = above + (int64)(x >> shift_x) * C;
        float* to = below + (int64)x * C;
        for (int i = 0; i < C; ++i) to[i] += share * from[i];
    }
}

GLRAST_INLINE void texture_mip_pull_element(const TextureMipArgs& a, int x, int count, Row row) {
    const int end = x + count;
    if (a.C == 3) pull_texels<3>(a, x, end, row);
    else if (a.C == 4) pull_texels<4>(a, x, end, row);
    else if (a.C == 1) pull_texels<1>(a, x, end, row);
    else pull_texels<0>(a, x, end, row);
}
GLRAST_KERNEL(texture_mip_pull, TextureMipArgs)
