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
GLRAST_INLINE void add_rows(float* const p[3][1], const bool on[1], const Rows r[3]) {
    for (int k = 0; k < 3 && on[0]; ++k) {
        GLRAST_ADD(p[k][0], r[k].x);
        GLRAST_ADD(p[k][0] + 1, r[k].y);
        GLRAST_ADD(p[k][0] + 3, r[k].w);
    }
}

GLRAST_INLINE float load_channels(const float* p, int) { return p[0]; }
GLRAST_INLINE void store_channels(float* p, int, float v) { p[0] = v; }
GLRAST_INLINE void add_channels(float* p, int, float v) { GLRAST_ADD(p, v); }
GLRAST_INLINE float sum_channels(const float v[1], int) { return v[0]; }
GLRAST_INLINE float sum_of(float v, int) { return v; }
