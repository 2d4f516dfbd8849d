// nmr: the gradient of positions by the neural mesh renderer's rule (Kato et al. 2018).    one thread = one pixel
//
// Of each front face, each edge (p0, p1), each axis and each scan line d0 that the edge covers, in pixels, centres at whole numbers:
//   cross = where the edge meets the scan line;  d1_in = cross rounded to the inner side;  d1_out the next pixel outward
//   outside, where d1_in shows the face: every d1 from d1_out to the border, delta = sum_c (I(d1) - I(d1_in)) g(d1)
//   inside, every d1 of the span that shows the face:                        delta = sum_c (I(d1) - I(d1_out)) g(d1)
//   delta > 0: dist = (p1 - p0)/(p1 - d0) (d1 - cross) 2/S along d0, pushed away from 0 by eps;  gradient of p0 -= delta/dist,
//   and of p1 likewise with (p1 - p0)/(d0 - p0).  S = min(H,W): positions span 2 over the short side
// Only pixels that show a face have a part in its gradient: each looks at the edges of its own face. It gives the inside part
// of every scan line through it, and sweeps outward from where it is the in-pixel. So the work is that of the pixels and, for
// each pixel of an outline, of the span beyond it. Accumulates grad [V,4] or [N,V,4]: x, y, w.
#include "visibility/surface.cuh"

struct NmrBackwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    static constexpr int work = 16;
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    GLRAST_IMAGE_MEMBERS
    float eps;
    int fill_back;          // back faces count as front faces turned over
};

struct FaceCorner { float x, y; };

// The pixel at hand, seen along one axis: d0 and d1 of it, the size of the image along d1, and floats to the next d1.
struct Line { float d0; int d1; int size; int64 step; };

struct Pair2 { float first, second; };

// delta/dist for p0 and p1; (e0, e1) are the ends along d0.
GLRAST_INLINE void add_share(float delta, float e0, float e1, const Line& line, float away, float unit, float eps, Pair2* g) {
    if (!(delta > 0.0f)) return;
    const float length = e1 - e0;
    if (e1 != line.d0) {
        const float dist = length / (e1 - line.d0) * away * unit;
        g->first -= delta / (dist > 0.0f ? dist + eps : dist - eps);
    }
    if (e0 != line.d0) {
        const float dist = length / (line.d0 - e0) * away * unit;
        g->second -= delta / (dist > 0.0f ? dist + eps : dist - eps);
    }
}

// sum_c (I(d1) - other_c) g(d1)
GLRAST_INLINE float delta_of(const NmrBackwardArgs& a, const float* c, const float* g, const float* other) {
    float delta = 0.0f;
    for (int i = 0; i < a.C; ++i) delta += (c[i] - other[i]) * g[i];
    return delta;
}

// An edge from (e0, f0) to (e1, f1), e along d0 and f along d1, whose outer side is `out` (1 or -1) along d1.
GLRAST_INLINE Pair2 edge_share(const NmrBackwardArgs& a, const Line& line, int64 at, float e0, float f0, float e1, float f1, int out) {
    Pair2 g = {0.0f, 0.0f};
    if (e0 == e1 || line.d0 < minimum(e0, e1) || line.d0 > maximum(e0, e1)) return g;
    const float cross = (f1 - f0) / (e1 - e0) * (line.d0 - e0) + f0;
    if (!(fabsf(cross) < 1e7f)) return g;
    const int in = (int)(out > 0 ? floorf(cross) : ceilf(cross)), next = in + out;
    if (in < 0 || in >= line.size || next < 0 || next >= line.size) return g;
    const float unit = 2.0f / (a.width < a.H ? a.width : a.H);
    const float *c = a.color + at, *y = a.grad_out + at;
    if (out > 0 ? line.d1 <= in : line.d1 >= in)
        add_share(delta_of(a, c, y, c + (next - line.d1) * line.step), e0, e1, line, line.d1 - cross, unit, a.eps, &g);
    if (line.d1 != in) return g;
    for (int d1 = next; d1 >= 0 && d1 < line.size; d1 += out) {
        const int64 step = (d1 - in) * line.step;
        add_share(delta_of(a, c + step, y + step, c), e0, e1, line, d1 - cross, unit, a.eps, &g);
    }
    return g;
}

// d loss/d place of both ends of the edge (p0, p1): an edge to the right has its outer side below, one upwards on the right.
GLRAST_INLINE void add_edge_shares(const NmrBackwardArgs& a, int x, Row row, int turn, FaceCorner p0, FaceCorner p1, FaceCorner* g0, FaceCorner* g1) {
    const int64 at = (row.index * a.width + x) * a.C;
    const Line up = {(float)x, row.y, a.H, (int64)a.width * a.C}, along = {(float)row.y, x, a.width, a.C};
    const Pair2 y = edge_share(a, up, at, p0.x, p0.y, p1.x, p1.y, p0.x < p1.x ? -turn : turn);
    const Pair2 h = edge_share(a, along, at, p0.y, p0.x, p1.y, p1.x, p0.y < p1.y ? turn : -turn);
    g0->x += h.first;  g0->y += y.first;
    g1->x += h.second;  g1->y += y.second;
}

GLRAST_INLINE FaceCorner corner_of(const NmrBackwardArgs& a, Float4 p) {
    return FaceCorner{0.5f * (p.x / p.w * a.width + a.width - 1), 0.5f * (p.y / p.w * a.H + a.H - 1)};
}

// From units of which the short side has 2 to pixels.
GLRAST_INLINE void add_face_corner(const NmrBackwardArgs& a, Row row, int v, Float4 p, FaceCorner g) {
    const float unit = 2.0f / (a.width < a.H ? a.width : a.H);
    if (g.x != 0.0f || g.y != 0.0f) add_place(a, row, v, p, unit * g.x, unit * g.y);
}

GLRAST_INLINE void nmr_pixel(const NmrBackwardArgs& a, int x, Row row) {
    const int id = decode_id(a.rast[4 * (row.index * a.width + x) + 3]);
    Corners3 c;
    if (id <= 0 || !fetch_corners(a, row, id, &c)) return;
    if (!(c.p0.w > 0.0f && c.p1.w > 0.0f && c.p2.w > 0.0f)) return;
    const FaceCorner p0 = corner_of(a, c.p0), p1 = corner_of(a, c.p1), p2 = corner_of(a, c.p2);
    const bool back = (p2.y - p0.y) * (p1.x - p0.x) < (p1.y - p0.y) * (p2.x - p0.x);
    if (back && !a.fill_back) return;
    const int turn = back ? -1 : 1;
    FaceCorner g0 = {0.0f, 0.0f}, g1 = g0, g2 = g0;
    add_edge_shares(a, x, row, turn, p0, p1, &g0, &g1);
    add_edge_shares(a, x, row, turn, p1, p2, &g1, &g2);
    add_edge_shares(a, x, row, turn, p2, p0, &g2, &g0);
    add_face_corner(a, row, c.v.x, c.p0, g0);
    add_face_corner(a, row, c.v.y, c.p1, g1);
    add_face_corner(a, row, c.v.z, c.p2, g2);
}

GLRAST_INLINE void nmr_backward_element(const NmrBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) nmr_pixel(a, x, row);
}
GLRAST_SCATTER(nmr_backward, NmrBackwardArgs)
