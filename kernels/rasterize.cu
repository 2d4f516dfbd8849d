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
#include "rasterize/place.cuh"
#include "rasterize/select.cuh"
#include "rasterize/view.cuh"

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

GLRAST_INLINE void prepare_triangle(const RasterizePrepareArgs& a, int x, Row row) {
    Int3 index;
    bool draw = fetch_triangle(a.tri, a.width, a.V, x, &index);
    if (draw && a.check_finite) {
        const float* pos = a.pos + row.n * a.pos_stride;
        draw = is_finite4(load4(pos + 4 * (int64)index.x)) && is_finite4(load4(pos + 4 * (int64)index.y)) &&
               is_finite4(load4(pos + 4 * (int64)index.z));
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
    GLRAST_RECIPROCALS_MEMBERS
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
    const Floats kx = 2.0f * a.per_width * s.inverse_area, ky = 2.0f * a.per_height * s.inverse_area;
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
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    const float* pos;         // as grad
    int64 pos_stride;
    const int* tri;           // [T,3]
    int V;
    int T;
    const int* ids;           // [N,H,W] triangle id + 1
    const float* grad_rast;   // [N,H,W,4] or null: channels u, v are read
    const float* grad_db;     // [N,H,W,4] or null
    GLRAST_RECIPROCALS_MEMBERS
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
        const Floats kx = 2.0f * a.per_width * s.inverse_area, ky = 2.0f * a.per_height * s.inverse_area;
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
    add_rows(s.ids, to, on, g);  // a pixel's triangle says where it adds
}

GLRAST_INLINE void rasterize_backward_element(const RasterizeBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_LANES) backward_lanes(a, x, lesser(end - x, GLRAST_LANES), row);
}
GLRAST_SCATTER(rasterize_backward, RasterizeBackwardArgs)
