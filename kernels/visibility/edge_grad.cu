// edge_grad: the gradient of positions at the borders between pixels (Pidhorskyi et al. 2024).    one thread = one pixel
//
// A pair is a pixel (l) with its right or its upper neighbour (r) where the ids differ. What the loss gains per pixel that the
// border between them moves towards l:  G = sum_c (I_r - I_l) (g_r + g_l)/2
//   background on one side: the other pixel's triangle moves the border
//   A: l's centre lies in r's triangle, in the image plane;  B: r's centre lies in l's triangle
//   A or B alone: the triangle that does not cover the other's centre is in front, ends here, and moves the border
//   both:         the triangles intersect, and both move the border
//   neither:      they share an edge, or nearly do: nothing, as published
// d loss/d place of the point that a pixel shows, along the pair: -G; of intersecting triangles -G (dp/dr), dp/dr below.
//
// Intersection, along the pair's axis: the moving plane has the slope m = d depth/d x, the fixed one f. Moved by r_x and by r_z
//   they meet at p = (m r_x - r_z)/(m - f), so dp/dr_x = m/(m - f), dp/dr_z = -1/(m - f).
// Depth is z/w, which is affine in the image, in the units of its gradient; so one rule holds for any perspective. z would be
//   counted by both the pairs along x and those along y: with n the normal of the line of intersection in the image, pairs along x
//   cross it |n_x| times per unit length, each counting 1/|n_x|; so they take n_x^2 of it, and those along y n_y^2.
// Published: x, y in pixels and depth = w; slopes from the vertices in these, so that large triangles in perspective get the
//   slope of a chord; z counted by both axes, and pairs along y give dp/dr_x to z; each vertex divided by its own w.
// Accumulates grad [V,4] or [N,V,4].
#include "visibility/surface.cuh"

struct EdgeGradBackwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    static constexpr int work = 4;
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    GLRAST_IMAGE_MEMBERS
    int published;
};

// One side of a pair.
struct Side { int id; bool known; Corners3 c; Barycentrics b; };

GLRAST_INLINE Side side_at(const EdgeGradBackwardArgs& a, int64 pixel, Row row) {
    Side s;
    s.id = decode_id(a.rast[4 * pixel + 3]);
    s.known = s.id > 0 && fetch_corners(a, row, s.id, &s.c);
    s.b = weights_of(a.rast + 4 * pixel);
    return s;
}

// Does the triangle cover the point (fx, fy) of the image, -1 to 1? On an edge it does. Of its part before the camera.
GLRAST_INLINE bool covers(const Corners3& c, float fx, float fy) {
    const float x0 = c.p0.x - fx * c.p0.w, y0 = c.p0.y - fy * c.p0.w, x1 = c.p1.x - fx * c.p1.w, y1 = c.p1.y - fy * c.p1.w;
    const float x2 = c.p2.x - fx * c.p2.w, y2 = c.p2.y - fy * c.p2.w;
    const float a0 = x1 * y2 - y1 * x2, a1 = x2 * y0 - y2 * x0, a2 = x0 * y1 - y0 * x1;
    const float d = c.p0.w * a0 + c.p1.w * a1 + c.p2.w * a2;
    return d > 0.0f ? a0 >= 0.0f && a1 >= 0.0f && a2 >= 0.0f : d < 0.0f && a0 <= 0.0f && a1 <= 0.0f && a2 <= 0.0f;
}

struct DepthSlopes { float x, y; };

// Of z/w by pixels: z/w = sum Z_k a_k / sum W_k a_k, whose denominator is constant; a_k's derivatives are those of rasterize.
GLRAST_INLINE DepthSlopes depth_slopes(const EdgeGradBackwardArgs& a, const Corners3& c) {
    const Float4 p = c.p0, q = c.p1, r = c.p2;
    const float ax0 = q.y * r.w - r.y * q.w, ax1 = r.y * p.w - p.y * r.w, ax2 = p.y * q.w - q.y * p.w;
    const float ay0 = r.x * q.w - q.x * r.w, ay1 = p.x * r.w - r.x * p.w, ay2 = q.x * p.w - p.x * q.w;
    const float d = p.x * ax0 + q.x * ax1 + r.x * ax2;
    const float i = d != 0.0f ? 1.0f / d : 0.0f;
    return DepthSlopes{(p.z * ax0 + q.z * ax1 + r.z * ax2) * i * 2.0f / a.width, (p.z * ay0 + q.z * ay1 + r.z * ay2) * i * 2.0f / a.H};
}

// Of w by pixels, along the plane through the vertices (x, y in pixels, w).
GLRAST_INLINE DepthSlopes chord_slopes(const EdgeGradBackwardArgs& a, const Corners3& c) {
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float x0 = c.p0.x / c.p0.w * half_w, y0 = c.p0.y / c.p0.w * half_h;
    const float x1 = c.p1.x / c.p1.w * half_w - x0, y1 = c.p1.y / c.p1.w * half_h - y0, z1 = c.p1.w - c.p0.w;
    const float x2 = c.p2.x / c.p2.w * half_w - x0, y2 = c.p2.y / c.p2.w * half_h - y0, z2 = c.p2.w - c.p0.w;
    const float d = x1 * y2 - y1 * x2, i = d != 0.0f ? 1.0f / d : 0.0f;
    return DepthSlopes{(z1 * y2 - y1 * z2) * i, (x1 * z2 - z1 * x2) * i};
}

// Published: the weights as they are, each vertex by its own w; depth is w.
GLRAST_INLINE void add_published(const EdgeGradBackwardArgs& a, Row row, const Side& s, float gx, float gy, float gz) {
    if (!(s.c.p0.w > 0.0f && s.c.p1.w > 0.0f && s.c.p2.w > 0.0f)) return;
    add_place(a, row, s.c.v.x, s.c.p0, s.b.b0 * gx, s.b.b0 * gy);
    add_place(a, row, s.c.v.y, s.c.p1, s.b.b1 * gx, s.b.b1 * gy);
    add_place(a, row, s.c.v.z, s.c.p2, s.b.b2 * gx, s.b.b2 * gy);
    if (gz == 0.0f) return;
    float* g = a.grad + row.n * a.pos_stride + 3;
    GLRAST_ADD(g + 4 * (int64)s.c.v.x, s.b.b0 * gz);
    GLRAST_ADD(g + 4 * (int64)s.c.v.y, s.b.b1 * gz);
    GLRAST_ADD(g + 4 * (int64)s.c.v.z, s.b.b2 * gz);
}

// Moves the point along the pair's axis by `along`, and in depth.
GLRAST_INLINE void add_side(const EdgeGradBackwardArgs& a, Row row, const Side& s, bool vertical, float along, float depth) {
    const float gx = vertical ? 0.0f : along, gy = vertical ? along : 0.0f;
    if (a.published) add_published(a, row, s, gx, gy, depth);
    else add_moved<true>(a, row, s.c, s.b, gx, gy, depth);
}

// Moving s against the fixed slopes. Planes that part by less than 16 steps of a depth buffer of 24 bits in a pixel are one.
GLRAST_INLINE void add_intersecting(const EdgeGradBackwardArgs& a, Row row, const Side& s, bool vertical, DepthSlopes m, DepthSlopes f, float G) {
    const float dx = m.x - f.x, dy = m.y - f.y, d = vertical ? dy : dx, square = dx * dx + dy * dy;
    if (!(fabsf(d) > (a.published ? 1e-8f : 1e-6f))) return;
    const float by_x = (vertical ? m.y : m.x) / d;
    const float by_z = a.published ? (vertical ? by_x : -1.0f / d) : -d / square;
    add_side(a, row, s, vertical, -G * by_x, -G * by_z);
}

GLRAST_INLINE void edge_grad_pair(const EdgeGradBackwardArgs& a, int x, Row row, bool vertical) {
    const int64 l = row.index * a.width + x, r = l + (vertical ? (int64)a.width : 1);
    if (a.rast[4 * l + 3] == a.rast[4 * r + 3]) return;
    const float *cl = a.color + l * a.C, *cr = a.color + r * a.C, *gl = a.grad_out + l * a.C, *gr = a.grad_out + r * a.C;
    float G = 0.0f;
    for (int i = 0; i < a.C; ++i) G += (cr[i] - cl[i]) * 0.5f * (gl[i] + gr[i]);
    if (G == 0.0f) return;
    const Side left = side_at(a, l, row), right = side_at(a, r, row);
    if (!left.known || !right.known) {
        if (left.known) add_side(a, row, left, vertical, -G, 0.0f);
        if (right.known) add_side(a, row, right, vertical, -G, 0.0f);
        return;
    }
    const float fx = (2.0f * x + 1.0f) / a.width - 1.0f, fy = (2.0f * row.y + 1.0f) / a.H - 1.0f;
    const bool A = covers(right.c, fx, fy), B = covers(left.c, vertical ? fx : fx + 2.0f / a.width, vertical ? fy + 2.0f / a.H : fy);
    if (A && B) {
        const DepthSlopes m = a.published ? chord_slopes(a, left.c) : depth_slopes(a, left.c);
        const DepthSlopes f = a.published ? chord_slopes(a, right.c) : depth_slopes(a, right.c);
        add_intersecting(a, row, left, vertical, m, f, G);
        add_intersecting(a, row, right, vertical, f, m, G);
    } else if (A) {
        add_side(a, row, left, vertical, -G, 0.0f);
    } else if (B) {
        add_side(a, row, right, vertical, -G, 0.0f);
    }
}

GLRAST_INLINE void edge_grad_backward_element(const EdgeGradBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) {
        if (x + 1 < a.width) edge_grad_pair(a, x, row, false);
        if (row.y + 1 < a.H) edge_grad_pair(a, x, row, true);
    }
}
GLRAST_SCATTER(edge_grad_backward, EdgeGradBackwardArgs)
