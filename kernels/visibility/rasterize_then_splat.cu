// rasterize_then_splat: layers of surface points, each splatted over 3 x 3 pixels (Cole et al. 2021).    one thread = one pixel
//
//   rasterize_then_splat_forward   the image
//   rasterize_then_splat_pixels    how the loss changes by what pixel q accumulates
//   rasterize_then_splat_backward  gradients of the points of pixel p in all layers
// Point l of pixel p at (x, y, z), x and y in pixels, colour c and opacity alpha, gives to the pixel q = p + (u,v), |u|,|v| <= 1:
//   w = alpha kappa exp(-2 |o|^2),  o = floor(x,y) + 1/2 - (x,y) + (u,v),  kappa = 1.05 / sum exp(-2 (u^2+v^2))
// into one of q's three accumulators: W += w, A += w alpha, S += w c. Which one the first surface that p and q share decides:
//   the layer of p whose z is nearest that of q's first layer, or the layer of q whose z is nearest that of p's first layer, whichever
//   is nearer. In the first case it is p's layer s; in the second, if nearer, it is hidden at p: s = -(q's layer).
//   l < s: in front (0);  l = s: the surface (1);  l > s: behind (2).  Empty layers have z = 1, the far plane.
// Each is divided by max(W-1,0) + 1, and they are composited front over surface over back; the alpha of an accumulator is its A.
// The points' x and y are their pixel's centres; only their derivatives are of use. Everything is gathered: no order of threads shows.
#include "common.cuh"

// layers: L;  at [N,H,W,L,3]: x, y, z of the points;  color [N,H,W,L,C];  alpha [N,H,W,L]
#define GLRAST_SPLAT_MEMBERS int layers; int C; const float* at; const float* color; const float* alpha;

// 1.05 / sum over 3 x 3 of exp(-2 (u^2 + v^2)) = 1.05 / (1 + 2 exp(-2))^2
#define GLRAST_KAPPA 0.65031438f

struct SplatForwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    static constexpr int work = 64;
    GLRAST_SPLAT_MEMBERS
    float* out;             // [N,H,W,C+1], alpha last
};

// The surface that points of p and pixel q share, as a layer of p.
template <class Args>
GLRAST_INLINE int shared_surface(const Args& a, int64 p, int64 q) {
    const float *zp = a.at + 3 * p * a.layers + 2, *zq = a.at + 3 * q * a.layers + 2;
    int at_p = 0, at_q = 0;
    float best_p = fabsf(zp[0] - zq[0]), best_q = best_p;
    for (int l = 1; l < a.layers; ++l) {
        const float d = fabsf(zp[3 * l] - zq[0]), e = fabsf(zq[3 * l] - zp[0]);
        if (d < best_p) { best_p = d; at_p = l; }
        if (e < best_q) { best_q = e; at_q = l; }
    }
    return best_q < best_p ? -at_q : at_p;
}

struct Tap { float w, ox, oy; };

template <class Args>
GLRAST_INLINE Tap tap_of(const Args& a, int64 point, int u, int v) {
    const float x = a.at[3 * point], y = a.at[3 * point + 1];
    const float ox = floorf(x) + 0.5f - x + u, oy = floorf(y) + 0.5f - y + v;
    return Tap{a.alpha[point] * GLRAST_KAPPA * expf(-2.0f * (ox * ox + oy * oy)), ox, oy};
}

// body(point, group, tap) for all points that reach pixel (x, row).
template <class Args, class Body>
GLRAST_INLINE void each_point(const Args& a, int x, Row row, Body body) {
    const int64 q = row.index * a.width + x;
    for (int v = -1; v <= 1; ++v)
        for (int u = -1; u <= 1; ++u) {
            if (x - u < 0 || x - u >= a.width || row.y - v < 0 || row.y - v >= a.H) continue;
            const int64 p = q - u - (int64)v * a.width;
            const int surface = shared_surface(a, p, q);
            for (int l = 0; l < a.layers; ++l) {
                const int64 point = p * a.layers + l;
                if (a.alpha[point] == 0.0f) continue;
                body(point, l < surface ? 0 : l == surface ? 1 : 2, tap_of(a, point, u, v));
            }
        }
}

struct Three { float front, surface, back; };
GLRAST_INLINE void add_to(Three* t, int group, float value) {
    if (group == 0) t->front += value;
    else if (group == 1) t->surface += value;
    else t->back += value;
}
GLRAST_INLINE float of_group(Three t, int group) { return group == 0 ? t.front : group == 1 ? t.surface : t.back; }

// 1 / (max(W-1,0) + 1)
GLRAST_INLINE float normalized(float W) { return W > 1.0f ? 1.0f / W : 1.0f; }

// What the accumulated colours of a pixel count in its image.
GLRAST_INLINE Three shares(Three W, Three A) {
    const float s0 = normalized(W.front), s1 = normalized(W.surface), s2 = normalized(W.back);
    const float t0 = 1.0f - s0 * A.front, t1 = 1.0f - s1 * A.surface;
    return Three{s0, t0 * s1, t0 * t1 * s2};
}

GLRAST_INLINE void splat_pixel(const SplatForwardArgs& a, int x, Row row) {
    Three W = {0.0f, 0.0f, 0.0f}, A = W;
    each_point(a, x, row, [&](int64 point, int group, Tap tap) {
        add_to(&W, group, tap.w);
        add_to(&A, group, tap.w * a.alpha[point]);
    });
    const Three k = shares(W, A);
    float* out = a.out + (row.index * a.width + x) * (a.C + 1);
    for (int i = 0; i < a.C; ++i) out[i] = 0.0f;
    out[a.C] = k.front * A.front + k.surface * A.surface + k.back * A.back;
    each_point(a, x, row, [&](int64 point, int group, Tap tap) {
        const float w = of_group(k, group) * tap.w;
        for (int i = 0; i < a.C; ++i) out[i] += w * a.color[point * a.C + i];
    });
}

GLRAST_INLINE void rasterize_then_splat_forward_element(const SplatForwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) splat_pixel(a, x, row);
}
GLRAST_KERNEL(rasterize_then_splat_forward, SplatForwardArgs)

// ---- backward --------------------------------------------------------------------------------------------
// With U_k = sum_c y_c S_kc of the colours' gradients y and y_A that of the image's alpha, s_k = normalized(W_k), t_k = 1 - s_k A_k:
//   loss = s0 (U0 + y_A A0) + t0 (s1 (U1 + y_A A1) + t1 s2 (U2 + y_A A2)) = s0 V0 + t0 (s1 V1 + t1 s2 V2)
//   d/dV = (s0, t0 s1, t0 t1 s2) = k
//   d/dA = k y_A + (-s0 (s1 V1 + t1 s2 V2), -t0 s1 s2 V2, 0)
//   d/dW = s' (V0 - A0 (s1 V1 + t1 s2 V2), t0 (V1 - A1 s2 V2), t0 t1 V2),  s' = -s^2 where W > 1, else 0
//   d/dw of a point in group k = k y.c + d/dA alpha + d/dW;  dw/d(x,y) = 4 w o, dw/dalpha = w/alpha, and A has alpha once more

struct SplatPixelsArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    static constexpr int work = 64;
    GLRAST_SPLAT_MEMBERS
    const float* grad_out;  // [N,H,W,C+1]
    float* changes;         // [N,H,W,9]: d/dV, d/dA, d/dW of the three accumulators
};

GLRAST_INLINE void splat_changes(const SplatPixelsArgs& a, int x, Row row) {
    const int64 q = row.index * a.width + x;
    const float* y = a.grad_out + q * (a.C + 1);
    const float y_A = y[a.C];
    Three W = {0.0f, 0.0f, 0.0f}, A = W, V = W;
    each_point(a, x, row, [&](int64 point, int group, Tap tap) {
        float dot = y_A * a.alpha[point];
        for (int i = 0; i < a.C; ++i) dot += y[i] * a.color[point * a.C + i];
        add_to(&W, group, tap.w);
        add_to(&A, group, tap.w * a.alpha[point]);
        add_to(&V, group, tap.w * dot);
    });
    const Three k = shares(W, A);
    const float s0 = normalized(W.front), s1 = normalized(W.surface), s2 = normalized(W.back);
    const float t0 = 1.0f - s0 * A.front, t1 = 1.0f - s1 * A.surface, behind1 = s2 * V.back, behind0 = s1 * V.surface + t1 * behind1;
    float* to = a.changes + 9 * q;
    to[0] = k.front;  to[1] = k.surface;  to[2] = k.back;
    to[3] = k.front * y_A - s0 * behind0;  to[4] = k.surface * y_A - t0 * s1 * behind1;  to[5] = k.back * y_A;
    to[6] = W.front > 1.0f ? -s0 * s0 * (V.front - A.front * behind0) : 0.0f;
    to[7] = W.surface > 1.0f ? -s1 * s1 * t0 * (V.surface - A.surface * behind1) : 0.0f;
    to[8] = W.back > 1.0f ? -s2 * s2 * t0 * t1 * V.back : 0.0f;
}

GLRAST_INLINE void rasterize_then_splat_pixels_element(const SplatPixelsArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) splat_changes(a, x, row);
}
GLRAST_KERNEL(rasterize_then_splat_pixels, SplatPixelsArgs)

struct SplatBackwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    static constexpr int work = 64;
    GLRAST_SPLAT_MEMBERS
    const float* grad_out;  // [N,H,W,C+1]
    const float* changes;   // from rasterize_then_splat_pixels
    float* grad_at;         // [N,H,W,L,3]: x, y, 0
    float* grad_color;      // [N,H,W,L,C]
    float* grad_alpha;      // [N,H,W,L]
};

GLRAST_INLINE void point_gradient(const SplatBackwardArgs& a, int x, Row row, int layer) {
    const int64 p = row.index * a.width + x, point = p * a.layers + layer;
    const float *c = a.color + point * a.C, alpha = a.alpha[point];
    float gx = 0.0f, gy = 0.0f, g_alpha = 0.0f;
    float* g_color = a.grad_color + point * a.C;
    for (int i = 0; i < a.C; ++i) g_color[i] = 0.0f;
    for (int v = -1; v <= 1; ++v)
        for (int u = -1; u <= 1; ++u) {
            if (alpha == 0.0f || x + u < 0 || x + u >= a.width || row.y + v < 0 || row.y + v >= a.H) continue;
            const int64 q = p + u + (int64)v * a.width;
            const int surface = shared_surface(a, p, q), group = layer < surface ? 0 : layer == surface ? 1 : 2;
            const float *y = a.grad_out + q * (a.C + 1), *change = a.changes + 9 * q + group;
            const Tap tap = tap_of(a, point, u, v);
            float by_w = change[3] * alpha + change[6];
            for (int i = 0; i < a.C; ++i) {
                by_w += change[0] * y[i] * c[i];
                g_color[i] += change[0] * y[i] * tap.w;
            }
            gx += by_w * 4.0f * tap.w * tap.ox;
            gy += by_w * 4.0f * tap.w * tap.oy;
            g_alpha += by_w * tap.w / alpha + change[3] * tap.w;
        }
    float* g_at = a.grad_at + 3 * point;
    g_at[0] = gx;  g_at[1] = gy;  g_at[2] = 0.0f;
    a.grad_alpha[point] = g_alpha;
}

GLRAST_INLINE void rasterize_then_splat_backward_element(const SplatBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x)
        for (int l = 0; l < a.layers; ++l) point_gradient(a, x, row, l);
}
GLRAST_KERNEL(rasterize_then_splat_backward, SplatBackwardArgs)
