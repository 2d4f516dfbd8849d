// rasterize: what the OpenGL pass leaves to arithmetic.
//
//   rasterize_prepare   triangle indices that are safe to draw        one thread = one triangle
//   rasterize_resolve   triangle id -> (u, v, z/w, id) and derivatives one thread = one pixel
//   rasterize_backward  gradient of clip positions                     one thread = one pixel
//
// Vertex i of a triangle at (Xi, Yi, Zi, Wi); pixel centre (fx, fy) in [-1, 1]:
//   xi' = Xi - fx Wi, yi' = Yi - fy Wi
//   a0 = x1'y2' - y1'x2', a1 = x2'y0' - y2'x0', a2 = x0'y1' - y0'x1', A = a0 + a1 + a2
//   u = a0 / A, v = a1 / A, z/w = sum Zi ai / sum Wi ai
// perspective-correct as they stand, for any sign of w.
#include "common.cuh"

// ---- prepare ---------------------------------------------------------------------------------------------

struct RasterizePrepareArgs {
    int width;            // T
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

GLRAST_INLINE void rasterize_prepare_element(const RasterizePrepareArgs& a, int x, int64 row) {
    Int3 index;
    bool draw = fetch_triangle(a.tri, a.width, a.V, x, &index);
    if (draw && a.check_finite) {
        const float* pos = a.pos + row * a.pos_stride;
        draw = is_finite_vertex(pos + 4 * (int64)index.x) && is_finite_vertex(pos + 4 * (int64)index.y) &&
               is_finite_vertex(pos + 4 * (int64)index.z);
    }
    int* out = a.out + 3 * (row * a.width + x);
    out[0] = draw ? index.x : 0;
    out[1] = draw ? index.y : 0;
    out[2] = draw ? index.z : 0;
}
GLRAST_KERNEL(rasterize_prepare, RasterizePrepareArgs)

// ---- one triangle along one row of pixels ----------------------------------------------------------------

// A is known to a few units in the last place of the products it is summed from; below this multiple of
// them its sign is noise. The guard scales with the triangle: small and far triangles are not biased.
#define GLRAST_DEGENERATE 1e-6f

struct Span {
    int id;              // triangle + 1; 0: none
    Int3 index;
    Float4 p0, p1, p2;   // clip positions
    float y0, y1, y2;    // yi' = Yi - fy Wi
    float fy, y_size;
    float u_x, v_x, A_x, u_y, v_y, A_y;  // da0/dfx, da1/dfx, dA/dfx; the same by fy
};

// da0/dfx = Y1 W2 - Y2 W1, da0/dfy = X2 W1 - X1 W2, cyclic.
GLRAST_INLINE float slope_x(Float4 b, Float4 c) { return b.y * c.w - c.y * b.w; }
GLRAST_INLINE float slope_y(Float4 b, Float4 c) { return c.x * b.w - b.x * c.w; }

template <class Args>
GLRAST_INLINE void begin_span(const Args& a, int64 row, int id, Span& s) {
    s.id = fetch_triangle(a.tri, a.T, a.V, id - 1, &s.index) ? id : 0;
    if (!s.id) return;
    const int64 n = row / a.H;
    const float* pos = a.pos + n * a.pos_stride;
    s.p0 = load4(pos + 4 * (int64)s.index.x);
    s.p1 = load4(pos + 4 * (int64)s.index.y);
    s.p2 = load4(pos + 4 * (int64)s.index.z);
    s.fy = (2 * (int)(row - n * a.H) + 1) * (1.0f / a.H) - 1.0f;
    s.y0 = s.p0.y - s.fy * s.p0.w;
    s.y1 = s.p1.y - s.fy * s.p1.w;
    s.y2 = s.p2.y - s.fy * s.p2.w;
    s.y_size = fabsf(s.y0) + fabsf(s.y1) + fabsf(s.y2);
    s.u_x = slope_x(s.p1, s.p2);  s.v_x = slope_x(s.p2, s.p0);  s.A_x = s.u_x + s.v_x + slope_x(s.p0, s.p1);
    s.u_y = slope_y(s.p1, s.p2);  s.v_y = slope_y(s.p2, s.p0);  s.A_y = s.u_y + s.v_y + slope_y(s.p0, s.p1);
    if (!is_finite(s.A_x) || !is_finite(s.A_y)) s.u_x = s.v_x = s.A_x = s.u_y = s.v_y = s.A_y = 0.0f;  // 1e38: no NaN
}

struct Barycentrics { float a0, a1, a2, inverse_area; bool valid; };

GLRAST_INLINE float pixel_fx(int x, int width) { return (2 * x + 1) * (1.0f / width) - 1.0f; }

GLRAST_INLINE Barycentrics barycentrics(const Span& s, float fx) {
    const float x0 = s.p0.x - fx * s.p0.w, x1 = s.p1.x - fx * s.p1.w, x2 = s.p2.x - fx * s.p2.w;
    Barycentrics b;
    b.a0 = x1 * s.y2 - s.y1 * x2;
    b.a1 = x2 * s.y0 - s.y2 * x0;
    b.a2 = x0 * s.y1 - s.y0 * x1;
    const float A = b.a0 + b.a1 + b.a2, size = (fabsf(x0) + fabsf(x1) + fabsf(x2)) * s.y_size;
    b.valid = fabsf(A) > GLRAST_DEGENERATE * size && is_finite(size);
    b.inverse_area = b.valid ? 1.0f / A : 0.0f;
    return b;
}

// ---- resolve ---------------------------------------------------------------------------------------------

struct RasterizeResolveArgs {
    int width;                // W
    int64 rows;               // N*H
    int* ids;                 // [N,H,W] triangle id + 1; read, or written when from_rast
    int from_rast;            // 1: rast holds u, v and id already (the `full` program)
    const float* pos;         // [V,4] or [N,V,4]
    int64 pos_stride;         // floats from one image's vertices to the next: 0 or V*4
    const int* tri;           // [T,3]
    int V;
    int T;
    int H;
    float* rast;              // [N,H,W,4]
    float* rast_db;           // [N,H,W,4] or null
};

GLRAST_INLINE void rasterize_resolve_element(const RasterizeResolveArgs& a, int x, int64 row, Span& s) {
    const int64 pixel = row * a.width + x;
    float* rast = a.rast + 4 * pixel;
    float* db = a.rast_db ? a.rast_db + 4 * pixel : 0;
    if (a.from_rast) a.ids[pixel] = decode_id(rast[3]);
    const int id = a.ids[pixel];
    if (id > 0 && id != s.id) begin_span(a, row, id, s);
    if (id <= 0 || !s.id) {
        rast[0] = rast[1] = rast[2] = rast[3] = 0.0f;
        if (db) db[0] = db[1] = db[2] = db[3] = 0.0f;
        return;
    }
    const Barycentrics b = barycentrics(s, pixel_fx(x, a.width));
    const float exact_u = b.valid ? b.a0 * b.inverse_area : 1.0f / 3.0f;
    const float exact_v = b.valid ? b.a1 * b.inverse_area : 1.0f / 3.0f;
    // OpenGL decided that the centre is inside; rounding may disagree.
    const float u = minimum(maximum(a.from_rast ? rast[0] : exact_u, 0.0f), 1.0f);
    const float v = minimum(maximum(a.from_rast ? rast[1] : exact_v, 0.0f), 1.0f - u);
    const float k0 = b.valid ? b.a0 : u, k1 = b.valid ? b.a1 : v, k2 = b.valid ? b.a2 : 1.0f - u - v;
    const float zw = (s.p0.z * k0 + s.p1.z * k1 + s.p2.z * k2) / (s.p0.w * k0 + s.p1.w * k1 + s.p2.w * k2);
    rast[0] = u;
    rast[1] = v;
    rast[2] = zw == zw ? minimum(maximum(zw, -1.0f), 1.0f) : 0.0f;
    rast[3] = encode_id(id);
    if (!db) return;
    const float kx = 2.0f / a.width * b.inverse_area, ky = 2.0f / a.H * b.inverse_area;
    db[0] = kx * (s.u_x - exact_u * s.A_x);  // du/dX
    db[1] = ky * (s.u_y - exact_u * s.A_y);  // du/dY
    db[2] = kx * (s.v_x - exact_v * s.A_x);  // dv/dX
    db[3] = ky * (s.v_y - exact_v * s.A_y);  // dv/dY
}
GLRAST_INLINE void rasterize_resolve_flush(const RasterizeResolveArgs&, Span&) {}
GLRAST_RUN_KERNEL(rasterize_resolve, RasterizeResolveArgs, Span)

// ---- backward --------------------------------------------------------------------------------------------

struct RasterizeBackwardArgs {
    int width;                // W
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
    int H;
    const int* ids;           // [N,H,W] triangle id + 1
    const float* grad_rast;   // [N,H,W,4] or null: channels u, v are read
    const float* grad_db;     // [N,H,W,4] or null
};

// With incoming gu, gv of u, v and G of the four derivatives (D below), h = G dD/d(numerator):
//   gu -= h_ux A_x + h_uy A_y, gv likewise;  gA = -(sum G D)/A;  g = (gu u + gv v)/A
//   ga0 = gu/A - g + gA, ga1 = gv/A - g + gA, ga2 = -g + gA
// then the adjoints of ak = xi'yj' - yi'xj' and of the slopes pk = Yi Wj - Yj Wi, qk = Xj Wi - Xi Wj.
// Along a run of pixels of one triangle y' is constant and xi' = xi'(start) - d Wi with d = fx - fx(start):
// the sums S of ga and M of d ga say all about x, y, w; so each vertex is added to once a run, not once a pixel.
struct GradientRun {
    Span span;
    int64 row;
    float start;                // fx of the first pixel
    float S0, S1, S2, M0, M1, M2;
    float p0, p1, p2, q0, q1, q2;  // sums of the slopes' gradients
};

GLRAST_INLINE void rasterize_backward_flush(const RasterizeBackwardArgs& a, GradientRun& r) {
    const Span& s = r.span;
    if (!s.id) return;
    const Float4 &c0 = s.p0, &c1 = s.p1, &c2 = s.p2;
    const float x0 = c0.x - r.start * c0.w, x1 = c1.x - r.start * c1.w, x2 = c2.x - r.start * c2.w;
    float gX0 = r.S2 * s.y1 - r.S1 * s.y2, gX1 = r.S0 * s.y2 - r.S2 * s.y0, gX2 = r.S1 * s.y0 - r.S0 * s.y1;
    float gY0 = r.S1 * x2 - r.S2 * x1 - (r.M1 * c2.w - r.M2 * c1.w);
    float gY1 = r.S2 * x0 - r.S0 * x2 - (r.M2 * c0.w - r.M0 * c2.w);
    float gY2 = r.S0 * x1 - r.S1 * x0 - (r.M0 * c1.w - r.M1 * c0.w);
    float gW0 = -r.start * gX0 - s.fy * gY0 - (r.M2 * s.y1 - r.M1 * s.y2);
    float gW1 = -r.start * gX1 - s.fy * gY1 - (r.M0 * s.y2 - r.M2 * s.y0);
    float gW2 = -r.start * gX2 - s.fy * gY2 - (r.M1 * s.y0 - r.M0 * s.y1);
    if (a.grad_db) {
        gX0 += r.q1 * c2.w - r.q2 * c1.w;  gY0 += r.p2 * c1.w - r.p1 * c2.w;
        gX1 += r.q2 * c0.w - r.q0 * c2.w;  gY1 += r.p0 * c2.w - r.p2 * c0.w;
        gX2 += r.q0 * c1.w - r.q1 * c0.w;  gY2 += r.p1 * c0.w - r.p0 * c1.w;
        gW0 += r.p1 * c2.y - r.p2 * c1.y + r.q2 * c1.x - r.q1 * c2.x;
        gW1 += r.p2 * c0.y - r.p0 * c2.y + r.q0 * c2.x - r.q2 * c0.x;
        gW2 += r.p0 * c1.y - r.p1 * c0.y + r.q1 * c0.x - r.q0 * c1.x;
    }
    float* grad = a.grad + r.row / a.H * a.pos_stride;
    float *g0 = grad + 4 * (int64)s.index.x, *g1 = grad + 4 * (int64)s.index.y, *g2 = grad + 4 * (int64)s.index.z;
    GLRAST_ADD(g0, gX0);  GLRAST_ADD(g0 + 1, gY0);  GLRAST_ADD(g0 + 3, gW0);
    GLRAST_ADD(g1, gX1);  GLRAST_ADD(g1 + 1, gY1);  GLRAST_ADD(g1 + 3, gW1);
    GLRAST_ADD(g2, gX2);  GLRAST_ADD(g2 + 1, gY2);  GLRAST_ADD(g2 + 3, gW2);
}

GLRAST_INLINE void rasterize_backward_element(const RasterizeBackwardArgs& a, int x, int64 row, GradientRun& r) {
    const int64 pixel = row * a.width + x;
    const int id = a.ids[pixel];
    if (id <= 0) return;
    float gu = a.grad_rast ? a.grad_rast[4 * pixel] : 0.0f, gv = a.grad_rast ? a.grad_rast[4 * pixel + 1] : 0.0f;
    if (!a.grad_db && gu == 0.0f && gv == 0.0f) return;
    const float fx = pixel_fx(x, a.width);
    if (id != r.span.id) {
        rasterize_backward_flush(a, r);
        r = GradientRun{};
        begin_span(a, row, id, r.span);
        r.row = row;
        r.start = fx;
    }
    const Span& s = r.span;
    if (!s.id) return;
    const Barycentrics b = barycentrics(s, fx);
    if (!b.valid) return;
    const float u = b.a0 * b.inverse_area, v = b.a1 * b.inverse_area;
    float gA = 0.0f;
    if (a.grad_db) {
        const Float4 G = load4(a.grad_db + 4 * pixel);
        const float kx = 2.0f / a.width * b.inverse_area, ky = 2.0f / a.H * b.inverse_area;
        const float hux = G.x * kx, huy = G.y * ky, hvx = G.z * kx, hvy = G.w * ky;
        gA = -b.inverse_area * (hux * (s.u_x - u * s.A_x) + huy * (s.u_y - u * s.A_y) +
                                hvx * (s.v_x - v * s.A_x) + hvy * (s.v_y - v * s.A_y));
        gu -= hux * s.A_x + huy * s.A_y;
        gv -= hvx * s.A_x + hvy * s.A_y;
        const float gSx = hux * u + hvx * v, gSy = huy * u + hvy * v;
        r.p0 += hux - gSx;  r.p1 += hvx - gSx;  r.p2 -= gSx;
        r.q0 += huy - gSy;  r.q1 += hvy - gSy;  r.q2 -= gSy;
    }
    gu *= b.inverse_area;
    gv *= b.inverse_area;
    const float g = gA - (gu * u + gv * v), d = fx - r.start;
    r.S0 += gu + g;        r.S1 += gv + g;        r.S2 += g;
    r.M0 += d * (gu + g);  r.M1 += d * (gv + g);  r.M2 += d * g;
}
GLRAST_SCATTER_KERNEL(rasterize_backward, RasterizeBackwardArgs, GradientRun)
