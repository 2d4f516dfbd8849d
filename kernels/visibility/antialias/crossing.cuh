// Where an edge of a triangle crosses between the centres of two neighbouring pixels; antialias.cu has the formulas.
#pragma once
#include "visibility/antialias/front.cuh"

#define GLRAST_CROSSING_SLACK 0.0625f  // a crossing up to 1/16 pixel outside [0,1] counts: OpenGL snaps vertices

// What find_crossing looks at: the image and its triangles.
//   rast [N,H,W,4];  pos [V,4] or [N,V,4];  pos_stride: floats from one image's vertices to the next, 0 or V*4
//   tri [T,3];  flags [T] or [N,T] from antialias_silhouettes;  flags_stride: 0 or T
#define GLRAST_SEEN_MEMBERS                                                                      \
    const float* rast; const float* pos; int64 pos_stride; const int* tri;                       \
    const char* flags; int64 flags_stride; int V; int T;

// body(way) for the pair with the right neighbour, then for that with the upper one: way.vertical. The CPU's compiler knows
// which; a GPU has one text for both, in fewer registers.
template <bool Vertical>
struct Way { static constexpr bool vertical = Vertical; };
struct EitherWay { bool vertical; };

template <class Body>
GLRAST_INLINE void each_way(Body body) {
#ifdef __CUDACC__
    GLRAST_ROLLED
    for (int k = 0; k < 2; ++k) body(EitherWay{k == 1});
#else
    body(Way<false>{});
    body(Way<true>{});
#endif
}

struct Crossing {
    float alpha;                    // +0: there is no crossing
    int v1, v2;                     // vertex indices of the edge
    float x1, y1, x2, y2, w1, w2;   // its ends in pixels, axes swapped for vertical pairs; and their w
    float cx, cy;                   // the centre they are relative to, in pixels from the image's; axes swapped likewise
    bool ray;                       // end 2 is not in front: x2 and y2 are not divided by w2
};

GLRAST_INLINE bool is_crossed(float alpha) { return float_bits(alpha) != 0; }  // +0: no; -0: yes

GLRAST_INLINE float pick(float a, float b, float c, int k) { return k == 0 ? a : k == 1 ? b : c; }
GLRAST_INLINE int pick(int a, int b, int c, int k) { return k == 0 ? a : k == 1 ? b : c; }

// One end of an edge in pixels; not divided by w where it is not in front.
struct End { float l, m, w; bool front; };

GLRAST_INLINE End edge_end(Float4 p, bool vertical, float half_l, float half_m, float cl, float cm) {
    const float l = vertical ? p.y : p.x, m = vertical ? p.x : p.y;
    if (is_in_front(p)) return End{l / p.w * half_l - cl, m / p.w * half_m - cm, p.w, true};
    return End{l * half_l - cl * p.w, m * half_m - cm * p.w, p.w, false};
}

// A step from end 1 of an edge to its other end, or along the ray.
GLRAST_INLINE float edge_step(float from, float to, float w, bool ray) { return ray ? to - from * w : to - from; }

// Distance s x_c at which the edge crosses the line m = 0, with the end in front first; false if it does not.
GLRAST_INLINE bool edge_crosses(End a, End b, float s, float* d) {
    if (!a.front) { const End t = a; a = b; b = t; }
    if (!a.front) return false;
    const float dm = edge_step(a.m, b.m, b.w, !b.front), dl = edge_step(a.l, b.l, b.w, !b.front), end = b.front ? b.m : dm;
    if (dm == 0.0f || (a.m < 0.0f) == (end < 0.0f)) return false;
    *d = s * (a.l - a.m * dl / dm);
    return true;
}

// The crossed edge with the largest d of a triangle that reaches behind the camera; -1: none.
GLRAST_INLINE int farthest_edge_behind(End e0, End e1, End e2, float s, float* d) {
    int edge = -1;
    float e;
    if (edge_crosses(e1, e2, s, &e) && e > *d) { *d = e; edge = 0; }
    if (edge_crosses(e2, e0, s, &e) && e > *d) { *d = e; edge = 1; }
    if (edge_crosses(e0, e1, s, &e) && e > *d) { *d = e; edge = 2; }
    return edge;
}

// The crossing of pixel (x, row) with its right (vertical = false) or upper neighbour; alpha = 0 if there is none.
template <class Args>
GLRAST_INLINE Crossing find_crossing(const Args& a, int x, Row row, bool vertical) {
    Crossing c;
    c.alpha = 0.0f;
    const int y = row.y;
    const float* rast_p = a.rast + 4 * (row.index * a.width + x);
    const float* rast_q = rast_p + 4 * (vertical ? (int64)a.width : 1);
    if (rast_p[3] == rast_q[3]) return c;
    const int id_p = decode_id(rast_p[3]), id_q = decode_id(rast_q[3]);
    const bool first = id_q <= 0 || (id_p > 0 && rast_p[2] < rast_q[2]);  // p shows the pair's triangle
    const int t = (first ? id_p : id_q) - 1;
    if ((unsigned)t >= (unsigned)a.T) return c;
    const int silhouettes = a.flags[row.n * a.flags_stride + t];
    Int3 index;
    if (!silhouettes || !fetch_triangle(a.tri, a.T, a.V, t, &index)) return c;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 p0 = load4(pos + 4 * (int64)index.x), p1 = load4(pos + 4 * (int64)index.y), p2 = load4(pos + 4 * (int64)index.z);

    // Pixels along the pair (l) and across it (m), relative to the centre of the triangle's own pixel.
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float cx = x + (!vertical && !first ? 1.5f : 0.5f) - half_w, cy = y + (vertical && !first ? 1.5f : 0.5f) - half_h;
    const float half_l = vertical ? half_h : half_w, half_m = vertical ? half_w : half_h;
    const float cl = vertical ? cy : cx, cm = vertical ? cx : cy;
    const End e0 = edge_end(p0, vertical, half_l, half_m, cl, cm), e1 = edge_end(p1, vertical, half_l, half_m, cl, cm);
    const End e2 = edge_end(p2, vertical, half_l, half_m, cl, cm);

    // The last edge crossed on the way to the other pixel (the largest d); edge k is opposite vertex k.
    const float s = first ? 1.0f : -1.0f;
    int edge = -1;
    float d = -3.402823466e38f;
    if (e0.front && e1.front && e2.front) {
        const bool n0 = e0.m < 0.0f, n1 = e1.m < 0.0f, n2 = e2.m < 0.0f;
        if (n1 != n2) { const float e = s * (e1.l * e2.m - e1.m * e2.l) / (e2.m - e1.m); if (e > d) { d = e; edge = 0; } }
        if (n2 != n0) { const float e = s * (e2.l * e0.m - e2.m * e0.l) / (e0.m - e2.m); if (e > d) { d = e; edge = 1; } }
        if (n0 != n1) { const float e = s * (e0.l * e1.m - e0.m * e1.l) / (e1.m - e0.m); if (e > d) { d = e; edge = 2; } }
    } else {
        edge = farthest_edge_behind(e0, e1, e2, s, &d);
    }
    if (edge < 0 || !(silhouettes >> edge & 1) || !(d > -GLRAST_CROSSING_SLACK && d < 1.0f + GLRAST_CROSSING_SLACK)) return c;
    const int k1 = pick(1, 2, 0, edge), k2 = pick(2, 0, 1, edge);
    const bool turned = !pick(e0.front, e1.front, e2.front, k1);  // the end in front comes first
    const int one = turned ? k2 : k1, two = turned ? k1 : k2;
    c.x1 = pick(e0.l, e1.l, e2.l, one);  c.y1 = pick(e0.m, e1.m, e2.m, one);  c.w1 = pick(e0.w, e1.w, e2.w, one);
    c.x2 = pick(e0.l, e1.l, e2.l, two);  c.y2 = pick(e0.m, e1.m, e2.m, two);  c.w2 = pick(e0.w, e1.w, e2.w, two);
    c.cx = cl;
    c.cy = cm;
    c.ray = !pick(e0.front, e1.front, e2.front, two);
    const float dx = edge_step(c.x1, c.x2, c.w2, c.ray), dy = edge_step(c.y1, c.y2, c.w2, c.ray);
    if (fabsf(dy) < fabsf(dx)) return c;

    c.v1 = pick(index.x, index.y, index.z, one);
    c.v2 = pick(index.x, index.y, index.z, two);
    c.alpha = s * (0.5f - minimum(maximum(d, 0.0f), 1.0f));
    if (c.alpha == 0.0f) c.alpha = -0.0f;  // an edge on the pixels' border: no colour moves, but it has a gradient
    return c;
}
