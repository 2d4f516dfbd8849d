// interpolate: attributes of the triangle under each pixel, weighted by its barycentrics. One thread = one pixel.
//
//   out   = u A0 + v A1 + (1-u-v) A2
//   dA/dX = du/dX (A0-A2) + dv/dX (A1-A2), dA/dY likewise, for the attributes listed in `diff`
// Backward accumulates grad [slots,V,A]; it writes grad_rast (u, v, 0, 0) and grad_db.
#include "common.cuh"

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

GLRAST_INLINE void interpolate_forward_element(const InterpolateArgs& a, int x, int64 row) {
    const int64 pixel = row * a.width + x;
    float* out = a.out + pixel * a.A;
    float* out_da = a.out_da + pixel * 2 * a.D;
    const int id = decode_id(a.rast[4 * pixel + 3]);
    Int3 index;
    if (id <= 0 || !fetch_triangle(a.tri, a.T, a.V, id - 1, &index)) {
        for (int i = 0; i < a.A; ++i) out[i] = 0.0f;
        for (int i = 0; i < 2 * a.D; ++i) out_da[i] = 0.0f;
        return;
    }
    const float* attr = a.attr + row / a.H * a.attr_stride;
    const float *A0 = attr + (int64)index.x * a.A, *A1 = attr + (int64)index.y * a.A, *A2 = attr + (int64)index.z * a.A;
    const float u = a.rast[4 * pixel], v = a.rast[4 * pixel + 1], t = 1.0f - u - v;
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
GLRAST_KERNEL(interpolate_forward, InterpolateArgs)

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

// gA0 += u y, gA1 += v y, gA2 += (1-u-v) y; gu = sum y (A0-A2), gv = sum y (A1-A2). Derivative part with
// incoming p, q: s = p du/dX + q du/dY, t = p dv/dX + q dv/dY; gA0 += s, gA1 += t, gA2 -= s + t;
// g(du/dX) += p (A0-A2), g(du/dY) += q (A0-A2), g(dv/dX) += p (A1-A2), g(dv/dY) += q (A1-A2).
GLRAST_INLINE void interpolate_gradients(const InterpolateBackwardArgs& a, int64 row, int64 pixel, bool accumulate) {
    float* grad_rast = a.grad_rast ? a.grad_rast + 4 * pixel : 0;
    float* grad_db = a.grad_db ? a.grad_db + 4 * pixel : 0;
    const int id = decode_id(a.rast[4 * pixel + 3]);
    Int3 index;
    if (id <= 0 || !fetch_triangle(a.tri, a.T, a.V, id - 1, &index)) {
        for (int i = 0; i < 4 && grad_rast; ++i) grad_rast[i] = 0.0f;
        for (int i = 0; i < 4 && grad_db; ++i) grad_db[i] = 0.0f;
        return;
    }
    const int64 n = row / a.H;
    const int64 i0 = (int64)index.x * a.A, i1 = (int64)index.y * a.A, i2 = (int64)index.z * a.A;
    const float* attr = a.attr + n * a.attr_stride;
    float* grad = a.grad + n * a.attr_stride;
    const float *A0 = attr + i0, *A1 = attr + i1, *A2 = attr + i2;
    float gu = 0.0f, gv = 0.0f;
    if (a.grad_out) {
        const float* y = a.grad_out + pixel * a.A;
        const float u = a.rast[4 * pixel], v = a.rast[4 * pixel + 1], t = 1.0f - u - v;
        for (int i = 0; i < a.A; ++i) {
            gu += y[i] * (A0[i] - A2[i]);
            gv += y[i] * (A1[i] - A2[i]);
        }
        for (int i = 0; i < a.A && accumulate; ++i) {
            if (y[i] == 0.0f) continue;
            GLRAST_ADD(grad + i0 + i, u * y[i]);
            GLRAST_ADD(grad + i1 + i, v * y[i]);
            GLRAST_ADD(grad + i2 + i, t * y[i]);
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
            if (!accumulate) continue;
            const float s = p * db.x + q * db.y, t = p * db.z + q * db.w;
            GLRAST_ADD(grad + i0 + k, s);
            GLRAST_ADD(grad + i1 + k, t);
            GLRAST_ADD(grad + i2 + k, -s - t);
        }
    }
    if (grad_rast) { grad_rast[0] = gu; grad_rast[1] = gv; grad_rast[2] = 0.0f; grad_rast[3] = 0.0f; }
    if (grad_db) { grad_db[0] = gdb.x; grad_db[1] = gdb.y; grad_db[2] = gdb.z; grad_db[3] = gdb.w; }
}

GLRAST_INLINE void interpolate_backward_element(const InterpolateBackwardArgs& a, int x, int64 row) {
    interpolate_gradients(a, row, row * a.width + x, true);
}
GLRAST_SCATTER_KERNEL(interpolate_backward, InterpolateBackwardArgs)

// The same where attr needs no gradient: nothing is scattered.
GLRAST_INLINE void interpolate_backward_rast_element(const InterpolateBackwardArgs& a, int x, int64 row) {
    interpolate_gradients(a, row, row * a.width + x, false);
}
GLRAST_KERNEL(interpolate_backward_rast, InterpolateBackwardArgs)
