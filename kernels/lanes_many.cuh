// Four or eight lanes: the words of lanes.cuh on the CPU, by the vector types of GCC and clang.
#pragma once
#include "common.cuh"
#ifdef __SSE__
#include <immintrin.h>
#endif

#if defined(GLRAST_WIDE) && defined(__AVX2__)
#define GLRAST_LANES 8
#else
#define GLRAST_LANES 4
#endif
#define GLRAST_GROUPS 8
#ifdef __clang__
#define GLRAST_UNROLL _Pragma("unroll")
#define GLRAST_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define GLRAST_UNROLL _Pragma("GCC unroll 8")
#define GLRAST_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Ints{__VA_ARGS__})
#endif
#define GLRAST_LANE static inline __attribute__((always_inline))

// What depends on the number of lanes. shuffle: of each half of a and b (a whole register of four lanes is one half) the
// values with these numbers, 0 to 3 of a, 4 to 7 of b. join: row k of each half, k < 4: rows k and k + 4.
template <int N>
struct lanes_many;

template <>
struct lanes_many<4> {
    typedef float Floats __attribute__((vector_size(16)));
    typedef int Ints __attribute__((vector_size(16)));
    typedef unsigned Words __attribute__((vector_size(16)));
    GLRAST_LANE Floats splat(float a) { return Floats{a, a, a, a}; }
    GLRAST_LANE Ints splat(int a) { return Ints{a, a, a, a}; }
    GLRAST_LANE Floats numbers() { return Floats{0.0f, 1.0f, 2.0f, 3.0f}; }
    template <int i, int j, int k, int l>
    GLRAST_LANE Floats shuffle(Floats a, Floats b) { return GLRAST_SHUFFLE(a, b, i, j, k, l); }
    GLRAST_LANE Floats load(const float* p) { Floats v; std::memcpy(&v, p, sizeof v); return v; }
    GLRAST_LANE Floats join(const float* const p[4], int k) { return load(p[k]); }
    GLRAST_LANE Floats half(Floats v, int) { return v; }
#ifdef __SSE__
    GLRAST_LANE int bits(Ints m) { return _mm_movemask_ps((Floats)m); }
    GLRAST_LANE Floats lower(Floats a, Floats b) { return _mm_min_ps(a, b); }
    GLRAST_LANE Floats higher(Floats a, Floats b) { return _mm_max_ps(a, b); }
    GLRAST_LANE Floats square_root(Floats t) { return _mm_sqrt_ps(t); }
#else
    GLRAST_LANE int bits(Ints m) { return (m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8); }
    GLRAST_LANE Floats lower(Floats a, Floats b) { const Ints m = a < b; return (Floats)(((Ints)a & m) | ((Ints)b & ~m)); }
    GLRAST_LANE Floats higher(Floats a, Floats b) { const Ints m = a > b; return (Floats)(((Ints)a & m) | ((Ints)b & ~m)); }
    GLRAST_LANE Floats square_root(Floats t) { return Floats{sqrtf(t[0]), sqrtf(t[1]), sqrtf(t[2]), sqrtf(t[3])}; }
#endif
};

#ifdef __AVX2__
template <>
struct lanes_many<8> {
    typedef float Floats __attribute__((vector_size(32)));
    typedef int Ints __attribute__((vector_size(32)));
    typedef unsigned Words __attribute__((vector_size(32)));
    typedef lanes_many<4>::Floats Half;
    GLRAST_LANE Floats splat(float a) { return Floats{a, a, a, a, a, a, a, a}; }
    GLRAST_LANE Ints splat(int a) { return Ints{a, a, a, a, a, a, a, a}; }
    GLRAST_LANE Floats numbers() { return Floats{0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f}; }
    static constexpr int in_half(int i) { return i % 4 + i / 4 * 8; }
    template <int i, int j, int k, int l>
    GLRAST_LANE Floats shuffle(Floats a, Floats b) {
        constexpr int q[4] = {in_half(i), in_half(j), in_half(k), in_half(l)};
        return GLRAST_SHUFFLE(a, b, q[0], q[1], q[2], q[3], q[0] + 4, q[1] + 4, q[2] + 4, q[3] + 4);
    }
    GLRAST_LANE Floats load(const float* p) { Floats v; std::memcpy(&v, p, sizeof v); return v; }
    GLRAST_LANE Floats join(const float* const p[8], int k) {
        return _mm256_insertf128_ps(_mm256_castps128_ps256(lanes_many<4>::load(p[k])), lanes_many<4>::load(p[k + 4]), 1);
    }
    GLRAST_LANE Half half(Floats v, int h) { return h ? _mm256_extractf128_ps(v, 1) : _mm256_castps256_ps128(v); }
    GLRAST_LANE int bits(Ints m) { return _mm256_movemask_ps((Floats)m); }
    GLRAST_LANE Floats lower(Floats a, Floats b) { return _mm256_min_ps(a, b); }
    GLRAST_LANE Floats higher(Floats a, Floats b) { return _mm256_max_ps(a, b); }
    GLRAST_LANE Floats square_root(Floats t) { return _mm256_sqrt_ps(t); }
};
#endif

typedef lanes_many<GLRAST_LANES> Lanes;
typedef Lanes::Floats Floats;
typedef Lanes::Ints Ints;
typedef Ints Mask;  // -1 where it is set
typedef lanes_many<4>::Floats Quadruple;
struct Rows { Floats x, y, z, w; };
struct Pair { Quadruple x, y; };

GLRAST_INLINE void prefetch(const float* p) { __builtin_prefetch(p); }

GLRAST_INLINE Floats splat(float a) { return Lanes::splat(a); }
GLRAST_INLINE Ints splat_int(int i) { return Lanes::splat(i); }
GLRAST_INLINE Floats lane_numbers() { return Lanes::numbers(); }
GLRAST_INLINE float lane(Floats a, int l) { return a[l]; }
GLRAST_INLINE int lane(Ints a, int l) { return a[l]; }
GLRAST_INLINE void set_lane(Floats& a, int l, float value) { a[l] = value; }
GLRAST_INLINE void set_lane(Ints& a, int l, int value) { a[l] = value; }
GLRAST_INLINE bool lane_is_set(Mask m, int l) { return m[l] != 0; }
GLRAST_INLINE void set_mask(Mask& m, int l, bool value) { m[l] = value ? -1 : 0; }
GLRAST_INLINE int lane_bits(Mask m) { return Lanes::bits(m); }
GLRAST_INLINE Ints choose(Mask m, Ints a, Ints b) { return (a & m) | (b & ~m); }
GLRAST_INLINE Floats select(Mask m, Floats a, Floats b) { return (Floats)choose(m, (Ints)a, (Ints)b); }

// ---- arithmetic ------------------------------------------------------------------------------------------

GLRAST_INLINE Floats magnitude(Floats a) { return (Floats)((Ints)a & 0x7fffffff); }
GLRAST_INLINE Floats lower(Floats a, Floats b) { return Lanes::lower(a, b); }  // b where either is NaN
GLRAST_INLINE Floats higher(Floats a, Floats b) { return Lanes::higher(a, b); }
GLRAST_INLINE Floats square_root(Floats t) { return Lanes::square_root(t); }
GLRAST_INLINE Floats to_floats(Ints i) { return __builtin_convertvector(i, Floats); }
GLRAST_INLINE Ints to_ints(Floats t) { return __builtin_convertvector(t, Ints); }

// Of values that an int can hold; floor_any of any.
GLRAST_INLINE Floats floors(Floats a) { const Floats whole = to_floats(to_ints(a)); return select(whole > a, whole - 1.0f, whole); }
GLRAST_INLINE int floor_int(float t) { const int i = (int)t; return i - (t < (float)i); }  // no call to libm
GLRAST_INLINE Ints floor_int(Floats t) {  // lanes that are not asked for may overflow
    const Ints i = to_ints(t);
    return (Ints)((Lanes::Words)i + (Lanes::Words)(t < to_floats(i)));
}
GLRAST_INLINE float floor_any(float t) { return fabsf(t) < 8388608.0f ? (float)floor_int(t) : t; }  // from 2^23 all are whole
GLRAST_INLINE Floats floor_any(Floats t) { return select(magnitude(t) < 8388608.0f, to_floats(floor_int(t)), t); }

// log2 t, from t's exponent and a series; -infinity for t below 2^-126 and NaN.
GLRAST_INLINE Floats log2_lanes(Floats t) {
    const Ints bits = (Ints)t, exponent = (bits - 0x3f3504f3) >> 23;  // the mantissa m lies between 1/sqrt 2 and sqrt 2
    const Floats m = (Floats)(bits - (exponent << 23));
    const Floats s = (m - 1.0f) / (m + 1.0f), q = s * s;           // log m = 2 artanh s; |s| < 0.172: the rest is below 1e-9
    const Floats series = s * (2.88539008f + q * (0.961796694f + q * (0.577078016f + q * (0.412198583f + q * 0.320598898f))));
    return select(t >= 1.17549435e-38f, to_floats(exponent) + series, splat(-bits_float(0x7f800000)));
}

// extent / 2^times, at least 1. Exact: |times| < 31, and sizes that are asked for are below 2^24.
GLRAST_INLINE Ints halved(int extent, Ints times) {
    return to_ints(higher((float)extent * (Floats)((127 - times) << 23), splat(1.0f)));
}

GLRAST_INLINE Floats encode_ids(Ints ids) {
    if (!lane_bits(ids > GLRAST_ID_PLAIN_MAX)) return to_floats(ids);
    Floats v = {};
    for (int l = 0; l < GLRAST_LANES; ++l) v[l] = encode_id(ids[l]);
    return v;
}

// ---- memory ----------------------------------------------------------------------------------------------

GLRAST_INLINE Quadruple load_unaligned(const float* p) { return lanes_many<4>::load(p); }
GLRAST_INLINE void store_unaligned(float* p, Quadruple v) { std::memcpy(p, &v, sizeof v); }

GLRAST_INLINE Ints narrow(const int64 v[GLRAST_LANES]) {
    Ints out = {};
    for (int l = 0; l < GLRAST_LANES; ++l) out[l] = (int)v[l];
    return out;
}

// Consecutive values; lanes beyond `count` hold 0.
GLRAST_INLINE Ints load_ints(const int* p, int count) {
    Ints v = {};
    if (count >= GLRAST_LANES) std::memcpy(&v, p, sizeof v);
    else for (int l = 0; l < count; ++l) v[l] = p[l];
    return v;
}

// In each half: the four values of a row become one of each of four rows, and back.
template <class L>
GLRAST_INLINE void transpose(typename L::Floats& x, typename L::Floats& y, typename L::Floats& z, typename L::Floats& w) {
    const auto a = L::template shuffle<0, 4, 1, 5>(x, y), b = L::template shuffle<0, 4, 1, 5>(z, w);
    const auto c = L::template shuffle<2, 6, 3, 7>(x, y), d = L::template shuffle<2, 6, 3, 7>(z, w);
    x = L::template shuffle<0, 1, 4, 5>(a, b);  y = L::template shuffle<2, 3, 6, 7>(a, b);
    z = L::template shuffle<0, 1, 4, 5>(c, d);  w = L::template shuffle<2, 3, 6, 7>(c, d);
}

GLRAST_INLINE Rows transpose(Rows r) { transpose<Lanes>(r.x, r.y, r.z, r.w); return r; }

// The four values of one of a transposed `Rows`.
GLRAST_INLINE Quadruple row_in(const Rows& t, int l) {
    return Lanes::half(l % 4 == 0 ? t.x : l % 4 == 1 ? t.y : l % 4 == 2 ? t.z : t.w, l / 4);
}

GLRAST_INLINE Rows load_rows(const float* const p[GLRAST_LANES]) {
    return transpose(Rows{Lanes::join(p, 0), Lanes::join(p, 1), Lanes::join(p, 2), Lanes::join(p, 3)});
}

GLRAST_INLINE void store_rows(float* p, int count, Rows r) {
    const Rows t = transpose(r);
    GLRAST_UNROLL
    for (int l = 0; l < GLRAST_LANES; ++l)
        if (l < count) store_unaligned(p + 4 * l, row_in(t, l));
}

// Adds three rows of each lane that is `on` (x, y, w: gradients of clip positions have no z): the first of four lanes,
// their second, their third, then those of the next four. So the order, and with it every bit of the sums, is the same
// for any number of lanes.
GLRAST_INLINE void add_rows(Ints, float* const p[3][GLRAST_LANES], const bool on[GLRAST_LANES], const Rows r[3]) {
    const Rows t[3] = {transpose(r[0]), transpose(r[1]), transpose(r[2])};
    for (int from = 0; from < GLRAST_LANES; from += 4)
        for (int k = 0; k < 3; ++k)
            for (int l = from; l < from + 4; ++l)
                if (on[l]) store_unaligned(p[k][l], load_unaligned(p[k][l]) + row_in(t[k], l));
}

// ---- four at a time, whatever GLRAST_LANES is: one value, or two, of consecutive pixels, or the channels of one -----
// Lanes beyond `count` hold 0 and are not stored.

GLRAST_INLINE Quadruple load_channels(const float* p, int count) {
    if (count >= 4) return load_unaligned(p);
    if (count == 3) return Quadruple{p[0], p[1], p[2], 0.0f};
    return Quadruple{p[0], count > 1 ? p[1] : 0.0f, 0.0f, 0.0f};
}

GLRAST_INLINE void store_channels(float* p, int count, Quadruple v) {
    if (count >= 4) store_unaligned(p, v);
    else if (count == 3) std::memcpy(p, &v, 3 * sizeof(float));
    else if (count == 2) std::memcpy(p, &v, 2 * sizeof(float));
    else p[0] = v[0];
}

GLRAST_INLINE void add_channels(float* p, int count, Quadruple v) { store_channels(p, count, load_channels(p, count) + v); }

// The sum of up to four channels, one after the other.
GLRAST_INLINE float sum_of(Quadruple v, int count) {
    return count == 1 ? v[0] : count == 2 ? v[0] + v[1] : count == 3 ? v[0] + v[1] + v[2] : v[0] + v[1] + v[2] + v[3];
}

// The same words where CUDA takes four channels of its one pixel, too.
typedef Quadruple Four;
GLRAST_INLINE Four no_four() { return Four{}; }
GLRAST_INLINE Four load_four(const float* p, int count) { return load_channels(p, count); }
GLRAST_INLINE void store_four(float* p, int count, Four v) { store_channels(p, count, v); }
GLRAST_INLINE float sum_four(Four v, int count) { return sum_of(v, count); }
template <bool Aligned>
GLRAST_INLINE void add_four(Sharers, float* p, int count, Four v) { add_channels(p, count, v); }

// For each of four pixels the sum of its channels, of which the first `count` of a register count.
GLRAST_INLINE Quadruple sum_channels(const Quadruple v[4], int count) {
    Quadruple x = v[0], y = v[1], z = v[2], w = v[3];
    transpose<lanes_many<4>>(x, y, z, w);
    return count == 1 ? x : count == 3 ? x + y + z : (x + y) + (z + w);
}

GLRAST_INLINE Quadruple load_floats(const float* p, int count) {
    if (count >= 4) return load_unaligned(p);
    return Quadruple{p[0], count > 1 ? p[1] : 0.0f, count > 2 ? p[2] : 0.0f, 0.0f};
}

GLRAST_INLINE void store_floats(float* p, int count, Quadruple v) {
    if (count >= 4) store_unaligned(p, v);
    else for (int l = 0; l < count; ++l) p[l] = v[l];
}

GLRAST_INLINE Pair load_pairs(const float* p, int count) {
    const Quadruple low = load_floats(p, 2 * count), high = count > 2 ? load_floats(p + 4, 2 * count - 4) : Quadruple{};
    return Pair{lanes_many<4>::shuffle<0, 2, 4, 6>(low, high), lanes_many<4>::shuffle<1, 3, 5, 7>(low, high)};
}

GLRAST_INLINE void store_pairs(float* p, int count, Pair v) {
    store_floats(p, 2 * count, lanes_many<4>::shuffle<0, 4, 1, 5>(v.x, v.y));
    if (count > 2) store_floats(p + 4, 2 * count - 4, lanes_many<4>::shuffle<2, 6, 3, 7>(v.x, v.y));
}

// Texel p += weight y of C channels, how many the compiler knows or not.
template <int>
GLRAST_INLINE void add_texel(float* p, float weight, const float* y, int C) {
    for (int i = 0; i < C; i += 4) add_channels(p + i, C - i, weight * load_channels(y + i, C - i));
}

// to[k] += w[k] y, the four texels of a footprint; null: none; `all`: none is. Roomy: four channels may be read where there are
// three, and `room` of them written.
template <int, bool Roomy>
GLRAST_INLINE void add_texels(float* const to[4], bool all, int, const float w[4], const float* p, int C, int room) {
    for (int i = 0; i < C; i += 4) {
        const Quadruple y = load_channels(p + i, Roomy ? 4 : C - i);
        if (all) for (int k = 0; k < 4; ++k) add_channels(to[k] + i, room - i, w[k] * y);
        else for (int k = 0; k < 4; ++k) if (to[k]) add_channels(to[k] + i, room - i, w[k] * y);
    }
}
