// Where the outline of a triangle passes between the centres of two neighbouring pixels, as antialias defines it, for triangles
// wholly before the camera.
#pragma once
#include "common.cuh"

// What find_outline looks at:
//   rast [N,H,W,4];  pos [V,4] or [N,V,4];  pos_stride: floats from one image's vertices to the next, 0 or V*4
//   tri [T,3];  flags [T] or [N,T] from antialias_silhouettes;  flags_stride: 0 or T
#define GLRAST_OUTLINE_MEMBERS                                                                   \
    const float* rast; const float* pos; int64 pos_stride; const int* tri;                       \
    const char* flags; int64 flags_stride; int V; int T;

#define GLRAST_OUTLINE_SLACK 0.0625f  // up to 1/16 pixel beyond either centre counts: OpenGL snaps vertices
#define GLRAST_OUTLINE_FAR 1e-6f      // a vertex a million images aside has no place in the image

struct Outline {
    bool found;
    bool first;       // the pair's first pixel holds it, rather than the second
    int v1, v2;       // the edge
    float t;          // where on it, from v1 = 0 to v2 = 1 in the image
    float z;          // z/w of the pair's triangle at its own pixel
};

struct Place { float l, m; bool front; };

// In pixels relative to a centre (cl, cm), l along the pair and m across it.
GLRAST_INLINE Place place_of(Float4 p, bool vertical, float half_l, float half_m, float cl, float cm) {
    const float l = vertical ? p.y : p.x, m = vertical ? p.x : p.y;
    return Place{l / p.w * half_l - cl, m / p.w * half_m - cm, p.w > GLRAST_OUTLINE_FAR * maximum(fabsf(p.x), fabsf(p.y))};
}

// The edge (a, b) crosses m = 0 at s x_c = d; is it farther than *d?
GLRAST_INLINE bool is_farther(Place a, Place b, float s, float* d) {
    if ((a.m < 0.0f) == (b.m < 0.0f)) return false;
    const float e = s * (a.l * b.m - a.m * b.l) / (b.m - a.m);
    if (!(e > *d)) return false;
    *d = e;
    return true;
}

// Between pixel (x, row) and its right, or (vertical) its upper neighbour.
template <class Args>
GLRAST_INLINE Outline find_outline(const Args& a, int x, Row row, bool vertical) {
    Outline none = {false, false, 0, 0, 0.0f, 0.0f};
    const float *p = a.rast + 4 * (row.index * a.width + x), *q = p + 4 * (vertical ? (int64)a.width : 1);
    if (p[3] == q[3]) return none;
    const int id_p = decode_id(p[3]), id_q = decode_id(q[3]);
    const bool owns = id_q <= 0 || (id_p > 0 && p[2] < q[2]);  // p shows the pair's triangle: the nearer, or the only one
    const int t = (owns ? id_p : id_q) - 1;
    Int3 v;
    if ((unsigned)t >= (unsigned)a.T || !fetch_triangle(a.tri, a.T, a.V, t, &v)) return none;
    const int silhouettes = a.flags[row.n * a.flags_stride + t];
    if (!silhouettes) return none;
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float cx = x + (!vertical && !owns ? 1.5f : 0.5f) - half_w, cy = row.y + (vertical && !owns ? 1.5f : 0.5f) - half_h;
    const float half_l = vertical ? half_h : half_w, half_m = vertical ? half_w : half_h, cl = vertical ? cy : cx, cm = vertical ? cx : cy;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Place e0 = place_of(load4(pos + 4 * (int64)v.x), vertical, half_l, half_m, cl, cm);
    const Place e1 = place_of(load4(pos + 4 * (int64)v.y), vertical, half_l, half_m, cl, cm);
    const Place e2 = place_of(load4(pos + 4 * (int64)v.z), vertical, half_l, half_m, cl, cm);
    if (!(e0.front && e1.front && e2.front)) return none;
    // The last edge crossed on the way to the other pixel; edge k is opposite vertex k.
    const float s = owns ? 1.0f : -1.0f;
    int edge = -1;
    float d = -3.402823466e38f;
    Place one = e1, two = e2;
    if (is_farther(e1, e2, s, &d)) { edge = 0; none.v1 = v.y; none.v2 = v.z; }
    if (is_farther(e2, e0, s, &d)) { edge = 1; one = e2; two = e0; none.v1 = v.z; none.v2 = v.x; }
    if (is_farther(e0, e1, s, &d)) { edge = 2; one = e0; two = e1; none.v1 = v.x; none.v2 = v.y; }
    if (edge < 0 || !(silhouettes >> edge & 1)) return none;
    if (!(d > -GLRAST_OUTLINE_SLACK && d < 1.0f + GLRAST_OUTLINE_SLACK)) return none;
    if (fabsf(two.m - one.m) < fabsf(two.l - one.l)) return none;  // the other direction's
    Outline found = none;
    found.found = true;
    found.first = (d < 0.5f) == owns && d != 0.5f;  // in the middle: the second's
    found.t = one.m / (one.m - two.m);
    found.z = owns ? p[2] : q[2];
    return found;
}
