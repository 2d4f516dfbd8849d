// interpolate: attributes of the triangle under each pixel, weighted by its barycentrics. One thread = one pixel.
//
//   out   = u A0 + v A1 + (1-u-v) A2
//   dA/dX = du/dX (A0-A2) + dv/dX (A1-A2), dA/dY likewise, for the attributes that `diff` lists
// Backward accumulates grad [slots,V,grad_row]; it writes grad_rast (u, v, 0, 0) and grad_db.
//
// Neighbours in a row that show one triangle are a run: its vertices are looked up once, and what its pixels give to their
// gradients is summed before it is added. Attributes go GLRAST_LANES at a time; how many there are is known for one to four.
#include "lanes.cuh"

#define GLRAST_DIFF 16

struct InterpolateArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    const float* attr;        // [V,A] or [N,V,A]
    int64 attr_stride;        // floats from one image's attributes to the next: 0 or V*A
    const float* rast;        // [N,H,W,4]
    const float* rast_db;     // [N,H,W,4] or null
    const int* tri;           // [T,3]
    int diff[GLRAST_DIFF];    // the D attributes with derivatives, if they fit,
    const int* more;          // [D] else here; or null
    int V;
    int T;
    int A;
    int D;
    float* out;               // [N,H,W,A]
    float* out_da;            // [N,H,W,2D]: dA0/dX, dA0/dY, dA1/dX, ...
};

template <class Args>
GLRAST_INLINE int differentiated(const Args& a, int i) { return a.more ? a.more[i] : a.diff[i]; }

// Pixels [x, end) of a row show one triangle; its vertices.
struct Run { int end; bool drawn; float id; Int3 v; };

template <class Args>
GLRAST_INLINE Run find_run(const Args& a, const float* rast, int x, int end) {
    Run run;
    run.id = rast[4 * x + 3];
    for (run.end = x + 1; run.end < end && float_bits(rast[4 * run.end + 3]) == float_bits(run.id);) ++run.end;
    run.drawn = fetch_triangle(a.tri, a.T, a.V, decode_id(run.id) - 1, &run.v);
    return run;
}

// Where the rows of the triangle's corners begin.
struct Corners { const float *A0, *A1, *A2; };

template <class Args>
GLRAST_INLINE Corners find_corners(const Args& a, Int3 v, Row row) {
    const float* attr = a.attr + row.n * a.attr_stride;
    return Corners{attr + (int64)v.x * a.A, attr + (int64)v.y * a.A, attr + (int64)v.z * a.A};
}

GLRAST_INLINE void interpolate_derivatives(const InterpolateArgs& a, Corners c, int64 pixel, int64 end) {
    for (; pixel < end; ++pixel) {
        const Float4 db = load4(a.rast_db + 4 * pixel);
        float* out = a.out_da + pixel * 2 * a.D;
        GLRAST_ROLLED
        for (int i = 0; i < a.D; ++i) {
            const int k = differentiated(a, i);
            const float du = c.A0[k] - c.A2[k], dv = c.A1[k] - c.A2[k];
            out[2 * i] = db.x * du + db.z * dv;
            out[2 * i + 1] = db.y * du + db.w * dv;
        }
    }
}

// `Fixed` attributes; 0: any number.
template <int Fixed>
GLRAST_INLINE void interpolate_runs(const InterpolateArgs& a, int x, int count, Row row) {
    const int A = Fixed ? Fixed : a.A;
    const int64 first = row.index * a.width;
    const float* rast = a.rast + 4 * first;
    float* out = a.out + first * A;
    for (int end = x + count; x < end;) {
        const Run run = find_run(a, rast, x, end);
        if (!run.drawn) {
            for (int64 i = (int64)x * A; i < (int64)run.end * A; ++i) out[i] = 0.0f;
            for (int64 i = (first + x) * 2 * a.D; i < (first + run.end) * 2 * a.D; ++i) a.out_da[i] = 0.0f;
        } else {
            const Corners c = find_corners(a, run.v, row);
            for (int i = 0; i < A; i += 4) {
                const Four A0 = load_four(c.A0 + i, A - i), A1 = load_four(c.A1 + i, A - i), A2 = load_four(c.A2 + i, A - i);
                for (int k = x; k < run.end; ++k) {
                    const float u = rast[4 * k], v = rast[4 * k + 1];
                    store_four(out + (int64)k * A + i, A - i, u * A0 + v * A1 + (1.0f - u - v) * A2);
                }
            }
            if (a.D) interpolate_derivatives(a, c, first + x, first + run.end);
        }
        x = run.end;
    }
}

// body(Known<...>{}) with what the compiler is to know of the number of attributes.
template <int Attributes>
struct Known { static constexpr int attributes = Attributes; };

template <class Body>
GLRAST_INLINE void by_attributes(int A, Body body) {
    switch (A) {
        case 1: body(Known<1>{}); break;
        case 2: body(Known<2>{}); break;
        case 3: body(Known<3>{}); break;
        case 4: body(Known<4>{}); break;
        default: body(Known<0>{});
    }
}

GLRAST_INLINE void interpolate_forward_element(const InterpolateArgs& a, int x, int count, Row row) {
    by_attributes(a.A, [&](auto known) { interpolate_runs<decltype(known)::attributes>(a, x, count, row); });
}
GLRAST_KERNEL(interpolate_forward, InterpolateArgs)

// ---- backward --------------------------------------------------------------------------------------------

struct InterpolateBackwardArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    GLRAST_SCATTER_MEMBERS  // [V,grad_row] or [N,V,grad_row], accumulated; null: not asked for
    const float* attr;        // as grad
    int64 attr_stride;
    const float* rast;        // [N,H,W,4]
    const float* rast_db;     // [N,H,W,4] or null
    const int* tri;           // [T,3]
    int diff[GLRAST_DIFF];    // as above
    const int* more;
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

// The gradients of a triangle's corners.
struct Targets { float *g0, *g1, *g2; };

GLRAST_INLINE Targets find_targets(const InterpolateBackwardArgs& a, Int3 v, Row row) {
    float* grad = a.grad + (a.attr_stride ? row.n * a.slot_size : 0);
    return Targets{grad + (int64)v.x * a.grad_row, grad + (int64)v.y * a.grad_row, grad + (int64)v.z * a.grad_row};
}

// gA0 += u y, gA1 += v y, gA2 += (1-u-v) y; gu = sum y (A0-A2), gv = sum y (A1-A2). Of pixels [pixel, end), one run;
// `Adds`: attr has a gradient.
template <int Fixed, bool Adds>
GLRAST_INLINE void values_backward(const InterpolateBackwardArgs& a, Corners c, Targets to, int64 pixel, int64 end) {
    const int A = Fixed ? Fixed : a.A;
    for (int i = 0; i < A; i += 4) {
        const Four A2 = load_four(c.A2 + i, A - i);
        const Four d0 = load_four(c.A0 + i, A - i) - A2, d1 = load_four(c.A1 + i, A - i) - A2;
        Four g0 = no_four(), g1 = g0, g2 = g0;
        for (int64 k = pixel; k < end; ++k) {
            const Four y = load_four(a.grad_out + k * A + i, A - i);
            const float u = a.rast[4 * k], v = a.rast[4 * k + 1];
            if (Adds) {
                g0 += u * y;
                g1 += v * y;
                g2 += (1.0f - u - v) * y;
            }
            if (!a.grad_rast) continue;
            float* g = a.grad_rast + 4 * k;
            const float gu = sum_four(y * d0, A - i), gv = sum_four(y * d1, A - i);
            if (i == 0) store4(g, Float4{gu, gv, 0.0f, 0.0f});
            else { g[0] += gu; g[1] += gv; }
        }
        if (!Adds) continue;
        add_four<Fixed == 4>(Sharers{}, to.g0 + i, a.grad_row - i, g0);
        add_four<Fixed == 4>(Sharers{}, to.g1 + i, a.grad_row - i, g1);
        add_four<Fixed == 4>(Sharers{}, to.g2 + i, a.grad_row - i, g2);
    }
}

// With incoming p, q of an attribute: s = p du/dX + q du/dY, t = p dv/dX + q dv/dY; gA0 += s, gA1 += t, gA2 -= s + t;
// g(du/dX) += p (A0-A2), g(du/dY) += q (A0-A2), g(dv/dX) += p (A1-A2), g(dv/dY) += q (A1-A2).
template <bool Adds>
GLRAST_INLINE void derivatives_backward(const InterpolateBackwardArgs& a, Corners c, Targets to, int64 pixel, int64 end) {
    for (; pixel < end; ++pixel) {
        const Float4 db = load4(a.rast_db + 4 * pixel);
        const float* grad_out = a.grad_out_da + pixel * 2 * a.D;
        Float4 g = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int i = 0; i < a.D; ++i) {
            const int k = differentiated(a, i);
            const float p = grad_out[2 * i], q = grad_out[2 * i + 1], du = c.A0[k] - c.A2[k], dv = c.A1[k] - c.A2[k];
            g.x += p * du;  g.y += q * du;  g.z += p * dv;  g.w += q * dv;
            if (!Adds) continue;
            const float s = p * db.x + q * db.y, t = p * db.z + q * db.w;
            add(to.g0 + k, s);
            add(to.g1 + k, t);
            add(to.g2 + k, -s - t);
        }
        if (a.grad_db) store4(a.grad_db + 4 * pixel, g);
    }
}

GLRAST_INLINE void store_zeros(float* p, int64 pixel, int64 end) {
    for (; p && pixel < end; ++pixel) store4(p + 4 * pixel, Float4{0.0f, 0.0f, 0.0f, 0.0f});
}

template <int Fixed, bool Adds>
GLRAST_INLINE void interpolate_runs_backward(const InterpolateBackwardArgs& a, int x, int count, Row row) {
    const int64 first = row.index * a.width;
    for (int end = x + count; x < end;) {
        const Run run = find_run(a, a.rast + 4 * first, x, end);
        const bool values = run.drawn && a.grad_out && a.A, derivatives = run.drawn && a.D && a.grad_out_da;
        const int64 from = first + x, to = first + run.end;
        if (!values) store_zeros(a.grad_rast, from, to);
        if (!derivatives) store_zeros(a.grad_db, from, to);
        if (values || derivatives) {
            const Corners c = find_corners(a, run.v, row);
            const Targets targets = Adds ? find_targets(a, run.v, row) : Targets{nullptr, nullptr, nullptr};
            if (values) values_backward<Fixed, Adds>(a, c, targets, from, to);
            if (derivatives) derivatives_backward<Adds>(a, c, targets, from, to);
        }
        x = run.end;
    }
}

// The same where attr needs no gradient (grad is null): nothing is scattered.
GLRAST_INLINE void interpolate_backward_rast_element(const InterpolateBackwardArgs& a, int x, int count, Row row) {
    by_attributes(a.A, [&](auto known) { interpolate_runs_backward<decltype(known)::attributes, false>(a, x, count, row); });
}
GLRAST_KERNEL(interpolate_backward_rast, InterpolateBackwardArgs)

// What one pixel gives to corner k of its triangle, in a pass of its own: a GPU holds less at once. Pixels of one triangle
// give to the same rows.
template <int Fixed>
GLRAST_INLINE void give_to_corner(const InterpolateBackwardArgs& a, const Sharers& sharers, int k, float* to, int64 pixel) {
    const int A = Fixed ? Fixed : a.A;
    const float u = a.rast[4 * pixel], v = a.rast[4 * pixel + 1], weight = k == 0 ? u : k == 1 ? v : 1.0f - u - v;
    for (int i = 0; a.grad_out && i < A; i += 4)
        add_four<Fixed == 4>(sharers, to + i, A - i, weight * load_four(a.grad_out + pixel * A + i, A - i));
    if (!a.D || !a.grad_out_da) return;
    const Float4 db = load4(a.rast_db + 4 * pixel);
    const float dx = k == 0 ? db.x : k == 1 ? db.z : -db.x - db.z, dy = k == 0 ? db.y : k == 1 ? db.w : -db.y - db.w;
    for (int i = 0; i < a.D; ++i) {
        const float* y = a.grad_out_da + (pixel * a.D + i) * 2;
        float sum[1] = {y[0] * dx + y[1] * dy};
        sum_shared(sharers, sum);
        if (sharers.adds) add(to + differentiated(a, i), sum[0]);
    }
}

GLRAST_INLINE void interpolate_give(const InterpolateBackwardArgs& a, int x, Row row) {
    const int64 pixel = row.index * a.width + x;
    const float id = a.rast[4 * pixel + 3];
    Int3 v;
    if (!fetch_triangle(a.tri, a.T, a.V, decode_id(id) - 1, &v)) return;
    float* grad = a.grad + (a.attr_stride ? row.n * a.slot_size : 0);
    const Sharers sharers = sharers_of(float_bits(id));
    GLRAST_ROLLED
    for (int k = 0; k < 3; ++k) {
        float* to = grad + (int64)(k == 0 ? v.x : k == 1 ? v.y : v.z) * a.grad_row;
        by_attributes(a.A, [&](auto known) { give_to_corner<decltype(known)::attributes>(a, sharers, k, to, pixel); });
    }
}

GLRAST_INLINE void interpolate_backward_element(const InterpolateBackwardArgs& a, int x, int count, Row row) {
    if (GLRAST_LANES == 1) {
        interpolate_backward_rast_element(a, x, count, row);
        interpolate_give(a, x, row);
    } else {
        by_attributes(a.A, [&](auto known) { interpolate_runs_backward<decltype(known)::attributes, true>(a, x, count, row); });
    }
}
GLRAST_SCATTER(interpolate_backward, InterpolateBackwardArgs)
