// antialias, discontinuities = 'all': colours from the boundaries that inner.cuh found, and their gradient.
#pragma once
#include "visibility/antialias/inner.cuh"

struct AntialiasInnerBlendArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    const float* rast;      // [N,H,W,4]
    const float* color;     // [N,H,W,C]; backward: the incoming gradient
    const float* alpha;     // [N,H,W,2] from antialias_inner_pairs
    int C;
    float* out;             // [N,H,W,C]: what is added to the image; backward: to the gradient of its colours
};

// A pair by its first pixel, and how I weighs the colours of p-1, p, q, q+1 (their sum is 0).
struct InnerPair {
    int x;
    Row row;
    bool vertical;
};

GLRAST_INLINE InnerPair inner_pair(int x, Row row, bool vertical, int back) {  // `back` pixels before (x, row)
    if (vertical) return InnerPair{x, Row{row.index - back, row.n, row.y - back}, true};
    return InnerPair{x - back, row, false};
}

template <class Args>
GLRAST_INLINE float inner_alpha_of(const Args& a, InnerPair pair) {
    const int place = pair.vertical ? pair.row.y : pair.x, extent = pair.vertical ? a.H : a.width;
    return place >= 0 && place < extent ? a.alpha[2 * (pair.row.index * a.width + pair.x) + pair.vertical] : 0.0f;
}

// out += I of the pair for all channels.
GLRAST_INLINE void add_step(const AntialiasInnerBlendArgs& a, InnerPair pair, float alpha, float* out) {
    const SlopeWeights k = slope_weights(a, pair.x, pair.row, pair.vertical, 0.5f * (1.0f - alpha));
    const int64 step = a.C * (pair.vertical ? (int64)a.width : 1);
    const float* c = a.color + (pair.row.index * a.width + pair.x) * a.C;
    for (int i = 0; i < a.C; ++i) {
        float J = c[i + step] - c[i];
        if (k.p != 0.0f) J -= k.p * (c[i] - c[i - step]);
        if (k.q != 0.0f) J -= k.q * (c[i + 2 * step] - c[i + step]);
        out[i] += alpha * J;
    }
}

GLRAST_INLINE void inner_blend(const AntialiasInnerBlendArgs& a, int x, Row row) {
    float* out = a.out + (row.index * a.width + x) * a.C;
    for (int i = 0; i < a.C; ++i) out[i] = 0.0f;
    for (int vertical = 0; vertical < 2; ++vertical)
        for (int back = 0; back < 2; ++back) {  // the pixel is p, then q
            const InnerPair pair = inner_pair(x, row, vertical, back);
            const float alpha = inner_alpha_of(a, pair);
            if (back ? alpha < 0.0f : alpha > 0.0f) add_step(a, pair, alpha, out);
        }
}

GLRAST_INLINE void antialias_inner_blend_element(const AntialiasInnerBlendArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) inner_blend(a, x, row);
}
GLRAST_KERNEL(antialias_inner_blend, AntialiasInnerBlendArgs)

// A pixel is p-1, p, q or q+1 of pairs that begin 1 after, at, 1 or 2 before it.
GLRAST_INLINE void inner_blend_backward(const AntialiasInnerBlendArgs& a, int x, Row row) {
    float* out = a.out + (row.index * a.width + x) * a.C;
    for (int i = 0; i < a.C; ++i) out[i] = 0.0f;
    for (int vertical = 0; vertical < 2; ++vertical)
        for (int back = -1; back < 3; ++back) {
            const InnerPair pair = inner_pair(x, row, vertical, back);
            const float alpha = inner_alpha_of(a, pair);
            if (alpha == 0.0f) continue;
            const SlopeWeights k = slope_weights(a, pair.x, pair.row, vertical, 0.5f * (1.0f - alpha));
            const float weight = alpha * (back == -1 ? k.p : back == 0 ? -1.0f - k.p : back == 1 ? 1.0f + k.q : -k.q);
            const int64 step = alpha > 0.0f ? 0 : a.C * (vertical ? (int64)a.width : 1);
            const float* y = a.color + (pair.row.index * a.width + pair.x) * a.C + step;
            if (weight != 0.0f) for (int i = 0; i < a.C; ++i) out[i] += weight * y[i];
        }
}

GLRAST_INLINE void antialias_inner_backward_color_element(const AntialiasInnerBlendArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) inner_blend_backward(a, x, row);
}
GLRAST_KERNEL(antialias_inner_backward_color, AntialiasInnerBlendArgs)
