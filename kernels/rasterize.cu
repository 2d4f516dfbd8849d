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

// ---- one triangle seen from one pixel --------------------------------------------------------------------

struct Corner { float X, Y, Z, W, x, y; };  // clip position; x, y = relative to the pixel centre

struct Barycentrics { Corner c0, c1, c2; float a0, a1, a2, u, v, inverse_area; bool valid; };

GLRAST_INLINE Corner corner(const float* p, float fx, float fy) {
    return Corner{p[0], p[1], p[2], p[3], p[0] - fx * p[3], p[1] - fy * p[3]};
}

// A is known to a few units in the last place of the products it is summed from; below this multiple of
// them its sign is noise. The guard scales with the triangle: small and far triangles are not biased.
#define GLRAST_DEGENERATE 1e-6f

GLRAST_INLINE Barycentrics barycentrics(const float* pos, Int3 index, float fx, float fy) {
    Barycentrics b;
    b.c0 = corner(pos + 4 * (int64)index.x, fx, fy);
    b.c1 = corner(pos + 4 * (int64)index.y, fx, fy);
    b.c2 = corner(pos + 4 * (int64)index.z, fx, fy);
    const float p0 = b.c1.x * b.c2.y, q0 = b.c1.y * b.c2.x;
    const float p1 = b.c2.x * b.c0.y, q1 = b.c2.y * b.c0.x;
    const float p2 = b.c0.x * b.c1.y, q2 = b.c0.y * b.c1.x;
    b.a0 = p0 - q0; b.a1 = p1 - q1; b.a2 = p2 - q2;
    const float A = b.a0 + b.a1 + b.a2;
    const float size = fabsf(p0) + fabsf(q0) + fabsf(p1) + fabsf(q1) + fabsf(p2) + fabsf(q2);
    b.valid = fabsf(A) > GLRAST_DEGENERATE * size && is_finite(size);
    b.inverse_area = b.valid ? 1.0f / A : 0.0f;
    b.u = b.valid ? b.a0 * b.inverse_area : 1.0f / 3.0f;
    b.v = b.valid ? b.a1 * b.inverse_area : 1.0f / 3.0f;
    return b;
}

// dak/dfx and dak/dfy, and their sums.
struct EdgeSlopes { float p0, p1, p2, q0, q1, q2, Sx, Sy; };

GLRAST_INLINE EdgeSlopes edge_slopes(const Barycentrics& b) {
    EdgeSlopes e;
    e.p0 = b.c1.Y * b.c2.W - b.c2.Y * b.c1.W;  e.q0 = b.c2.X * b.c1.W - b.c1.X * b.c2.W;
    e.p1 = b.c2.Y * b.c0.W - b.c0.Y * b.c2.W;  e.q1 = b.c0.X * b.c2.W - b.c2.X * b.c0.W;
    e.p2 = b.c0.Y * b.c1.W - b.c1.Y * b.c0.W;  e.q2 = b.c1.X * b.c0.W - b.c0.X * b.c1.W;
    e.Sx = e.p0 + e.p1 + e.p2;
    e.Sy = e.q0 + e.q1 + e.q2;
    return e;
}

// ---- resolve ---------------------------------------------------------------------------------------------

struct RasterizeResolveArgs {
    int width;                // W
    int64 rows;               // N*H
    const int* ids;           // [N,H,W] triangle id + 1, or null: take id, u, v from rast (the `full` program)
    const float* pos;         // [V,4] or [N,V,4]
    int64 pos_stride;         // floats from one image's vertices to the next: 0 or V*4
    const int* tri;           // [T,3]
    int V;
    int T;
    int H;
    float* rast;              // [N,H,W,4]
    float* rast_db;           // [N,H,W,4] or null
};

GLRAST_INLINE void rasterize_resolve_element(const RasterizeResolveArgs& a, int x, int64 row) {
    const int64 pixel = row * a.width + x;
    float* rast = a.rast + 4 * pixel;
    float* db = a.rast_db ? a.rast_db + 4 * pixel : 0;
    const int id = a.ids ? a.ids[pixel] : decode_id(rast[3]);
    Int3 index;
    if (id <= 0 || !fetch_triangle(a.tri, a.T, a.V, id - 1, &index)) {
        rast[0] = rast[1] = rast[2] = rast[3] = 0.0f;
        if (db) db[0] = db[1] = db[2] = db[3] = 0.0f;
        return;
    }
    const int64 n = row / a.H;
    const float fx = (2 * x + 1) / (float)a.width - 1.0f, fy = (2 * (int)(row - n * a.H) + 1) / (float)a.H - 1.0f;
    const Barycentrics b = barycentrics(a.pos + n * a.pos_stride, index, fx, fy);
    float u = b.u, v = b.v;
    if (!a.ids) { u = rast[0]; v = rast[1]; }
    u = minimum(maximum(u, 0.0f), 1.0f);  // OpenGL decided that the centre is inside; rounding may disagree
    v = minimum(maximum(v, 0.0f), 1.0f - u);
    const float t = 1.0f - u - v;
    const float zw = b.valid ? (b.c0.Z * b.a0 + b.c1.Z * b.a1 + b.c2.Z * b.a2) / (b.c0.W * b.a0 + b.c1.W * b.a1 + b.c2.W * b.a2)
                             : (b.c0.Z * u + b.c1.Z * v + b.c2.Z * t) / (b.c0.W * u + b.c1.W * v + b.c2.W * t);
    rast[0] = u;
    rast[1] = v;
    rast[2] = zw == zw ? minimum(maximum(zw, -1.0f), 1.0f) : 0.0f;
    rast[3] = encode_id(id);
    if (!db) return;
    const EdgeSlopes e = edge_slopes(b);
    const float kx = 2.0f / a.width * b.inverse_area, ky = 2.0f / a.H * b.inverse_area;
    db[0] = kx * (e.p0 - b.u * e.Sx);  // du/dX
    db[1] = ky * (e.q0 - b.u * e.Sy);  // du/dY
    db[2] = kx * (e.p1 - b.v * e.Sx);  // dv/dX
    db[3] = ky * (e.q1 - b.v * e.Sy);  // dv/dY
}
GLRAST_KERNEL(rasterize_resolve, RasterizeResolveArgs)

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
    const float* rast;        // [N,H,W,4]: the id is read
    const float* grad_rast;   // [N,H,W,4] or null: channels u, v are read
    const float* grad_db;     // [N,H,W,4] or null
};

// With incoming gu, gv of u, v and G of the four derivatives (D below), hk = G dD/d(numerator):
//   gu -= h_ux Sx + h_uy Sy, gv likewise;  gA = -(sum G D)/A;  g = (gu u + gv v)/A
//   ga0 = gu/A - g + gA, ga1 = gv/A - g + gA, ga2 = -g + gA
// then the adjoints of the products ak = xi'yj' - yi'xj', pk = Yi Wj - Yj Wi, qk = Xj Wi - Xi Wj.
GLRAST_INLINE void rasterize_backward_element(const RasterizeBackwardArgs& a, int x, int64 row) {
    const int64 pixel = row * a.width + x;
    const int id = decode_id(a.rast[4 * pixel + 3]);
    Int3 index;
    if (id <= 0 || !fetch_triangle(a.tri, a.T, a.V, id - 1, &index)) return;
    const int64 n = row / a.H;
    const float fx = (2 * x + 1) / (float)a.width - 1.0f, fy = (2 * (int)(row - n * a.H) + 1) / (float)a.H - 1.0f;
    const Barycentrics b = barycentrics(a.pos + n * a.pos_stride, index, fx, fy);
    if (!b.valid) return;
    const Corner &c0 = b.c0, &c1 = b.c1, &c2 = b.c2;
    float gu = a.grad_rast ? a.grad_rast[4 * pixel] : 0.0f, gv = a.grad_rast ? a.grad_rast[4 * pixel + 1] : 0.0f;
    float gA = 0, gX0 = 0, gX1 = 0, gX2 = 0, gY0 = 0, gY1 = 0, gY2 = 0, gW0 = 0, gW1 = 0, gW2 = 0;
    if (a.grad_db) {
        const Float4 G = load4(a.grad_db + 4 * pixel);
        const EdgeSlopes e = edge_slopes(b);
        const float kx = 2.0f / a.width * b.inverse_area, ky = 2.0f / a.H * b.inverse_area;
        const float hux = G.x * kx, huy = G.y * ky, hvx = G.z * kx, hvy = G.w * ky;
        gA = -b.inverse_area * (hux * (e.p0 - b.u * e.Sx) + huy * (e.q0 - b.u * e.Sy) +
                                hvx * (e.p1 - b.v * e.Sx) + hvy * (e.q1 - b.v * e.Sy));
        gu -= hux * e.Sx + huy * e.Sy;
        gv -= hvx * e.Sx + hvy * e.Sy;
        const float gSx = hux * b.u + hvx * b.v, gSy = huy * b.u + hvy * b.v;
        const float gp0 = hux - gSx, gp1 = hvx - gSx, gp2 = -gSx, gq0 = huy - gSy, gq1 = hvy - gSy, gq2 = -gSy;
        gY0 += gp2 * c1.W - gp1 * c2.W;  gX0 += gq1 * c2.W - gq2 * c1.W;
        gY1 += gp0 * c2.W - gp2 * c0.W;  gX1 += gq2 * c0.W - gq0 * c2.W;
        gY2 += gp1 * c0.W - gp0 * c1.W;  gX2 += gq0 * c1.W - gq1 * c0.W;
        gW0 += gp1 * c2.Y - gp2 * c1.Y + gq2 * c1.X - gq1 * c2.X;
        gW1 += gp2 * c0.Y - gp0 * c2.Y + gq0 * c2.X - gq2 * c0.X;
        gW2 += gp0 * c1.Y - gp1 * c0.Y + gq1 * c0.X - gq0 * c1.X;
    }
    gu *= b.inverse_area;
    gv *= b.inverse_area;
    const float g = gA - (gu * b.u + gv * b.v);
    const float ga0 = gu + g, ga1 = gv + g, ga2 = g;
    if (ga0 == 0 && ga1 == 0 && ga2 == 0 && !a.grad_db) return;
    const float gx0 = ga2 * c1.y - ga1 * c2.y, gy0 = ga1 * c2.x - ga2 * c1.x;
    const float gx1 = ga0 * c2.y - ga2 * c0.y, gy1 = ga2 * c0.x - ga0 * c2.x;
    const float gx2 = ga1 * c0.y - ga0 * c1.y, gy2 = ga0 * c1.x - ga1 * c0.x;
    float* grad = a.grad + n * a.pos_stride;
    float *g0 = grad + 4 * (int64)index.x, *g1 = grad + 4 * (int64)index.y, *g2 = grad + 4 * (int64)index.z;
    GLRAST_ADD(g0, gX0 + gx0);  GLRAST_ADD(g0 + 1, gY0 + gy0);  GLRAST_ADD(g0 + 3, gW0 - fx * gx0 - fy * gy0);
    GLRAST_ADD(g1, gX1 + gx1);  GLRAST_ADD(g1 + 1, gY1 + gy1);  GLRAST_ADD(g1 + 3, gW1 - fx * gx1 - fy * gy1);
    GLRAST_ADD(g2, gX2 + gx2);  GLRAST_ADD(g2 + 1, gY2 + gy2);  GLRAST_ADD(g2 + 3, gW2 - fx * gx2 - fy * gy2);
}
GLRAST_SCATTER_KERNEL(rasterize_backward, RasterizeBackwardArgs)
