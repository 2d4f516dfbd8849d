// interpolate: attributes of the triangle under each pixel, weighted by its barycentrics. One thread = one pixel.
//
//   out   = u A0 + v A1 + (1-u-v) A2
//   dA/dX = du/dX (A0-A2) + dv/dX (A1-A2), dA/dY likewise, for the attributes listed in `diff`
// Backward accumulates grad [slots,V,grad_row]; it writes grad_rast (u, v, 0, 0) and grad_db.
// Three attributes, the common case, have a way of their own: what belongs to the triangle is kept from pixel to pixel.
#include "lanes.cuh"

// The attributes of the triangle under a pixel: where its three rows begin, from the image's first attribute.
struct Corners { int64 v0, v1, v2, i0, i1, i2; };  // vertices; floats

template <class Args>
GLRAST_INLINE bool find_corners(const Args& a, float id, Corners* c) {
    Int3 index;
    if (!fetch_triangle(a.tri, a.T, a.V, decode_id(id) - 1, &index)) return false;
    *c = Corners{index.x, index.y, index.z, (int64)index.x * a.A, (int64)index.y * a.A, (int64)index.z * a.A};
    return true;
}

struct InterpolateArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    const float* attr;        // [V,A] or [N,V,A]
    int64 attr_stride;        // floats from one image's attributes to the next: 0 or V*A
    const float* rast;        // [N,H,W,4]
    const float* rast_db;     // [N,H,W,4] or null
    const int* tri;           // [T,3]
    const int* diff;          // [D] attribute indices
    int V;
    int T;
    int A;
    int D;
    float* out;               // [N,H,W,A]
    float* out_da;            // [N,H,W,2D]: dA0/dX, dA0/dY, dA1/dX, ...
};

GLRAST_INLINE void interpolate_any(const InterpolateArgs& a, int x, Row row) {
    const int64 pixel = row.index * a.width + x;
    const float* rast = a.rast + 4 * pixel;
    float* out = a.out + pixel * a.A;
    float* out_da = a.out_da + pixel * 2 * a.D;
    Corners c;
    if (!find_corners(a, rast[3], &c)) {
        for (int i = 0; i < a.A; ++i) out[i] = 0.0f;
        for (int i = 0; i < 2 * a.D; ++i) out_da[i] = 0.0f;
        return;
    }
    const float* attr = a.attr + row.n * a.attr_stride;
    const float *A0 = attr + c.i0, *A1 = attr + c.i1, *A2 = attr + c.i2;
    const float u = rast[0], v = rast[1], t = 1.0f - u - v;
    for (int i = 0; i < a.A; ++i) out[i] = u * A0[i] + v * A1[i] + t * A2[i];
    if (!a.D) return;
    const Float4 db = load4(a.rast_db + 4 * pixel);
    for (int i = 0; i < a.D; ++i) {
        const int k = a.diff[i];
        const float du = A0[k] - A2[k], dv = A1[k] - A2[k];
        out_da[2 * i] = db.x * du + db.z * dv;
        out_da[2 * i + 1] = db.y * du + db.w * dv;
    }
}

struct InterpolateRun {
    float id;           // of the pixel to the left; at first that of no triangle
    bool drawn;
    Triple A0, A1, A2;  // its triangle's attributes
};

GLRAST_INLINE void interpolate_forward_element(const InterpolateArgs& a, int x, Row row, InterpolateRun& run) {
    if (a.A != 3 || a.D) { interpolate_any(a, x, row); return; }
    const int64 pixel = row.index * a.width + x;
    const Float4 rast = load4(a.rast + 4 * pixel);
    if (rast.w != run.id) {
        run.id = rast.w;
        Corners c;
        run.drawn = find_corners(a, rast.w, &c);
        if (run.drawn) {
            const float* attr = a.attr + row.n * a.attr_stride;
            run.A0 = load3(attr + c.i0);  run.A1 = load3(attr + c.i1);  run.A2 = load3(attr + c.i2);
        }
    }
    const float u = rast.x, v = rast.y;
    const Triple none = {};
    store3(a.out + 3 * pixel, run.drawn ? u * run.A0 + v * run.A1 + (1.0f - u - v) * run.A2 : none);
}
GLRAST_RUN_KERNEL(interpolate_forward, InterpolateArgs, InterpolateRun)

struct InterpolateBackwardArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    float* grad;              // [V,grad_row] or [N,V,grad_row], accumulated; null: not asked for
    float* spare;
    int64 slot_size;          // V*grad_row
    int slots;
    int pieces;
    const float* attr;        // as grad
    int64 attr_stride;
    const float* rast;        // [N,H,W,4]
    const float* rast_db;     // [N,H,W,4] or null
    const int* tri;           // [T,3]
    const int* diff;          // [D]
    int V;
    int T;
    int A;
    int D;
    int grad_row;             // floats from one vertex's gradient to the next: A, or 4 for A = 3 on the CPU
    const float* grad_out;    // [N,H,W,A] or null
    const float* grad_out_da; // [N,H,W,2D] or null
    float* grad_rast;         // [N,H,W,4] or null: not asked for
    float* grad_db;           // [N,H,W,4] or null
};

// gA0 += u y, gA1 += v y, gA2 += (1-u-v) y; gu = sum y (A0-A2), gv = sum y (A1-A2). Derivative part with
// incoming p, q: s = p du/dX + q du/dY, t = p dv/dX + q dv/dY; gA0 += s, gA1 += t, gA2 -= s + t;
// g(du/dX) += p (A0-A2), g(du/dY) += q (A0-A2), g(dv/dX) += p (A1-A2), g(dv/dY) += q (A1-A2).
GLRAST_INLINE void interpolate_any_backward(const InterpolateBackwardArgs& a, int x, Row row) {
    const int64 pixel = row.index * a.width + x;
    const float* rast = a.rast + 4 * pixel;
    Corners c;
    const bool drawn = find_corners(a, rast[3], &c);
    Float4 gdb = {0.0f, 0.0f, 0.0f, 0.0f};
    float gu = 0.0f, gv = 0.0f;
    if (drawn) {
        const float* attr = a.attr + row.n * a.attr_stride;
        const float *A0 = attr + c.i0, *A1 = attr + c.i1, *A2 = attr + c.i2;
        float* grad = a.grad + (a.attr_stride ? row.n * a.slot_size : 0);
        float *g0 = grad + c.v0 * a.grad_row, *g1 = grad + c.v1 * a.grad_row, *g2 = grad + c.v2 * a.grad_row;
        if (a.grad_out) {
            const float* y = a.grad_out + pixel * a.A;
            const float u = rast[0], v = rast[1], t = 1.0f - u - v;
            for (int i = 0; i < a.A; ++i) {
                const float yi = y[i];
                gu += yi * (A0[i] - A2[i]);
                gv += yi * (A1[i] - A2[i]);
                if (!a.grad) continue;
                GLRAST_ADD(g0 + i, u * yi);
                GLRAST_ADD(g1 + i, v * yi);
                GLRAST_ADD(g2 + i, t * yi);
            }
        }
        for (int i = 0; i < a.D && a.grad_out_da; ++i) {
            const Float4 db = load4(a.rast_db + 4 * pixel);
            const int k = a.diff[i];
            const float p = a.grad_out_da[pixel * 2 * a.D + 2 * i], q = a.grad_out_da[pixel * 2 * a.D + 2 * i + 1];
            const float du = A0[k] - A2[k], dv = A1[k] - A2[k];
            gdb.x += p * du;  gdb.y += q * du;  gdb.z += p * dv;  gdb.w += q * dv;
            if (!a.grad) continue;
            const float s = p * db.x + q * db.y, t = p * db.z + q * db.w;
            GLRAST_ADD(g0 + k, s);
            GLRAST_ADD(g1 + k, t);
            GLRAST_ADD(g2 + k, -s - t);
        }
    }
    if (a.grad_rast) store4(a.grad_rast + 4 * pixel, Float4{gu, gv, 0.0f, 0.0f});
    if (a.grad_db) store4(a.grad_db + 4 * pixel, gdb);
}

struct InterpolateBackwardRun {
    float id;              // of the pixel to the left; at first that of no triangle
    bool drawn;
    Triple d0, d1;         // A0 - A2, A1 - A2
    float *p0, *p1, *p2;   // where its corners' gradients go
    Triple g0, g1, g2;     // and what its pixels in this row have given them
};

GLRAST_INLINE void interpolate_backward_finish(const InterpolateBackwardArgs& a, Row, InterpolateBackwardRun& run) {
    if (!run.drawn || !a.grad) return;
    add3(run.p0, a.grad_row, run.g0);
    add3(run.p1, a.grad_row, run.g1);
    add3(run.p2, a.grad_row, run.g2);
}

GLRAST_INLINE void interpolate_backward_element(const InterpolateBackwardArgs& a, int x, Row row, InterpolateBackwardRun& run) {
    if (a.A != 3 || a.D || !a.grad_out) { interpolate_any_backward(a, x, row); return; }
    const int64 pixel = row.index * a.width + x;
    const Float4 rast = load4(a.rast + 4 * pixel);
    if (rast.w != run.id) {
        interpolate_backward_finish(a, row, run);
        run = InterpolateBackwardRun{};
        run.id = rast.w;
        Corners c;
        run.drawn = find_corners(a, rast.w, &c);
        if (run.drawn) {
            const float* attr = a.attr + row.n * a.attr_stride;
            const Triple A2 = load3(attr + c.i2);
            run.d0 = load3(attr + c.i0) - A2;
            run.d1 = load3(attr + c.i1) - A2;
            if (a.grad) {
                float* grad = a.grad + (a.attr_stride ? row.n * a.slot_size : 0);
                run.p0 = grad + c.v0 * a.grad_row;  run.p1 = grad + c.v1 * a.grad_row;  run.p2 = grad + c.v2 * a.grad_row;
            }
        }
    }
    if (!run.drawn) {
        if (a.grad_rast) store4(a.grad_rast + 4 * pixel, Float4{0.0f, 0.0f, 0.0f, 0.0f});
        return;
    }
    const Triple y = load3(a.grad_out + 3 * pixel);
    const float u = rast.x, v = rast.y;
    run.g0 = run.g0 + u * y;
    run.g1 = run.g1 + v * y;
    run.g2 = run.g2 + (1.0f - u - v) * y;
    if (a.grad_rast) store4(a.grad_rast + 4 * pixel, Float4{dot(y, run.d0), dot(y, run.d1), 0.0f, 0.0f});
}
GLRAST_SCATTER_RUN_KERNEL(interpolate_backward, InterpolateBackwardArgs, InterpolateBackwardRun)

// The same where attr needs no gradient (grad is null): nothing is scattered.
GLRAST_INLINE void interpolate_backward_rast_element(const InterpolateBackwardArgs& a, int x, Row row, InterpolateBackwardRun& run) {
    interpolate_backward_element(a, x, row, run);
}
GLRAST_RUN_KERNEL(interpolate_backward_rast, InterpolateBackwardArgs, InterpolateBackwardRun)
