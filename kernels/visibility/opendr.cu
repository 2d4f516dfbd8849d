// opendr: the gradient of positions by differences of the image (Loper and Black 2014).    one thread = one pixel
//
//   opendr_boundaries  which pixels hold a silhouette, and the pair of pixels that finds it
//   opendr_backward    d loss/d place of vertex k in pixels = - sum over pixels of b_k sum_c g grad I
// grad I of a pixel, for each axis, from the differences to the next and from the previous pixel, of which the border has one:
//   no boundary in the pixel: the mean of those whose other pixel has none;  none left, or a boundary: twice the mean of both
// b: the barycentrics of the triangle that is seen, as rast has them; a boundary pixel belongs to the occluder, even where its centre
// shows something else, at the point where the silhouette crosses the row (flatter ones: the column) of the pixel's centre.
// Accumulates grad [V,4] or [N,V,4]: x, y, w.
//
// A silhouette is in a pixel where OpenGL would draw it as a line: one pixel in each row (flatter than 45 degrees: column), the
// one whose centre it passes nearest. Those are the crossings between two pixel centres that antialias finds, of edges with both
// ends before the camera.
#include "visibility/antialias/crossing.cuh"
#include "visibility/surface.cuh"

struct OpendrBoundariesArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_SEEN_MEMBERS
    char* pair;             // [N,H,W]: the pair that finds the pixel's boundary, 1 to 4 by its other pixel; 0: there is none
};

// The pair of a pixel with its right (1), upper (2), left (3) or lower (4) neighbour.
GLRAST_INLINE bool is_vertical(int pair) { return pair == 2 || pair == 4; }
GLRAST_INLINE bool is_second(int pair) { return pair > 2; }

template <class Args>
GLRAST_INLINE Crossing crossing_of(const Args& a, int x, Row row, int pair) {
    const bool lower = pair == 4;
    return find_crossing(a, pair == 3 ? x - 1 : x, lower ? Row{row.index - 1, row.n, row.y - 1} : row, is_vertical(pair));
}

// z/w of the triangle whose edge crosses between two pixels, at its own pixel: the nearer one, or the only one.
GLRAST_INLINE float depth_of(const float* p, const float* q) {
    if (decode_id(p[3]) <= 0) return q[2];
    return decode_id(q[3]) <= 0 ? p[2] : minimum(p[2], q[2]);
}

GLRAST_INLINE void find_boundary(const OpendrBoundariesArgs& a, int x, Row row) {
    const int64 pixel = row.index * a.width + x;
    int best = 0;
    float nearest = 3.402823466e38f;
    GLRAST_ROLLED for (int pair = 1; pair <= 4; ++pair) {
        if (pair == 1 ? x + 1 >= a.width : pair == 2 ? row.y + 1 >= a.H : pair == 3 ? x == 0 : row.y == 0) continue;
        const Crossing found = crossing_of(a, x, row, pair);
        // alpha > 0: the pair's first pixel holds it; in the middle (-0) the second does
        if (!is_crossed(found.alpha) || found.ray || (found.alpha > 0.0f) == is_second(pair)) continue;
        const int64 other = pixel + (is_second(pair) ? -1 : 1) * (is_vertical(pair) ? (int64)a.width : 1);
        const float z = depth_of(a.rast + 4 * pixel, a.rast + 4 * other);
        if (!(z < nearest)) continue;
        nearest = z;
        best = pair;
    }
    a.pair[pixel] = (char)best;
}

GLRAST_INLINE void opendr_boundaries_element(const OpendrBoundariesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_boundary(a, x, row);
}
GLRAST_KERNEL(opendr_boundaries, OpendrBoundariesArgs)

// ---- backward --------------------------------------------------------------------------------------------

struct OpendrBackwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    GLRAST_SEEN_MEMBERS
    int C;
    const float* color;     // [N,H,W,C]
    const float* grad_out;  // [N,H,W,C]
    const char* pair;       // [N,H,W] from opendr_boundaries; null: no overdraw
};

// sum_c g dI along an axis; `step` pixels to the next one, which may be beyond the image on either side.
GLRAST_INLINE float slope_along(const OpendrBackwardArgs& a, int64 pixel, int64 step, bool has_next, bool has_last) {
    const float *g = a.grad_out + pixel * a.C, *c = a.color + pixel * a.C, *next = c + step * a.C, *last = c - step * a.C;
    float forward = 0.0f, backward = 0.0f;
    for (int i = 0; i < a.C; ++i) {
        if (has_next) forward += g[i] * (next[i] - c[i]);
        if (has_last) backward += g[i] * (c[i] - last[i]);
    }
    const int both = has_next + has_last;
    const float central = both == 2 ? 0.5f * (forward + backward) : forward + backward;
    if (!a.pair) return central;
    const bool use_next = has_next && !a.pair[pixel + step], use_last = has_last && !a.pair[pixel - step];
    if (a.pair[pixel] || !(use_next || use_last)) return 2.0f * central;
    if (use_next && use_last) return central;
    return use_next ? forward : backward;
}

// The edge's ends with their weights at the crossing: t along it in the image, made perspective-correct.
GLRAST_INLINE void add_boundary(const OpendrBackwardArgs& a, int x, Row row, int pair, float gx, float gy) {
    const Crossing e = crossing_of(a, x, row, pair);
    if (!is_crossed(e.alpha) || e.ray) return;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 p1 = load4(pos + 4 * (int64)e.v1), p2 = load4(pos + 4 * (int64)e.v2);
    const float t = e.y1 / (e.y1 - e.y2), s1 = (1.0f - t) * p2.w, s2 = t * p1.w, b2 = s2 / (s1 + s2);
    add_place(a, row, e.v1, p1, (1.0f - b2) * gx, (1.0f - b2) * gy);
    add_place(a, row, e.v2, p2, b2 * gx, b2 * gy);
}

GLRAST_INLINE void opendr_pixel(const OpendrBackwardArgs& a, int x, Row row) {
    const int64 pixel = row.index * a.width + x;
    const int pair = a.pair ? a.pair[pixel] : 0, id = decode_id(a.rast[4 * pixel + 3]);
    if (id <= 0 && !pair) return;
    const float gx = -slope_along(a, pixel, 1, x + 1 < a.width, x > 0);
    const float gy = -slope_along(a, pixel, a.width, row.y + 1 < a.H, row.y > 0);
    if (gx == 0.0f && gy == 0.0f) return;
    if (pair) { add_boundary(a, x, row, pair, gx, gy); return; }
    Corners3 c;
    if (!fetch_corners(a, row, id, &c)) return;
    const Barycentrics b = weights_of(a.rast + 4 * pixel);
    if (!(c.p0.w > 0.0f && c.p1.w > 0.0f && c.p2.w > 0.0f)) {  // a vertex without a place: by way of the point's own
        add_moved<false>(a, row, c, b, gx, gy, 0.0f);
        return;
    }
    add_place(a, row, c.v.x, c.p0, b.b0 * gx, b.b0 * gy);
    add_place(a, row, c.v.y, c.p1, b.b1 * gx, b.b1 * gy);
    add_place(a, row, c.v.z, c.p2, b.b2 * gx, b.b2 * gy);
}

GLRAST_INLINE void opendr_backward_element(const OpendrBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) opendr_pixel(a, x, row);
}
GLRAST_SCATTER(opendr_backward, OpendrBackwardArgs)
