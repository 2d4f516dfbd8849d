// The pyramid: texture_mip_down makes a level from the one below, texture_mip_pull returns a level's gradient to the one
// below. One thread = one texel.
#pragma once
#include "lanes.cuh"
#include "texture/arguments.cuh"

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

// ---- several levels at once ------------------------------------------------------------------------------
// For a GPU, where a launch costs more than a small level. The sums are those of the two kernels above, to the bit. One thread =
// one channel of one texel, so that neighbours read what lies side by side.

struct TextureMipTowerArgs {
    int width;                // C * (texels in a row of the last of these levels)
    int H;                    // rows of texels there
    int64 rows;               // B*H or B*6*H
    const float* below;       // [B,(6,)h,w,C]
    float* above;             // the levels made of it, one after another
    int w;
    int h;
    int C;
    int levels;               // 1 to 3
};

GLRAST_INLINE int halved_times(int extent, int times) { return extent >> times ? extent >> times : 1; }

// Channel c of texel (x, y) of the image's level `Level`, counted from `below`; levels above 0 are made, and stored, on the way.
template <int Level>
GLRAST_INLINE float mip_tower(const TextureMipTowerArgs& a, int64 image, int64 images, int x, int y, int c) {
    const int w = halved_times(a.w, Level), h = halved_times(a.h, Level);
    if constexpr (Level == 0) {
        return a.below[((image * h + y) * w + x) * a.C + c];
    } else {
        const bool halves_x = halved_times(a.w, Level - 1) > w, halves_y = halved_times(a.h, Level - 1) > h;
        const int x0 = x << halves_x, y0 = y << halves_y, x1 = x0 + halves_x, y1 = y0 + halves_y;
        const float k00 = mip_tower<Level - 1>(a, image, images, x0, y0, c), k10 = x1 == x0 ? k00 : mip_tower<Level - 1>(a, image, images, x1, y0, c);
        const float k01 = y1 == y0 ? k00 : mip_tower<Level - 1>(a, image, images, x0, y1, c);
        const float k11 = y1 == y0 ? k10 : x1 == x0 ? k01 : mip_tower<Level - 1>(a, image, images, x1, y1, c);
        const float value = 0.25f * ((k00 + k10) + (k01 + k11));
        int64 before = 0;  // texels of the levels made between
        for (int l = 1; l < Level; ++l) before += images * halved_times(a.w, l) * halved_times(a.h, l);
        a.above[(before + (image * h + y) * w + x) * a.C + c] = value;
        return value;
    }
}

GLRAST_INLINE void texture_mip_tower_element(const TextureMipTowerArgs& a, int x, int count, Row row) {
    const int64 images = a.rows / a.H;
    for (int end = x + count; x < end; ++x) {
        const int texel = x / a.C, c = x - texel * a.C;
        if (a.levels == 1) mip_tower<1>(a, row.n, images, texel, row.y, c);
        else if (a.levels == 2) mip_tower<2>(a, row.n, images, texel, row.y, c);
        else mip_tower<3>(a, row.n, images, texel, row.y, c);
    }
}
GLRAST_KERNEL(texture_mip_tower, TextureMipTowerArgs)

struct TextureMipCollectArgs {
    int width;                // C * w
    int H;                    // h
    int64 rows;               // B*h or B*6*h
    float* grad;              // [texels,C]: of tex and its levels
    int64 levels[GLRAST_LEVELS];  // as in TextureArgs
    int last;
    int C;
};

// Texel by texel of tex: its own gradient += its share of those of all levels above it.
GLRAST_INLINE void texture_mip_collect_element(const TextureMipCollectArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) {
        const int texel = x / a.C, c = x - texel * a.C, w = a.width / a.C;
        float sum = 0.0f;
        for (int l = a.last; l > 0; --l) {
            const int wl = halved_times(w, l), hl = halved_times(a.H, l);
            const float share = (halved_times(w, l - 1) > wl ? 0.5f : 1.0f) * (halved_times(a.H, l - 1) > hl ? 0.5f : 1.0f);
            const float own = a.grad[(a.levels[l] + (row.n * hl + (row.y >> l)) * wl + (texel >> l)) * a.C + c];
            sum = share * (own + sum);
        }
        a.grad[row.index * a.width + x] += sum;
    }
}
GLRAST_KERNEL(texture_mip_collect, TextureMipCollectArgs)
