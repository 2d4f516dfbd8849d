// rasterize: what the OpenGL pass leaves to arithmetic.
//
//   rasterize_prepare   triangle indices that are safe to draw        one thread = one triangle
//   rasterize_select    the corners of those that OpenGL on a CPU need look at   one thread = one block of triangles
//   rasterize_place     pieces on OpenGL's grid, for large images     one thread = one block of triangles
//   rasterize_resolve   triangle id -> (u, v, z/w, id) and derivatives one thread = one pixel
//   rasterize_backward  gradient of clip positions                     one thread = one pixel
//
// Vertex i of a triangle at (Xi, Yi, Zi, Wi); pixel centre (fx, fy) in [-1, 1]:
//   xi' = Xi - fx Wi, yi' = Yi - fy Wi
//   a0 = x1'y2' - y1'x2', a1 = x2'y0' - y2'x0', a2 = x0'y1' - y0'x1', A = a0 + a1 + a2
//   u = a0 / A, v = a1 / A, z/w = sum Zi ai / sum Wi ai
// perspective-correct as they stand, for any sign of w.
#define GLRAST_WIDE
#include "lanes.cuh"

// ---- prepare ---------------------------------------------------------------------------------------------

struct RasterizePrepareArgs {
    int width;            // T
    int H;                // 1
    int64 rows;           // index sets to write: 1, or N where images differ in which vertices are finite
    const int* tri;       // [T,3]
    const float* pos;     // [V,4] or [N,V,4]
    int64 pos_stride;     // floats from one index set's vertices to the next: 0 or V*4
    int V;
    int check_finite;     // 0: only indices are checked
    int* out;             // [rows,T,3]: the indices, or three equal ones (draws nothing)
};

GLRAST_INLINE bool is_finite_vertex(const float* p) {
    return is_finite(p[0]) && is_finite(p[1]) && is_finite(p[2]) && is_finite(p[3]);
}

GLRAST_INLINE void prepare_triangle(const RasterizePrepareArgs& a, int x, Row row) {
    Int3 index;
    bool draw = fetch_triangle(a.tri, a.width, a.V, x, &index);
    if (draw && a.check_finite) {
        const float* pos = a.pos + row.n * a.pos_stride;
        draw = is_finite_vertex(pos + 4 * (int64)index.x) && is_finite_vertex(pos + 4 * (int64)index.y) &&
               is_finite_vertex(pos + 4 * (int64)index.z);
    }
    int* out = a.out + 3 * (row.index * a.width + x);
    out[0] = draw ? index.x : 0;
    out[1] = draw ? index.y : 0;
    out[2] = draw ? index.z : 0;
}

GLRAST_INLINE void rasterize_prepare_element(const RasterizePrepareArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) prepare_triangle(a, x, row);
}
GLRAST_KERNEL(rasterize_prepare, RasterizePrepareArgs)

// ---- select ----------------------------------------------------------------------------------------------
//
// A triangle that cannot cover a pixel centre costs llvmpipe as much as one that does. Left out are those which
//   name a vertex outside [0,V) or a non-finite one,
//   lie beyond one plane of the view volume,
//   are culled, by an area too large for OpenGL's rounding to turn its sign,
//   pass between all pixel centres, by more than OpenGL's rounding can move a vertex.
// The others keep their order, so that at equal depth the lower index still wins. Their corners are written out one after
// the other: llvmpipe draws those faster than indexed ones, whose number in the draw it adds to copies of the vertices.

#define GLRAST_SNAP_PIX 0.00390625f  // OpenGL moves a vertex by half of its grid of 1/256 pixel; twice that is safe
#define GLRAST_SNAP_RELATIVE 1e-6f   // and float32 rounds its pixel coordinates, by this much of their size

struct RasterizeSelectArgs {
    static constexpr int work = 8192;  // triangles of a block
    int width;              // blocks of an image, at most
    int H;                  // 1
    int64 rows;             // N
    const int* tri;         // [T,3]
    const float* pos;       // [V,4] or [N,V,4]
    int64 pos_stride;       // floats from one image's vertices to the next: 0 or V*4
    const int64* images;    // [N,3]: first triangle, number of triangles, first place in `corners`
    int T;
    int V;
    int block;              // triangles of a block
    int columns;            // W of the image
    int lines;              // H of the image
    int cull;               // 1: clockwise triangles, -1: counter-clockwise ones, 0: none
    float* corners;         // [K,3,5]: each block's triangles one after the other, from the block's first place on:
                            // clip position, and the bits of the triangle's index in tri
    int* counts;            // [N,width]: how many each block keeps
};

// Do none of the lanes' intervals [lo, hi], in pixels from the middle of an image of `extent` pixels, hold a centre?
GLRAST_INLINE Mask between_centres(Floats lo, Floats hi, int extent) {
    const Floats last = splat((float)extent), none = splat(-1.0f);
    const Floats a = lower(higher(lo + (0.5f * extent - 0.5f), none), last);
    const Floats b = lower(higher(hi + (0.5f * extent - 0.5f), none), last);
    return ceilings(a) > floors(b);
}

GLRAST_INLINE Mask beyond_a_plane(Floats a0, Floats a1, Floats a2, const Rows& p0, const Rows& p1, const Rows& p2) {
    return ((a0 > p0.w) & (a1 > p1.w) & (a2 > p2.w)) | ((a0 < -p0.w) & (a1 < -p1.w) & (a2 < -p2.w));
}

GLRAST_INLINE Mask finite(const Rows& p) {
    return (magnitude(p.x) <= 3.402823466e38f) & (magnitude(p.y) <= 3.402823466e38f) &
           (magnitude(p.z) <= 3.402823466e38f) & (magnitude(p.w) <= 3.402823466e38f);
}

// Whether OpenGL need not see these triangles, all of whose vertices exist.
GLRAST_INLINE Mask invisible(const RasterizeSelectArgs& a, const Rows& p0, const Rows& p1, const Rows& p2) {
    const Floats zero = splat(0.0f);
    const Mask outside = beyond_a_plane(p0.x, p1.x, p2.x, p0, p1, p2) | beyond_a_plane(p0.y, p1.y, p2.y, p0, p1, p2) |
                         beyond_a_plane(p0.z, p1.z, p2.z, p0, p1, p2);
    const Mask before = (p0.w > 0.0f) & (p1.w > 0.0f) & (p2.w > 0.0f);  // a comparison with NaN below is false: drawn
    const Floats half_w = splat(0.5f * a.columns), half_h = splat(0.5f * a.lines);
    const Floats x0 = p0.x / p0.w * half_w, x1 = p1.x / p1.w * half_w, x2 = p2.x / p2.w * half_w;
    const Floats y0 = p0.y / p0.w * half_h, y1 = p1.y / p1.w * half_h, y2 = p2.y / p2.w * half_h;
    const Floats left = lower(lower(x0, x1), x2), right = higher(higher(x0, x1), x2);
    const Floats bottom = lower(lower(y0, y1), y2), top = higher(higher(y0, y1), y2);
    const Floats reach = higher(higher(right, -left), higher(top, -bottom)) + half_w + half_h;
    const Floats slack = GLRAST_SNAP_PIX + GLRAST_SNAP_RELATIVE * reach;
    const Mask missed = between_centres(left - slack, right + slack, a.columns) | between_centres(bottom - slack, top + slack, a.lines);
    const Floats ux = x1 - x0, uy = y1 - y0, vx = x2 - x0, vy = y2 - y0;
    const Floats area = ux * vy - uy * vx;
    const Floats sides = magnitude(ux) + magnitude(uy) + magnitude(vx) + magnitude(vy);
    const Mask culled = splat((float)a.cull) * area < zero - slack * (2.0f * sides + 4.0f * slack);
    return outside | (before & (missed | culled));
}

GLRAST_INLINE void select_of_block(const RasterizeSelectArgs& a, int x, Row row) {
    const int64* image = a.images + 3 * row.n;
    const int64 begin = (int64)x * a.block, end = image[1] - begin < a.block ? image[1] : begin + a.block;
    const float* pos = a.pos + row.n * a.pos_stride;
    float* corners = a.corners + GLRAST_CORNERS * (image[2] + begin);
    int n = 0;
    for (int64 i = begin; i < end; i += GLRAST_LANES) {
        const float *p0[GLRAST_LANES], *p1[GLRAST_LANES], *p2[GLRAST_LANES];
        Int3 index[GLRAST_LANES];
        bool known[GLRAST_LANES];
        for (int l = 0; l < GLRAST_LANES; ++l) {
            known[l] = i + l < end && fetch_triangle(a.tri, a.T, a.V, (int)(image[0] + i + l), &index[l]);
            if (!known[l]) index[l] = Int3{0, 0, 0};
            p0[l] = pos + 4 * (int64)index[l].x;
            p1[l] = pos + 4 * (int64)index[l].y;
            p2[l] = pos + 4 * (int64)index[l].z;
        }
        const Rows q0 = load_rows(p0), q1 = load_rows(p1), q2 = load_rows(p2);
        const Mask drawn = finite(q0) & finite(q1) & finite(q2) & (invisible(a, q0, q1, q2) == 0);
        for (int l = 0; l < GLRAST_LANES; ++l) {  // written in any case, counted if drawn: no branch to be guessed
            if (i + l >= end) break;
            float* to = corners + GLRAST_CORNERS * n;
            const float number = bits_float((int)(image[0] + i + l));
            store4(to, load4(p0[l]));
            store4(to + 5, load4(p1[l]));
            store4(to + 10, load4(p2[l]));
            to[4] = to[9] = to[14] = number;
            n += known[l] && lane_is_set(drawn, l);
        }
    }
    a.counts[row.index * a.width + x] = n;
}

GLRAST_INLINE void rasterize_select_element(const RasterizeSelectArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) select_of_block(a, x, row);
}
GLRAST_KERNEL(rasterize_select, RasterizeSelectArgs)

#include "rasterize_place.cuh"

// ---- triangles seen from pixels --------------------------------------------------------------------------

// A is known to a few units in the last place of the products it is summed from; below this multiple of
// them its sign is noise. The guard scales with the triangle: small and far triangles are not biased.
#define GLRAST_DEGENERATE 1e-6f

// What the pixels from x on see: each lane its own triangle.
struct View {
    Int3 index[GLRAST_LANES];
    bool drawn[GLRAST_LANES];      // there is a triangle
    Mask covered;                  // the same as a mask
    Ints ids;                      // triangle + 1
    Rows p0, p1, p2;               // clip positions
    Floats fx, x0, x1, x2;         // xi' = Xi - fx Wi
    float fy;
    Floats y0, y1, y2;
    Floats a0, a1, a2, inverse_area;
    Mask valid;                    // A can be told from 0
};

// Looks up the triangles of `count` pixels; false if there is none.
template <class Args>
GLRAST_INLINE bool find_triangles(const Args& a, const int* ids, int count, View& v) {
    v.ids = load_ints(ids, count);
    v.covered = v.ids > 0;
    if (!any(v.covered)) return false;
    for (int l = 0; l < GLRAST_LANES; ++l) {
        v.drawn[l] = l < count && ids[l] > 0;
        if (v.drawn[l] && fetch_triangle(a.tri, a.T, a.V, ids[l] - 1, &v.index[l])) continue;
        if (v.drawn[l]) set_mask(v.covered, l, false);  // an id that is not of this tri
        v.drawn[l] = false;
        v.index[l] = Int3{0, 0, 0};
    }
    return true;
}

template <class Args>
GLRAST_INLINE void see_triangles(const Args& a, int x, Row row, View& v) {
    const float* pos = a.pos + row.n * a.pos_stride;
    const float *p0[GLRAST_LANES], *p1[GLRAST_LANES], *p2[GLRAST_LANES];
    for (int l = 0; l < GLRAST_LANES; ++l) {
        p0[l] = pos + 4 * (int64)v.index[l].x;
        p1[l] = pos + 4 * (int64)v.index[l].y;
        p2[l] = pos + 4 * (int64)v.index[l].z;
    }
    v.p0 = load_rows(p0);
    v.p1 = load_rows(p1);
    v.p2 = load_rows(p2);
    v.fx = (2.0f * ((float)x + lane_numbers()) + 1.0f) * (1.0f / a.width) - 1.0f;
    v.fy = (2 * row.y + 1) * (1.0f / a.H) - 1.0f;
    v.x0 = v.p0.x - v.fx * v.p0.w;  v.y0 = v.p0.y - v.fy * v.p0.w;
    v.x1 = v.p1.x - v.fx * v.p1.w;  v.y1 = v.p1.y - v.fy * v.p1.w;
    v.x2 = v.p2.x - v.fx * v.p2.w;  v.y2 = v.p2.y - v.fy * v.p2.w;
    v.a0 = v.x1 * v.y2 - v.y1 * v.x2;
    v.a1 = v.x2 * v.y0 - v.y2 * v.x0;
    v.a2 = v.x0 * v.y1 - v.y0 * v.x1;
    const Floats A = v.a0 + v.a1 + v.a2;
    const Floats size = (magnitude(v.x0) + magnitude(v.x1) + magnitude(v.x2)) * (magnitude(v.y0) + magnitude(v.y1) + magnitude(v.y2));
    v.valid = (magnitude(A) > GLRAST_DEGENERATE * size) & (size <= 3.402823466e38f);
    v.inverse_area = select(v.valid, 1.0f / A, splat(0.0f));
}

// da0/dfx = Y1 W2 - Y2 W1, da0/dfy = X2 W1 - X1 W2, cyclic; and their sums dA/dfx, dA/dfy.
struct Slopes { Floats p0, p1, p2, q0, q1, q2, A_x, A_y; };

GLRAST_INLINE Floats slope_x(const Rows& b, const Rows& c) { return b.y * c.w - c.y * b.w; }
GLRAST_INLINE Floats slope_y(const Rows& b, const Rows& c) { return c.x * b.w - b.x * c.w; }

GLRAST_INLINE Slopes slopes(const View& v) {
    Slopes s;
    s.p0 = slope_x(v.p1, v.p2);  s.p1 = slope_x(v.p2, v.p0);  s.p2 = slope_x(v.p0, v.p1);
    s.q0 = slope_y(v.p1, v.p2);  s.q1 = slope_y(v.p2, v.p0);  s.q2 = slope_y(v.p0, v.p1);
    s.A_x = s.p0 + s.p1 + s.p2;
    s.A_y = s.q0 + s.q1 + s.q2;
    return s;
}

// False where huge coordinates (1e38) overflow: no derivative there rather than NaN.
GLRAST_INLINE Mask finite(const Slopes& s) { return magnitude(s.A_x) + magnitude(s.A_y) <= 3.402823466e38f; }

// The derivatives of u and v by X and Y, in pixels.
GLRAST_INLINE Rows derivatives(const Slopes& s, Floats u, Floats v, Floats kx, Floats ky) {
    return Rows{kx * (s.p0 - u * s.A_x), ky * (s.q0 - u * s.A_y), kx * (s.p1 - v * s.A_x), ky * (s.q1 - v * s.A_y)};
}

// ---- resolve ---------------------------------------------------------------------------------------------

struct RasterizeResolveArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    int* ids;                 // [N,H,W] triangle id + 1; read, and written when from_rast
    int from_rast;            // 1: rast holds u, v and id already (the `full` program)
    int64 drawn;              // CUDA: where either is read from first (fetch_drawn), or 0
    const float* pos;         // [V,4] or [N,V,4]
    int64 pos_stride;         // floats from one image's vertices to the next: 0 or V*4
    const int* tri;           // [T,3]
    int V;
    int T;
    float* rast;              // [N,H,W,4]
    float* rast_db;           // [N,H,W,4] or null
};

GLRAST_INLINE void resolve_lanes(const RasterizeResolveArgs& a, int x, int count, Row row) {
    const int64 pixel = row.index * a.width + x;
    float* rast = a.rast + 4 * pixel;
    fetch_drawn(a.drawn, a.from_rast, x, row, a.ids + pixel, rast);
    if (a.from_rast)
        for (int l = 0; l < count; ++l) a.ids[pixel + l] = decode_id(rast[4 * l + 3]);
    const Floats zero = splat(0.0f), one = splat(1.0f), third = splat(1.0f / 3.0f);
    View s;
    if (!find_triangles(a, a.ids + pixel, count, s)) {
        store_rows(rast, count, Rows{zero, zero, zero, zero});
        if (a.rast_db) store_rows(a.rast_db + 4 * pixel, count, Rows{zero, zero, zero, zero});
        return;
    }
    see_triangles(a, x, row, s);
    const Floats exact_u = select(s.valid, s.a0 * s.inverse_area, third);
    const Floats exact_v = select(s.valid, s.a1 * s.inverse_area, third);
    Floats u = exact_u, v = exact_v;
    if (a.from_rast) { const Rows r = load_pixels(rast, count); u = r.x; v = r.y; }
    u = lower(higher(u, zero), one);  // OpenGL decided that the centre is inside; rounding may disagree
    v = lower(higher(v, zero), one - u);
    const Floats t = one - u - v;
    const Floats zw = (s.p0.z * u + s.p1.z * v + s.p2.z * t) / (s.p0.w * u + s.p1.w * v + s.p2.w * t);
    const Floats depth = select(zw == zw, lower(higher(zw, -one), one), zero);
    const Floats id = select(s.covered, encode_ids(s.ids), zero);
    store_rows(rast, count, Rows{select(s.covered, u, zero), select(s.covered, v, zero), select(s.covered, depth, zero), id});
    if (!a.rast_db) return;
    const Floats kx = 2.0f / a.width * s.inverse_area, ky = 2.0f / a.H * s.inverse_area;
    const Slopes e = slopes(s);
    const Rows d = derivatives(e, exact_u, exact_v, kx, ky);
    const Mask show = s.covered & s.valid & finite(e);
    store_rows(a.rast_db + 4 * pixel, count, Rows{select(show, d.x, zero), select(show, d.y, zero), select(show, d.z, zero), select(show, d.w, zero)});
}

GLRAST_INLINE void rasterize_resolve_element(const RasterizeResolveArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_LANES) resolve_lanes(a, x, lesser(end - x, GLRAST_LANES), row);
}
GLRAST_KERNEL(rasterize_resolve, RasterizeResolveArgs)

// ---- backward --------------------------------------------------------------------------------------------

struct RasterizeBackwardArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    float* grad;              // [V,4] or [N,V,4], accumulated
    float* spare;
    int64 slot_size;          // V*4
    int slots;                // 1 or N
    int pieces;
    const float* pos;         // as grad
    int64 pos_stride;
    const int* tri;           // [T,3]
    int V;
    int T;
    const int* ids;           // [N,H,W] triangle id + 1
    const float* grad_rast;   // [N,H,W,4] or null: channels u, v are read
    const float* grad_db;     // [N,H,W,4] or null
};

// With incoming gu, gv of u, v and G of the four derivatives (D below), h = G dD/d(numerator):
//   gu -= h_ux A_x + h_uy A_y, gv likewise;  gA = -(sum G D)/A;  g = (gu u + gv v)/A
//   ga0 = gu/A - g + gA, ga1 = gv/A - g + gA, ga2 = -g + gA
// then the adjoints of ak = xi'yj' - yi'xj' and of the slopes pk = Yi Wj - Yj Wi, qk = Xj Wi - Xi Wj;
// gX = gx', gY = gy', gW = -fx gx' - fy gy'.
GLRAST_INLINE void backward_lanes(const RasterizeBackwardArgs& a, int x, int count, Row row) {
    const int64 pixel = row.index * a.width + x;
    const Floats zero = splat(0.0f);
    View s;
    if (!find_triangles(a, a.ids + pixel, count, s)) return;
    Floats gu = zero, gv = zero;
    if (a.grad_rast) { const Rows g = load_pixels(a.grad_rast + 4 * pixel, count); gu = g.x; gv = g.y; }
    if (!a.grad_db && !any((gu != 0.0f) | (gv != 0.0f))) return;
    see_triangles(a, x, row, s);
    const Floats u = s.a0 * s.inverse_area, v = s.a1 * s.inverse_area;
    Floats gA = zero;
    Rows g0 = {zero, zero, zero, zero}, g1 = g0, g2 = g0;
    if (a.grad_db) {
        const Rows G = load_pixels(a.grad_db + 4 * pixel, count);
        const Slopes e = slopes(s);
        s.valid = s.valid & finite(e);
        const Floats kx = 2.0f / a.width * s.inverse_area, ky = 2.0f / a.H * s.inverse_area;
        const Rows D = derivatives(e, u, v, kx, ky);
        gA = -s.inverse_area * (G.x * D.x + G.y * D.y + G.z * D.z + G.w * D.w);
        const Floats hux = G.x * kx, huy = G.y * ky, hvx = G.z * kx, hvy = G.w * ky;
        gu -= hux * e.A_x + huy * e.A_y;
        gv -= hvx * e.A_x + hvy * e.A_y;
        const Floats gSx = hux * u + hvx * v, gSy = huy * u + hvy * v;
        const Floats p0 = hux - gSx, p1 = hvx - gSx, p2 = -gSx, q0 = huy - gSy, q1 = hvy - gSy, q2 = -gSy;
        g0 = Rows{q1 * s.p2.w - q2 * s.p1.w, p2 * s.p1.w - p1 * s.p2.w, zero, p1 * s.p2.y - p2 * s.p1.y + q2 * s.p1.x - q1 * s.p2.x};
        g1 = Rows{q2 * s.p0.w - q0 * s.p2.w, p0 * s.p2.w - p2 * s.p0.w, zero, p2 * s.p0.y - p0 * s.p2.y + q0 * s.p2.x - q2 * s.p0.x};
        g2 = Rows{q0 * s.p1.w - q1 * s.p0.w, p1 * s.p0.w - p0 * s.p1.w, zero, p0 * s.p1.y - p1 * s.p0.y + q1 * s.p0.x - q0 * s.p1.x};
    }
    gu *= s.inverse_area;
    gv *= s.inverse_area;
    const Floats ga2 = gA - (gu * u + gv * v), ga0 = gu + ga2, ga1 = gv + ga2;
    const Floats gx0 = ga2 * s.y1 - ga1 * s.y2, gy0 = ga1 * s.x2 - ga2 * s.x1;
    const Floats gx1 = ga0 * s.y2 - ga2 * s.y0, gy1 = ga2 * s.x0 - ga0 * s.x2;
    const Floats gx2 = ga1 * s.y0 - ga0 * s.y1, gy2 = ga0 * s.x1 - ga1 * s.x0;
    g0.x += gx0;  g0.y += gy0;  g0.w -= s.fx * gx0 + s.fy * gy0;
    g1.x += gx1;  g1.y += gy1;  g1.w -= s.fx * gx1 + s.fy * gy1;
    g2.x += gx2;  g2.y += gy2;  g2.w -= s.fx * gx2 + s.fy * gy2;

    float* grad = a.grad + row.n * a.pos_stride;
    float* to[3][GLRAST_LANES];
    bool on[GLRAST_LANES];
    for (int l = 0; l < GLRAST_LANES; ++l) {
        on[l] = s.drawn[l] && lane_is_set(s.valid, l);
        to[0][l] = grad + 4 * (int64)s.index[l].x;
        to[1][l] = grad + 4 * (int64)s.index[l].y;
        to[2][l] = grad + 4 * (int64)s.index[l].z;
    }
    const Rows g[3] = {g0, g1, g2};
    add_rows(to, on, g);
}

GLRAST_INLINE void rasterize_backward_element(const RasterizeBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_LANES) backward_lanes(a, x, lesser(end - x, GLRAST_LANES), row);
}
GLRAST_SCATTER(rasterize_backward, RasterizeBackwardArgs)
