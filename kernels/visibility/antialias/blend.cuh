// antialias: the colours of pixels from the alphas of their pairs, and their gradient.
#pragma once
#include "common.cuh"

struct AntialiasBlendArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    const float* color;     // [N,H,W,C]; backward: the incoming gradient
    const float* alpha;     // [N,H,W,2]
    int C;
    float* out;             // [N,H,W,C]
};

// The alphas of the four pairs that a pixel takes part in; 0 outside the image.
struct PairAlphas { float right, upper, left, lower; };

GLRAST_INLINE PairAlphas pair_alphas(const float* alpha, int width, int x, Row row) {
    const int64 pixel = row.index * width + x;
    return PairAlphas{alpha[2 * pixel], alpha[2 * pixel + 1], x > 0 ? alpha[2 * (pixel - 1)] : 0.0f,
                      row.y > 0 ? alpha[2 * (pixel - width) + 1] : 0.0f};
}

// Copies up to GLRAST_SPAN pixels from x on if none of their pairs has an alpha; silhouettes are rare.
GLRAST_INLINE bool copy_span(const AntialiasBlendArgs& a, int x, int count, Row row) {
    const int64 pixel = row.index * a.width + x;
    const int left = x > 0;
    if (!are_zero(a.alpha + 2 * (pixel - left), 2 * (count + left))) return false;
    if (row.y > 0 && !are_zero(a.alpha + 2 * (pixel - a.width), 2 * count)) return false;
    const float* c = a.color + pixel * a.C;
    float* out = a.out + pixel * a.C;
    for (int i = 0; i < count * a.C; ++i) out[i] = c[i];
    return true;
}

// How much of itself a pixel gives away; 0 where no pair changes it.
GLRAST_INLINE float given_away(PairAlphas p) {
    return maximum(p.right, 0.0f) + maximum(p.upper, 0.0f) - minimum(p.left, 0.0f) - minimum(p.lower, 0.0f);
}
// From here on the rest of the colour is computed as such: 1 - a - b - c may fall below 0 by rounding.
#define GLRAST_ALMOST_ALL 0.999f

// What each pair of the pixel takes of its alpha.
GLRAST_INLINE float pair_share(PairAlphas p) {
    const float all = given_away(p);
    return all > 1.0f ? 1.0f / all : 1.0f;
}

// Channel i of a pixel that gives away `all` of itself, which is almost all or more; c points to its colour.
GLRAST_INLINE float blend_all(PairAlphas p, float all, const float* c, int64 right, int64 up) {
    float value = 0.0f;
    if (p.right > 0.0f) value += p.right * c[right];
    if (p.upper > 0.0f) value += p.upper * c[up];
    if (p.left < 0.0f) value -= p.left * c[-right];
    if (p.lower < 0.0f) value -= p.lower * c[-up];
    return all > 1.0f ? value / all : value + (1.0f - all) * c[0];
}

template <int Fixed>
GLRAST_INLINE void blend(const AntialiasBlendArgs& a, int x, Row row) {
    const int C = Fixed ? Fixed : a.C;
    const int64 pixel = row.index * a.width + x, up = (int64)a.width * C;
    const PairAlphas p = pair_alphas(a.alpha, a.width, x, row);
    const float* c = a.color + pixel * C;
    float* out = a.out + pixel * C;
    const float all = given_away(p);
    if (all > GLRAST_ALMOST_ALL) {
        for (int i = 0; i < C; ++i) out[i] = blend_all(p, all, c + i, C, up);
        return;
    }
    for (int i = 0; i < C; ++i) {
        float value = c[i];
        if (p.right > 0.0f) value += p.right * (c[i + C] - c[i]);
        if (p.upper > 0.0f) value += p.upper * (c[i + up] - c[i]);
        if (p.left < 0.0f) value += p.left * (c[i] - c[i - C]);
        if (p.lower < 0.0f) value += p.lower * (c[i] - c[i - up]);
        out[i] = value;
    }
}
GLRAST_INLINE void blend_span(const AntialiasBlendArgs& a, int x, int count, Row row) {
    if (copy_span(a, x, count, row)) return;
    for (int end = x + count; x < end; ++x) {
        if (a.C == 3) blend<3>(a, x, row);
        else blend<0>(a, x, row);
    }
}

GLRAST_INLINE void antialias_blend_element(const AntialiasBlendArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_SPAN) blend_span(a, x, lesser(end - x, GLRAST_SPAN), row);
}
GLRAST_KERNEL(antialias_blend, AntialiasBlendArgs)

template <class Args>
GLRAST_INLINE float share_at(const Args& a, int x, Row row, int up) {
    return pair_share(pair_alphas(a.alpha, a.width, x, Row{row.index + up, row.n, row.y + up}));
}

// With y the incoming gradient of the pixel that the pair changed and alpha its share: g_p -= alpha y, g_q += alpha y.
template <int Fixed>
GLRAST_INLINE void blend_backward(const AntialiasBlendArgs& a, int x, Row row) {
    const int C = Fixed ? Fixed : a.C;
    const int64 pixel = row.index * a.width + x, up = (int64)a.width * C;
    PairAlphas p = pair_alphas(a.alpha, a.width, x, row);
    const float* g = a.color + pixel * C;
    float* out = a.out + pixel * C;
    const float own = pair_share(p);
    if (p.right != 0.0f) p.right *= p.right > 0.0f ? own : share_at(a, x + 1, row, 0);
    if (p.left != 0.0f) p.left *= p.left > 0.0f ? share_at(a, x - 1, row, 0) : own;
    if (p.upper != 0.0f) p.upper *= p.upper > 0.0f ? own : share_at(a, x, row, 1);
    if (p.lower != 0.0f) p.lower *= p.lower > 0.0f ? share_at(a, x, row, -1) : own;
    for (int i = 0; i < C; ++i) {
        float value = g[i];
        if (p.right != 0.0f) value -= p.right * (p.right > 0.0f ? g[i] : g[i + C]);
        if (p.upper != 0.0f) value -= p.upper * (p.upper > 0.0f ? g[i] : g[i + up]);
        if (p.left != 0.0f) value += p.left * (p.left > 0.0f ? g[i - C] : g[i]);
        if (p.lower != 0.0f) value += p.lower * (p.lower > 0.0f ? g[i - up] : g[i]);
        out[i] = value;
    }
}
GLRAST_INLINE void blend_span_backward(const AntialiasBlendArgs& a, int x, int count, Row row) {
    if (copy_span(a, x, count, row)) return;
    for (int end = x + count; x < end; ++x) {
        if (a.C == 3) blend_backward<3>(a, x, row);
        else blend_backward<0>(a, x, row);
    }
}

GLRAST_INLINE void antialias_backward_color_element(const AntialiasBlendArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_SPAN) blend_span_backward(a, x, lesser(end - x, GLRAST_SPAN), row);
}
GLRAST_KERNEL(antialias_backward_color, AntialiasBlendArgs)
