// antialias_backward_pos: the gradient of positions from that of the image.    one thread = one pixel
#pragma once
#include "visibility/antialias/blend.cuh"
#include "visibility/antialias/crossing.cuh"
#include "visibility/antialias/edge_gradient.cuh"

struct AntialiasBackwardPosArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    GLRAST_SEEN_MEMBERS
    int C;
    const float* alpha;     // [N,H,W,2]
    const float* color;     // [N,H,W,C]
    const float* grad_out;  // [N,H,W,C]
    float boost;            // pos_gradient_boost
};

// dL/dalpha of a pair of pixel (x, row): sum_c y_c (c_q - c_p), y the incoming gradient of the pixel that it changed.
// Where that one gives away S > 1 of itself: sum_c y_c (c_other - out_c) / S, out its new colour, which is a mean of others.
GLRAST_INLINE float step_of_pair(const AntialiasBackwardPosArgs& a, int x, Row row, bool vertical, float alpha) {
    const int64 right = a.C, up = (int64)a.width * a.C, other = vertical ? up : right;
    const float* c = a.color + (row.index * a.width + x) * a.C;
    const float* y = a.grad_out + (row.index * a.width + x) * a.C;
    const int ahead = alpha > 0.0f ? 0 : 1;  // is it the pair's second pixel?
    const int along = vertical ? 0 : ahead, above = vertical ? ahead : 0;
    const PairAlphas p = pair_alphas(a.alpha, a.width, x + along, Row{row.index + above, row.n, row.y + above});
    const float all = given_away(p);
    y += ahead * other;
    float D = 0.0f;
    if (!(all > 1.0f)) {
        for (int i = 0; i < a.C; ++i) D += y[i] * (c[i + other] - c[i]);
        return D;
    }
    const float* changed = c + ahead * other;
    const float* taken = c + (1 - ahead) * other;
    GLRAST_ROLLED
    for (int i = 0; i < a.C; ++i) D += y[i] * (taken[i] - blend_all(p, all, changed + i, right, up));
    return ahead ? -D / all : D / all;
}

// d loss/d x_c of a ray's two ends; x_c = l1 - m1 dl/dm, (dl, dm) = (l2 - l1 w2, m2 - m1 w2) its direction, end 2 behind:
//   d/dl1 = m2/dm, d/dm1 = (x_c w2 - l2)/dm; d/dl2 = -m1/dm, d/dm2 = (l1 - x_c)/dm, and d/dw2 = x_c m1/dm at fixed l2, m2
GLRAST_INLINE EdgeGradient ray_gradient(const AntialiasBackwardPosArgs& a, Row row, bool vertical, const Crossing& e, float g) {
    const float dl = e.x2 - e.x1 * e.w2, dm = e.y2 - e.y1 * e.w2, i = g / dm, xc = e.x1 - e.y1 * dl / dm;
    const float gl1 = e.y2 * i, gm1 = (xc * e.w2 - e.x2) * i, gl2 = -e.y1 * i, gm2 = (e.x1 - xc) * i;
    const float gw2 = xc * e.y1 * i - e.cx * gl2 - e.cy * gm2;
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float gX1 = (vertical ? gm1 : gl1) * half_w / e.w1, gY1 = (vertical ? gl1 : gm1) * half_h / e.w1;
    const float* p1 = a.pos + row.n * a.pos_stride + 4 * (int64)e.v1;
    return EdgeGradient{gX1, gY1, -(p1[0] * gX1 + p1[1] * gY1) / e.w1,
                        (vertical ? gm2 : gl2) * half_w, (vertical ? gl2 : gm2) * half_h, gw2};
}

GLRAST_INLINE void antialias_pair_gradient(const AntialiasBackwardPosArgs& a, int x, Row row, bool vertical) {
    const float alpha = a.alpha[2 * (row.index * a.width + x) + vertical];
    if (!is_crossed(alpha) || fabsf(alpha) >= 0.5f) return;
    float D = step_of_pair(a, x, row, vertical, alpha);
    if (D == 0.0f) return;
    const Crossing e = find_crossing(a, x, row, vertical);
    if (!is_crossed(e.alpha)) return;
    D *= a.boost;
    add_edge(a, row, e.v1, e.v2, e.ray ? ray_gradient(a, row, vertical, e, -D) : edge_gradient(a, row, vertical, e, D));
}

GLRAST_INLINE void span_gradient(const AntialiasBackwardPosArgs& a, int x, int count, Row row) {
    if (are_zero(a.alpha + 2 * (row.index * a.width + x), 2 * count)) return;
    for (int end = x + count; x < end; ++x) {
        each_way([&](auto way) { antialias_pair_gradient(a, x, row, way.vertical); });
    }
}

GLRAST_INLINE void antialias_backward_pos_element(const AntialiasBackwardPosArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_SPAN) span_gradient(a, x, lesser(end - x, GLRAST_SPAN), row);
}
GLRAST_SCATTER(antialias_backward_pos, AntialiasBackwardPosArgs)
