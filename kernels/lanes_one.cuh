// One lane: the words of lanes.cuh on CUDA, where lanes_many.cuh says what each means.
#pragma once
#include "common.cuh"

#define GLRAST_LANES 1
#define GLRAST_GROUPS 1
#define GLRAST_UNROLL

typedef float Floats;
typedef int Ints;
typedef bool Mask;
struct Rows { Floats x, y, z, w; };
struct Pair { Floats x, y; };

GLRAST_INLINE void prefetch(const float*) {}

GLRAST_INLINE float splat(float a) { return a; }
GLRAST_INLINE int splat_int(int i) { return i; }
GLRAST_INLINE float lane_numbers() { return 0.0f; }
GLRAST_INLINE float lane(float a, int) { return a; }
GLRAST_INLINE int lane(int a, int) { return a; }
GLRAST_INLINE void set_lane(float& a, int, float value) { a = value; }
GLRAST_INLINE void set_lane(int& a, int, int value) { a = value; }
GLRAST_INLINE bool lane_is_set(bool m, int) { return m; }
GLRAST_INLINE void set_mask(bool& m, int, bool value) { m = value; }
GLRAST_INLINE int lane_bits(bool m) { return m; }
GLRAST_INLINE float select(bool m, float a, float b) { return m ? a : b; }
GLRAST_INLINE int choose(bool m, int a, int b) { return m ? a : b; }

GLRAST_INLINE float magnitude(float a) { return fabsf(a); }
GLRAST_INLINE float lower(float a, float b) { return a < b ? a : b; }
GLRAST_INLINE float higher(float a, float b) { return a > b ? a : b; }
GLRAST_INLINE float floors(float a) { return floorf(a); }
GLRAST_INLINE float floor_any(float t) { return floorf(t); }
GLRAST_INLINE int floor_int(float t) { return __float2int_rd(t); }
GLRAST_INLINE float to_floats(int i) { return (float)i; }
GLRAST_INLINE int to_ints(float t) { return (int)t; }
GLRAST_INLINE int narrow(const int64 v[1]) { return (int)v[0]; }
GLRAST_INLINE float square_root(float t) { return sqrtf(t); }
GLRAST_INLINE float log2_lanes(float t) { return t >= 1.17549435e-38f ? log2f(t) : -bits_float(0x7f800000); }
GLRAST_INLINE int halved(int extent, int times) { return extent >> times ? extent >> times : 1; }
GLRAST_INLINE float encode_ids(int ids) { return encode_id(ids); }

GLRAST_INLINE int load_ints(const int* p, int) { return p[0]; }
GLRAST_INLINE float load_floats(const float* p, int) { return p[0]; }
GLRAST_INLINE void store_floats(float* p, int, float v) { p[0] = v; }
GLRAST_INLINE Pair load_pairs(const float* p, int) { return Pair{p[0], p[1]}; }
GLRAST_INLINE void store_pairs(float* p, int, Pair v) { p[0] = v.x; p[1] = v.y; }
GLRAST_INLINE Rows load_rows(const float* const p[1]) { const Float4 v = load4(p[0]); return Rows{v.x, v.y, v.z, v.w}; }
GLRAST_INLINE void store_rows(float* p, int, Rows r) { store4(p, Float4{r.x, r.y, r.z, r.w}); }
GLRAST_INLINE void add_rows(int key, float* const p[3][1], const bool on[1], const Rows r[3]) {
    if (!on[0]) return;
    const Sharers sharers = sharers_of(key);
    float sums[9] = {r[0].x, r[0].y, r[0].w, r[1].x, r[1].y, r[1].w, r[2].x, r[2].y, r[2].w};
    sum_shared(sharers, sums);
    for (int k = 0; k < 3 && sharers.adds; ++k) add_row<false>(p[k][0], sums[3 * k], sums[3 * k + 1], 0.0f, sums[3 * k + 2]);
}

GLRAST_INLINE float load_channels(const float* p, int) { return p[0]; }
GLRAST_INLINE void store_channels(float* p, int, float v) { p[0] = v; }
GLRAST_INLINE void add_channels(float* p, int, float v) { GLRAST_ADD(p, v); }
GLRAST_INLINE float sum_channels(const float v[1], int) { return v[0]; }
GLRAST_INLINE float sum_of(float v, int) { return v; }

// ---- up to four channels of a pixel ----------------------------------------------------------------------

struct Four { float v[4]; };
#define CHANNELS_OF_FOUR(name, expression)                                                            \
    GLRAST_INLINE Four name { Four out; for (int i = 0; i < 4; ++i) out.v[i] = expression; return out; }
CHANNELS_OF_FOUR(operator+(const Four& a, const Four& b), a.v[i] + b.v[i])
CHANNELS_OF_FOUR(operator-(const Four& a, const Four& b), a.v[i] - b.v[i])
CHANNELS_OF_FOUR(operator*(const Four& a, const Four& b), a.v[i] * b.v[i])
CHANNELS_OF_FOUR(operator*(float a, const Four& b), a * b.v[i])
CHANNELS_OF_FOUR(load_four(const float* p, int count), i < count ? p[i] : 0.0f)
CHANNELS_OF_FOUR(no_four(), 0.0f)
#undef CHANNELS_OF_FOUR
GLRAST_INLINE void operator+=(Four& a, const Four& b) { for (int i = 0; i < 4; ++i) a.v[i] += b.v[i]; }
GLRAST_INLINE void store_four(float* p, int count, const Four& a) { for (int i = 0; i < 4; ++i) if (i < count) p[i] = a.v[i]; }
GLRAST_INLINE float sum_four(const Four& a, int count) {
    float sum = a.v[0];
    for (int i = 1; i < 4; ++i) if (i < count) sum += a.v[i];
    return sum;
}

// p[i] += a[i], i < count, summed over those who share first. `Aligned`: count is 4, and p at an address of 16 bytes.
template <bool Aligned>
GLRAST_INLINE void add_four(const Sharers& sharers, float* p, int count, const Four& a) {
    float sums[4] = {a.v[0], a.v[1], a.v[2], a.v[3]};
    sum_shared(sharers, sums);
    if (!sharers.adds) return;
    if constexpr (Aligned) {
        add_aligned(p, sums);
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) if (i < count) add(p + i, sums[i]);
    }
}

// Texel p += weight y of C channels, `Fixed` or any number.
template <int Fixed>
GLRAST_INLINE void add_texel(const Sharers& sharers, float* p, float weight, const float* y, int channels) {
    const int C = Fixed ? Fixed : channels;
    for (int i = 0; i < C; i += 4) add_four<Fixed == 4>(sharers, p + i, C - i, weight * load_four(y + i, C - i));
}
template <int Fixed>
GLRAST_INLINE void add_texel(float* p, float weight, const float* y, int channels) {
    add_texel<Fixed>(sharers_of((unsigned long long)p), p, weight, y, channels);
}

// The texels of a footprint, to[k] += w[k] y; null: none; `width`: texels in a row. Pixels with the same first texel have all four
// in common where x1 is x0 or the next, and y1 likewise: one match and a vote, some 20 instructions, then stand for 4, and
// rounds of sums follow only where somebody shares. Other footprints, at the seams of wrapped textures and of cubes, are few.
template <int Fixed, bool>
GLRAST_INLINE void add_texels(float* const to[4], bool all, int width, const float w[4], const float* y, int channels, int) {
    const int C = Fixed ? Fixed : channels;
    const int64 right = to[1] - to[0], up = to[2] - to[0];
    if (all && (right == 0 || right == C) && (up == 0 || up == (int64)width * C) && to[3] - to[2] == right) {
        const Sharers sharers = sharers_of((unsigned long long)to[0] | (right ? 1 : 0) | (up ? 2 : 0));
        GLRAST_ROLLED
        for (int k = 0; k < 4; ++k)
            add_texel<Fixed>(sharers, to[0] + (k & 1 ? right : 0) + (k & 2 ? up : 0), k & 1 ? k & 2 ? w[3] : w[1] : k & 2 ? w[2] : w[0], y, C);
    } else {
        GLRAST_ROLLED
        for (int k = 0; k < 4; ++k) {
            float* p = k & 1 ? k & 2 ? to[3] : to[1] : k & 2 ? to[2] : to[0];
            if (p) add_texel<Fixed>(p, k & 1 ? k & 2 ? w[3] : w[1] : k & 2 ? w[2] : w[0], y, C);
        }
    }
}
