// Neighbouring pixels in the lanes of one register. On CUDA a thread is one pixel and has one lane, so `Floats` is
// float and everything here is what it says; on the CPU four pixels share the arithmetic, written once; eight where the
// processor has such registers (AVX2) and the file that includes this defines GLRAST_WIDE.
// Only vertices are fetched lane by lane, since each pixel may see another triangle.
#pragma once
#include "common.cuh"

// Where a kernel waits for memory, GLRAST_GROUPS registers of pixels go together: the addresses of all are found and asked
// for (prefetch) before the first is used.
#ifdef __CUDACC__
#define GLRAST_LANES 1
#define GLRAST_GROUPS 1
#define GLRAST_UNROLL
GLRAST_INLINE void prefetch(const float*) {}
typedef float Floats;
typedef int Ints;
typedef bool Mask;
GLRAST_INLINE int lane_bits(bool m) { return m; }
GLRAST_INLINE float select(bool m, float a, float b) { return m ? a : b; }
GLRAST_INLINE float lane_numbers() { return 0.0f; }
GLRAST_INLINE float magnitude(float a) { return fabsf(a); }
GLRAST_INLINE float splat(float a) { return a; }
GLRAST_INLINE void set_lane(float& a, int, float value) { a = value; }
GLRAST_INLINE void set_lane(int& a, int, int value) { a = value; }
GLRAST_INLINE bool lane_is_set(bool m, int) { return m; }
GLRAST_INLINE void set_mask(bool& m, int, bool value) { m = value; }
#else
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
#else
#define GLRAST_UNROLL _Pragma("GCC unroll 8")
#endif
GLRAST_INLINE void prefetch(const float* p) { __builtin_prefetch(p); }
typedef float Floats __attribute__((vector_size(4 * GLRAST_LANES)));
typedef int Ints __attribute__((vector_size(4 * GLRAST_LANES)));
typedef Ints Mask;
#if GLRAST_LANES == 8
GLRAST_INLINE int lane_bits(Mask m) { return _mm256_movemask_ps((Floats)m); }
GLRAST_INLINE Floats lane_numbers() { return Floats{0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f}; }
GLRAST_INLINE Floats splat(float a) { return Floats{a, a, a, a, a, a, a, a}; }
#else
#ifdef __SSE__
GLRAST_INLINE int lane_bits(Mask m) { return _mm_movemask_ps((Floats)m); }
#else
GLRAST_INLINE int lane_bits(Mask m) { return (m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8); }
#endif
GLRAST_INLINE Floats lane_numbers() { return Floats{0.0f, 1.0f, 2.0f, 3.0f}; }
GLRAST_INLINE Floats splat(float a) { return Floats{a, a, a, a}; }
#endif
GLRAST_INLINE Floats select(Mask m, Floats a, Floats b) { return (Floats)(((Ints)a & m) | ((Ints)b & ~m)); }
GLRAST_INLINE Floats magnitude(Floats a) { return (Floats)((Ints)a & 0x7fffffff); }
GLRAST_INLINE void set_lane(Floats& a, int l, float value) { a[l] = value; }
GLRAST_INLINE void set_lane(Ints& a, int l, int value) { a[l] = value; }
GLRAST_INLINE bool lane_is_set(Mask m, int l) { return m[l] != 0; }
GLRAST_INLINE void set_mask(Mask& m, int l, bool value) { m[l] = value ? -1 : 0; }
#endif

GLRAST_INLINE bool any(Mask m) { return lane_bits(m) != 0; }

GLRAST_INLINE Floats encode_ids(Ints ids) {
#ifdef __CUDACC__
    return encode_id(ids);
#else
    if (!any(ids > GLRAST_ID_PLAIN_MAX)) return __builtin_convertvector(ids, Floats);
    Floats v = {};
    for (int l = 0; l < GLRAST_LANES; ++l) v[l] = encode_id(ids[l]);
    return v;
#endif
}

// Consecutive values; lanes beyond `count` hold 0.
GLRAST_INLINE Ints load_ints(const int* p, int count) {
#ifdef __CUDACC__
    return p[0];
#else
    Ints v = {};
    if (count >= GLRAST_LANES) std::memcpy(&v, p, sizeof v);
    else for (int l = 0; l < count; ++l) v[l] = p[l];
    return v;
#endif
}

// b where either is NaN.
#if defined(__CUDACC__) || !defined(__SSE__)
GLRAST_INLINE Floats lower(Floats a, Floats b) { return select(a < b, a, b); }
GLRAST_INLINE Floats higher(Floats a, Floats b) { return select(a > b, a, b); }
#elif GLRAST_LANES == 8
GLRAST_INLINE Floats lower(Floats a, Floats b) { return _mm256_min_ps(a, b); }
GLRAST_INLINE Floats higher(Floats a, Floats b) { return _mm256_max_ps(a, b); }
#else
GLRAST_INLINE Floats lower(Floats a, Floats b) { return _mm_min_ps(a, b); }
GLRAST_INLINE Floats higher(Floats a, Floats b) { return _mm_max_ps(a, b); }
#endif

// Of values that an int can hold.
#ifdef __CUDACC__
GLRAST_INLINE Floats floors(Floats a) { return floorf(a); }
#else
GLRAST_INLINE Floats floors(Floats a) {
    const Floats whole = __builtin_convertvector(__builtin_convertvector(a, Ints), Floats);
    return select(whole > a, whole - 1.0f, whole);
}
#endif
GLRAST_INLINE Floats ceilings(Floats a) { return -floors(-a); }

// Four values of each of several pixels or vertices.
struct Rows { Floats x, y, z, w; };

#ifdef __CUDACC__

GLRAST_INLINE Rows load_rows(const float* const p[1]) { const Float4 v = load4(p[0]); return Rows{v.x, v.y, v.z, v.w}; }
GLRAST_INLINE void store_rows(float* p, int, Rows r) { store4(p, Float4{r.x, r.y, r.z, r.w}); }
// Adds x, y, w of three rows of each lane that is `on`; gradients of clip positions have no z.
GLRAST_INLINE void add_rows(float* const p[3][1], const bool on[1], const Rows r[3]) {
    for (int k = 0; k < 3 && on[0]; ++k) {
        GLRAST_ADD(p[k][0], r[k].x);
        GLRAST_ADD(p[k][0] + 1, r[k].y);
        GLRAST_ADD(p[k][0] + 3, r[k].w);
    }
}

#else

// The four values of one of a `Rows`.
typedef float Quadruple __attribute__((vector_size(16)));
GLRAST_INLINE Quadruple load_unaligned(const float* p) { Quadruple v; std::memcpy(&v, p, sizeof v); return v; }
GLRAST_INLINE void store_unaligned(float* p, Quadruple v) { std::memcpy(p, &v, sizeof v); }

// Of each half of a and b (a whole register of four lanes is one half) the values with these numbers: 0 to 3 of a, 4 to
// 7 of b.
#if GLRAST_LANES == 8
#define GLRAST_IN_HALF(i) (i) % 4 + (i) / 4 * 8
#define GLRAST_SHUFFLE(a, b, i, j, k, l) GLRAST_SHUFFLE_ALL(a, b, GLRAST_IN_HALF(i), GLRAST_IN_HALF(j), GLRAST_IN_HALF(k), \
    GLRAST_IN_HALF(l), GLRAST_IN_HALF(i) + 4, GLRAST_IN_HALF(j) + 4, GLRAST_IN_HALF(k) + 4, GLRAST_IN_HALF(l) + 4)
#else
#define GLRAST_SHUFFLE GLRAST_SHUFFLE_ALL
#endif
#ifdef __clang__
#define GLRAST_SHUFFLE_ALL(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define GLRAST_SHUFFLE_ALL(a, b, ...) __builtin_shuffle(a, b, Ints{__VA_ARGS__})
#endif

// In each half: the four values of a row become one of each of four rows, and back.
GLRAST_INLINE Rows transpose(Rows r) {
    const Floats a = GLRAST_SHUFFLE(r.x, r.y, 0, 4, 1, 5), b = GLRAST_SHUFFLE(r.z, r.w, 0, 4, 1, 5);
    const Floats c = GLRAST_SHUFFLE(r.x, r.y, 2, 6, 3, 7), d = GLRAST_SHUFFLE(r.z, r.w, 2, 6, 3, 7);
    return Rows{GLRAST_SHUFFLE(a, b, 0, 1, 4, 5), GLRAST_SHUFFLE(a, b, 2, 3, 6, 7),
                GLRAST_SHUFFLE(c, d, 0, 1, 4, 5), GLRAST_SHUFFLE(c, d, 2, 3, 6, 7)};
}

// Row k of each half, k < 4: rows k and k + 4.
#if GLRAST_LANES == 8
GLRAST_INLINE Floats join(const float* const p[8], int k) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(load_unaligned(p[k])), load_unaligned(p[k + 4]), 1);
}
GLRAST_INLINE Quadruple half(Floats v, int h) { return h ? _mm256_extractf128_ps(v, 1) : _mm256_castps256_ps128(v); }
#else
GLRAST_INLINE Floats join(const float* const p[4], int k) { return load_unaligned(p[k]); }
GLRAST_INLINE Quadruple half(Floats v, int) { return v; }
#endif

GLRAST_INLINE Quadruple row_in(const Rows& t, int l) {
    return half(l % 4 == 0 ? t.x : l % 4 == 1 ? t.y : l % 4 == 2 ? t.z : t.w, l / 4);
}

GLRAST_INLINE Rows load_rows(const float* const p[GLRAST_LANES]) {
    return transpose(Rows{join(p, 0), join(p, 1), join(p, 2), join(p, 3)});
}

GLRAST_INLINE void store_rows(float* p, int count, Rows r) {
    const Rows t = transpose(r);
    GLRAST_UNROLL
    for (int l = 0; l < GLRAST_LANES; ++l)
        if (l < count) store_unaligned(p + 4 * l, row_in(t, l));
}

// Adds three rows of each lane that is `on`: the first of four lanes, their second, their third, then those of the next
// four. So the order, and with it every bit of the sums, is the same for any number of lanes.
GLRAST_INLINE void add_rows(float* const p[3][GLRAST_LANES], const bool on[GLRAST_LANES], const Rows r[3]) {
    const Rows t[3] = {transpose(r[0]), transpose(r[1]), transpose(r[2])};
    for (int from = 0; from < GLRAST_LANES; from += 4)
        for (int k = 0; k < 3; ++k)
            for (int l = from; l < from + 4; ++l)
                if (on[l]) store_unaligned(p[k][l], load_unaligned(p[k][l]) + row_in(t[k], l));
}

#endif

// The rows of consecutive pixels; lanes beyond `count` repeat the first.
GLRAST_INLINE Rows load_pixels(const float* p, int count) {
    const float* rows[GLRAST_LANES];
    for (int l = 0; l < GLRAST_LANES; ++l) rows[l] = p + 4 * l;
    for (int l = count; l < GLRAST_LANES; ++l) rows[l] = p;
    return load_rows(rows);
}

#if GLRAST_LANES <= 4

// ---- one value, or two, of each of consecutive pixels; lanes beyond `count` hold 0 and are not stored ---------------

GLRAST_INLINE Floats load_floats(const float* p, int count) {
#ifdef __CUDACC__
    return p[0];
#else
    if (count >= 4) return load_unaligned(p);
    return Floats{p[0], count > 1 ? p[1] : 0.0f, count > 2 ? p[2] : 0.0f, 0.0f};
#endif
}

GLRAST_INLINE void store_floats(float* p, int count, Floats v) {
#ifdef __CUDACC__
    p[0] = v;
#else
    if (count >= 4) store_unaligned(p, v);
    else for (int l = 0; l < count; ++l) p[l] = v[l];
#endif
}

struct Pair { Floats x, y; };

GLRAST_INLINE Pair load_pairs(const float* p, int count) {
#ifdef __CUDACC__
    return Pair{p[0], p[1]};
#else
    const Floats low = load_floats(p, 2 * count), high = count > 2 ? load_floats(p + 4, 2 * count - 4) : splat(0.0f);
    return Pair{GLRAST_SHUFFLE(low, high, 0, 2, 4, 6), GLRAST_SHUFFLE(low, high, 1, 3, 5, 7)};
#endif
}

GLRAST_INLINE void store_pairs(float* p, int count, Pair v) {
#ifdef __CUDACC__
    p[0] = v.x; p[1] = v.y;
#else
    store_floats(p, 2 * count, GLRAST_SHUFFLE(v.x, v.y, 0, 4, 1, 5));
    if (count > 2) store_floats(p + 4, 2 * count - 4, GLRAST_SHUFFLE(v.x, v.y, 2, 6, 3, 7));
#endif
}

// ---- channels of one pixel in a register: up to GLRAST_LANES of the `count` that are left ---------------------------

GLRAST_INLINE Floats load_channels(const float* p, int count) {
#ifdef __CUDACC__
    return p[0];
#else
    if (count >= 4) return load_unaligned(p);
    if (count == 3) return Floats{p[0], p[1], p[2], 0.0f};
    return Floats{p[0], count > 1 ? p[1] : 0.0f, 0.0f, 0.0f};
#endif
}

GLRAST_INLINE void store_channels(float* p, int count, Floats v) {
#ifdef __CUDACC__
    p[0] = v;
#else
    if (count >= 4) store_unaligned(p, v);
    else if (count == 3) std::memcpy(p, &v, 3 * sizeof(float));
    else if (count == 2) std::memcpy(p, &v, 2 * sizeof(float));
    else p[0] = v[0];
#endif
}

GLRAST_INLINE void add_channels(float* p, int count, Floats v) {
#ifdef __CUDACC__
    GLRAST_ADD(p, v);
#else
    store_channels(p, count, load_channels(p, count) + v);
#endif
}

// For each pixel the sum of its channels, of which the first `count` of a register count.
GLRAST_INLINE Floats sum_channels(const Floats v[GLRAST_LANES], int count) {
#ifdef __CUDACC__
    return v[0];
#else
    const Rows t = transpose(Rows{v[0], v[1], v[2], v[3]});
    return count == 1 ? t.x : count == 3 ? t.x + t.y + t.z : (t.x + t.y) + (t.z + t.w);
#endif
}

// The sum of up to GLRAST_LANES channels, one after the other.
GLRAST_INLINE float sum_of(Floats v, int count) {
#ifdef __CUDACC__
    return v;
#else
    return count == 1 ? v[0] : count == 2 ? v[0] + v[1] : count == 3 ? v[0] + v[1] + v[2] : v[0] + v[1] + v[2] + v[3];
#endif
}

#endif

