// interpolate: attributes of the triangle under each pixel, weighted by its barycentrics. One thread = one pixel.
//
//   out   = u A0 + v A1 + (1-u-v) A2
//   dA/dX = du/dX (A0-A2) + dv/dX (A1-A2), dA/dY likewise, for the attributes listed in `diff`
// Backward accumulates grad [slots,V,A]; it writes grad_rast (u, v, 0, 0) and grad_db.
#include "common.cuh"

// The triangle of a run of pixels: where its three attribute rows begin.
struct AttributeRun {
    float id;             // as rast has it; 0 before the first triangle
    bool drawn;           // the id is in tri and its indices in attr
    int64 i0, i1, i2;     // floats from the image's first attribute
};

template <class Args>
GLRAST_INLINE bool in_triangle(const Args& a, float id, AttributeRun& run) {
    if (id == run.id) return run.drawn;
    Int3 index;
    run.id = id;
    run.drawn = fetch_triangle(a.tri, a.T, a.V, decode_id(id) - 1, &index);
    if (run.drawn) { run.i0 = (int64)index.x * a.A; run.i1 = (int64)index.y * a.A; run.i2 = (int64)index.z * a.A; }
    return run.drawn;
}

struct InterpolateArgs {
    int width;                // W
    int64 rows;               // N*H
    const float* attr;        // [V,A] or [N,V,A]
    int64 attr_stride;        // floats from one image's attributes to the next: 0 or V*A
    const float* rast;        // [N,H,W,4]
    const float* rast_db;     // [N,H,W,4] or null
    const int* tri;           // [T,3]
    const int* diff;          // [D] attribute indices
    int V;
    int T;
    int H;
    int A;
    int D;
    float* out;               // [N,H,W,A]
    float* out_da;            // [N,H,W,2D]: dA0/dX, dA0/dY, dA1/dX, ...
};

template <int Fixed>
GLRAST_INLINE void interpolate_forward_fixed(const InterpolateArgs& a, int x, int64 row, AttributeRun& run) {
    const int64 pixel = row * a.width + x;
    const int A = Fixed ? Fixed : a.A;
    float* out = a.out + pixel * A;
    float* out_da = a.out_da + pixel * 2 * a.D;
    if (!in_triangle(a, a.rast[4 * pixel + 3], run)) {
        for (int i = 0; i < A; ++i) out[i] = 0.0f;
        for (int i = 0; i < 2 * a.D; ++i) out_da[i] = 0.0f;
        return;
    }
    const float* attr = a.attr + row / a.H * a.attr_stride;
    const float *A0 = attr + run.i0, *A1 = attr + run.i1, *A2 = attr + run.i2;
    const float u = a.rast[4 * pixel], v = a.rast[4 * pixel + 1], t = 1.0f - u - v;
    for (int i = 0; i < A; ++i) out[i] = u * A0[i] + v * A1[i] + t * A2[i];
    if (!a.D) return;
    const Float4 db = load4(a.rast_db + 4 * pixel);
    for (int i = 0; i < a.D; ++i) {
        const int k = a.diff[i];
        const float du = A0[k] - A2[k], dv = A1[k] - A2[k];
        out_da[2 * i] = db.x * du + db.z * dv;
        out_da[2 * i + 1] = db.y * du + db.w * dv;
    }
}
GLRAST_INLINE void interpolate_forward_element(const InterpolateArgs& a, int x, int64 row, AttributeRun& run) {
    if (a.A == 3) interpolate_forward_fixed<3>(a, x, row, run);
    else interpolate_forward_fixed<0>(a, x, row, run);
}
GLRAST_INLINE void interpolate_forward_flush(const InterpolateArgs&, AttributeRun&) {}
GLRAST_RUN_KERNEL(interpolate_forward, InterpolateArgs, AttributeRun)

struct InterpolateBackwardArgs {
    int width;                // W
    int64 rows;               // N*H
    float* grad;              // [V,A] or [N,V,A], accumulated; null: not asked for
    float* spare;
    int64 slot_size;          // V*A
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
    int H;
    int A;
    int D;
    const float* grad_out;    // [N,H,W,A] or null
    const float* grad_out_da; // [N,H,W,2D] or null
    float* grad_rast;         // [N,H,W,4] or null: not asked for
    float* grad_db;           // [N,H,W,4] or null
};

// With few attributes, a run's sums of u y, v y and y are kept and each vertex is added to once a run.
#define GLRAST_SUMMED_ATTRIBUTES 4

struct AttributeGradientRun {
    AttributeRun triangle;
    float* grad;                                        // the image's part of the gradient
    float uy[GLRAST_SUMMED_ATTRIBUTES], vy[GLRAST_SUMMED_ATTRIBUTES], y[GLRAST_SUMMED_ATTRIBUTES];
};

GLRAST_INLINE void add_three(float* grad, const AttributeRun& t, int i, float g0, float g1, float g2) {
    GLRAST_ADD(grad + t.i0 + i, g0);
    GLRAST_ADD(grad + t.i1 + i, g1);
    GLRAST_ADD(grad + t.i2 + i, g2);
}

GLRAST_INLINE void interpolate_backward_flush(const InterpolateBackwardArgs& a, AttributeGradientRun& run) {
    if (!run.triangle.drawn || !run.grad || a.A > GLRAST_SUMMED_ATTRIBUTES) return;
    for (int i = 0; i < a.A; ++i)
        add_three(run.grad, run.triangle, i, run.uy[i], run.vy[i], run.y[i] - run.uy[i] - run.vy[i]);
}

// gA0 += u y, gA1 += v y, gA2 += (1-u-v) y; gu = sum y (A0-A2), gv = sum y (A1-A2). Derivative part with
// incoming p, q: s = p du/dX + q du/dY, t = p dv/dX + q dv/dY; gA0 += s, gA1 += t, gA2 -= s + t;
// g(du/dX) += p (A0-A2), g(du/dY) += q (A0-A2), g(dv/dX) += p (A1-A2), g(dv/dY) += q (A1-A2).
GLRAST_INLINE void interpolate_backward_element(const InterpolateBackwardArgs& a, int x, int64 row, AttributeGradientRun& run) {
    const int64 pixel = row * a.width + x;
    float* grad_rast = a.grad_rast ? a.grad_rast + 4 * pixel : 0;
    float* grad_db = a.grad_db ? a.grad_db + 4 * pixel : 0;
    const float id = a.rast[4 * pixel + 3];
    const int64 image = row / a.H * a.attr_stride;
    if (id != run.triangle.id) {
        interpolate_backward_flush(a, run);
        const AttributeRun triangle = run.triangle;
        run = AttributeGradientRun{};
        run.triangle = triangle;
        run.grad = a.grad ? a.grad + image : 0;
    }
    if (!in_triangle(a, id, run.triangle)) {
        for (int i = 0; i < 4 && grad_rast; ++i) grad_rast[i] = 0.0f;
        for (int i = 0; i < 4 && grad_db; ++i) grad_db[i] = 0.0f;
        return;
    }
    const AttributeRun& t = run.triangle;
    const float* attr = a.attr + image;
    const float *A0 = attr + t.i0, *A1 = attr + t.i1, *A2 = attr + t.i2;
    float gu = 0.0f, gv = 0.0f;
    if (a.grad_out) {
        const float* y = a.grad_out + pixel * a.A;
        const float u = a.rast[4 * pixel], v = a.rast[4 * pixel + 1];
        for (int i = 0; i < a.A; ++i) {
            gu += y[i] * (A0[i] - A2[i]);
            gv += y[i] * (A1[i] - A2[i]);
        }
        if (a.A <= GLRAST_SUMMED_ATTRIBUTES) {
            for (int i = 0; i < a.A; ++i) { run.uy[i] += u * y[i];  run.vy[i] += v * y[i];  run.y[i] += y[i]; }
        } else if (run.grad) {
            for (int i = 0; i < a.A; ++i)
                if (y[i] != 0.0f) add_three(run.grad, t, i, u * y[i], v * y[i], (1.0f - u - v) * y[i]);
        }
    }
    Float4 gdb = {0.0f, 0.0f, 0.0f, 0.0f};
    if (a.grad_out_da) {
        const Float4 db = load4(a.rast_db + 4 * pixel);
        for (int i = 0; i < a.D; ++i) {
            const int k = a.diff[i];
            const float p = a.grad_out_da[pixel * 2 * a.D + 2 * i], q = a.grad_out_da[pixel * 2 * a.D + 2 * i + 1];
            const float du = A0[k] - A2[k], dv = A1[k] - A2[k];
            gdb.x += p * du;  gdb.y += q * du;  gdb.z += p * dv;  gdb.w += q * dv;
            if (run.grad) {
                const float gs = p * db.x + q * db.y, gt = p * db.z + q * db.w;
                add_three(run.grad, t, k, gs, gt, -gs - gt);
            }
        }
    }
    if (grad_rast) { grad_rast[0] = gu; grad_rast[1] = gv; grad_rast[2] = 0.0f; grad_rast[3] = 0.0f; }
    if (grad_db) { grad_db[0] = gdb.x; grad_db[1] = gdb.y; grad_db[2] = gdb.z; grad_db[3] = gdb.w; }
}
GLRAST_SCATTER_KERNEL(interpolate_backward, InterpolateBackwardArgs, AttributeGradientRun)

// The same where attr needs no gradient (grad is null): nothing is scattered.
GLRAST_INLINE void interpolate_backward_rast_element(const InterpolateBackwardArgs& a, int x, int64 row, AttributeGradientRun& run) {
    interpolate_backward_element(a, x, row, run);
}
GLRAST_INLINE void interpolate_backward_rast_flush(const InterpolateBackwardArgs&, AttributeGradientRun&) {}
GLRAST_RUN_KERNEL(interpolate_backward_rast, InterpolateBackwardArgs, AttributeGradientRun)
