// Which four texels a sample lies between, at one level, by boundary mode. Texel i covers [i, i+1); its centre is i + 1/2.
#pragma once
#include "lanes.cuh"
#include "texture/arguments.cuh"

// Texels are counted from the image's first, -1 is a missing one; or from the first of the four, where none can be missing.
struct Footprint {
    int64 at[4];   // (x0,y0), (x1,y0), (x0,y1), (x1,y1)
    float fx, fy;  // weights of x1 and y1
    bool whole;    // none is missing
    bool corner;   // the missing one is the fourth texel at a cube corner: the mean of the other three
};

// Along one axis: two neighbouring texels, the weight of the second, d t/d u.
struct Axis { Ints i0, i1; Floats f, slope; };

// `size` texels, as whole floats. Outside the texture: -1.
GLRAST_INLINE Axis texel_pair(Floats u, Floats size, int boundary) {
    const Ints n = to_ints(size);
    if (boundary == kWrap) {
        const Floats t = (u - floor_any(u)) * size - 0.5f;
        const Ints i = floor_int(t), j = i + 1;
        return Axis{choose(i < 0, n - 1, i), choose(j >= n, j - j, j), t - to_floats(i), size};
    }
    if (boundary == kClamp) {
        const Floats t = u * size - 0.5f, last = size - 1.0f, none = last - last;
        const Floats held = lower(higher(t, none), last);
        const Ints i = to_ints(held), j = i + 1;
        return Axis{i, choose(j < n, j, i), held - to_floats(i), select(t > none, select(t < last, size, none), none)};
    }
    if (boundary == kZero) {  // two texels beyond either end everything is missing
        const Floats t = lower(higher(u * size - 0.5f, splat(-2.0f)), size + 1.0f);
        const Ints i = floor_int(t), j = i + 1, missing = n - n - 1;
        return Axis{choose(i < n, choose(i < 0, missing, i), missing), choose(j < n, choose(j < 0, missing, j), missing),
                    t - to_floats(i), size};
    }
    const Floats m = u - 2.0f * floor_any(0.5f * u);  // kMirror: there and back, period 2
    const Floats t = select(m > 1.0f, 2.0f - m, m) * size - 0.5f;
    const Ints i = floor_int(t), j = i + 1;
    return Axis{choose(i < 0, i - i, i), choose(j < n, j, n - 1), t - to_floats(i), select(m > 1.0f, -size, size)};
}

// The footprint of lane l, some of whose texels may be missing.
GLRAST_INLINE Footprint flat_footprint(const Axis& x, const Axis& y, int l, int width) {
    const int x0 = lane(x.i0, l), x1 = lane(x.i1, l), y0 = lane(y.i0, l), y1 = lane(y.i1, l);
    const int64 row0 = (int64)y0 * width, row1 = (int64)y1 * width;
    Footprint f = {{row0 + x0, row0 + x1, row1 + x0, row1 + x1}, lane(x.f, l), lane(y.f, l), true, false};
    if ((x0 | x1 | y0 | y1) < 0) {
        f.whole = false;
        for (int k = 0; k < 4; ++k) if ((k & 1 ? x1 : x0) < 0 || (k & 2 ? y1 : y0) < 0) f.at[k] = -1;
    }
    return f;
}

// floor(u size), brought into the texture; -1: missing.
GLRAST_INLINE int nearest_texel(float u, int size, int boundary) {
    const float n = (float)size;
    if (boundary == kWrap) u -= floor_any(u);
    if (boundary == kMirror) { u -= 2.0f * floor_any(0.5f * u); u = u > 1.0f ? 2.0f - u : u; }
    const int i = floor_int(minimum(maximum(u * n, -1.0f), n));
    if (boundary == kZero) return i < size ? i : -1;
    return i < 0 ? 0 : i < size ? i : size - 1;
}
