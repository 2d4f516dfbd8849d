// Which four texels a sample lies between, at one level, by boundary mode. Texel i covers [i, i+1); its centre is i + 1/2.
#pragma once
#include "lanes.cuh"

enum Filter { kNearest, kLinear, kLinearMipmapNearest, kLinearMipmapLinear };
enum Boundary { kWrap, kClamp, kZero, kMirror, kCube };

// Texels are counted from the image's first, -1 is a missing one; or from the first of the four, where none can be missing.
struct Footprint {
    int64 at[4];   // (x0,y0), (x1,y0), (x0,y1), (x1,y1)
    float fx, fy;  // weights of x1 and y1
    bool whole;    // none is missing
    bool corner;   // the missing one is the fourth texel at a cube corner: the mean of the other three
};

// What lanes.cuh leaves to be said here. |t| < 2^31 where a whole number is asked for.
#ifdef __CUDACC__
GLRAST_INLINE int floor_int(float t) { return __float2int_rd(t); }
GLRAST_INLINE float floor_any(float t) { return floorf(t); }
GLRAST_INLINE float to_floats(int i) { return (float)i; }
GLRAST_INLINE int to_ints(float t) { return (int)t; }
GLRAST_INLINE int choose(bool m, int a, int b) { return m ? a : b; }
GLRAST_INLINE float lane(float a, int) { return a; }
GLRAST_INLINE int lane(int a, int) { return a; }
GLRAST_INLINE int splat_int(int i) { return i; }
GLRAST_INLINE bool are_finite(float a) { return is_finite(a); }
GLRAST_INLINE int halved(int extent, int times) { return extent >> times ? extent >> times : 1; }
#else
GLRAST_INLINE int floor_int(float t) { const int i = (int)t; return i - (t < (float)i); }  // no call to libm
GLRAST_INLINE Floats to_floats(Ints i) { return __builtin_convertvector(i, Floats); }
GLRAST_INLINE Ints to_ints(Floats t) { return __builtin_convertvector(t, Ints); }
typedef unsigned Words __attribute__((vector_size(16)));  // lanes that are not asked for may overflow
GLRAST_INLINE Ints floor_int(Floats t) { const Ints i = to_ints(t); return (Ints)((Words)i + (Words)(t < to_floats(i))); }
GLRAST_INLINE float floor_any(float t) { return fabsf(t) < 8388608.0f ? (float)floor_int(t) : t; }  // from 2^23 all are whole
GLRAST_INLINE Floats floor_any(Floats t) { return select(magnitude(t) < 8388608.0f, to_floats(floor_int(t)), t); }
GLRAST_INLINE Ints choose(Mask m, Ints a, Ints b) { return (a & m) | (b & ~m); }
GLRAST_INLINE float lane(Floats a, int l) { return a[l]; }
GLRAST_INLINE int lane(Ints a, int l) { return a[l]; }
GLRAST_INLINE Ints splat_int(int i) { return Ints{i, i, i, i}; }
GLRAST_INLINE Mask are_finite(Floats a) { return magnitude(a) <= 3.402823466e38f; }
GLRAST_INLINE Ints halved(int extent, Ints times) {  // exact: |times| < 31, and sizes that are asked for are below 2^24
    return to_ints(higher((float)extent * (Floats)((127 - times) << 23), splat(1.0f)));
}
#endif

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
