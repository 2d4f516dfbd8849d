// antialias, discontinuities = 'all': the gradient of positions from the boundaries that inner.cuh found.
#pragma once
#include "visibility/antialias/edge_gradient.cuh"
#include "visibility/antialias/inner.cuh"

struct AntialiasInnerBackwardPosArgs {
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

// D: the loss' change per pixel that the boundary moves back, towards p.
GLRAST_INLINE float step_at_boundary(const AntialiasInnerBackwardPosArgs& a, int x, Row row, bool vertical, float alpha) {
    const SlopeWeights k = slope_weights(a, x, row, vertical, 0.5f - alpha);
    const int64 step = a.C * (vertical ? (int64)a.width : 1), first = (row.index * a.width + x) * a.C;
    const float* c = a.color + first;
    const float* y = a.grad_out + first + (alpha > 0.0f ? 0 : step);
    float D = 0.0f;
    for (int i = 0; i < a.C; ++i) {
        float J = c[i + step] - c[i];
        if (k.p != 0.0f) J -= k.p * (c[i] - c[i - step]);
        if (k.q != 0.0f) J -= k.q * (c[i + 2 * step] - c[i + step]);
        D += y[i] * J;
    }
    return D;
}

// scale is D/slope for P, -D/slope for Q. `id` names the triangle as rast does: pixels that show it add to the same vertices.
GLRAST_INLINE void add_plane(const AntialiasInnerBackwardPosArgs& a, Row row, const DepthPlane& plane, float id, float scale) {
    Int3 v;
    if (!fetch_triangle(a.tri, a.T, a.V, decode_id(id) - 1, &v)) return;  // it was found before
    const Sharers sharers = sharers_of(float_bits(id));
    GLRAST_ROLLED
    for (int i = 0; i < 3; ++i) {
        const float b = scale * pick(plane.b[0], plane.b[1], plane.b[2], i);
        float sums[4] = {-b * plane.a_x, -b * plane.a_y, b, -b * plane.g};
        sum_shared(sharers, sums);
        float* g = a.grad + row.n * a.pos_stride + 4 * (int64)pick(v.x, v.y, v.z, i);
        if (sharers.adds) add_row<true>(g, sums[0], sums[1], sums[2], sums[3]);
    }
}

GLRAST_INLINE void antialias_inner_gradient(const AntialiasInnerBackwardPosArgs& a, int x, Row row, bool vertical) {
    const float alpha = a.alpha[2 * (row.index * a.width + x) + vertical];
    if (float_bits(alpha) == 0 || fabsf(alpha) >= 0.5f) return;
    const float D = a.boost * step_at_boundary(a, x, row, vertical, alpha);
    if (D == 0.0f) return;
    const Inner found = find_inner(a, x, row, vertical);
    if (float_bits(found.alpha) == 0) return;
    if (found.crease) { add_edge(a, row, found.edge.v1, found.edge.v2, edge_gradient(a, row, vertical, found.edge, D)); return; }
    const float* id = a.rast + 4 * (row.index * a.width + x) + 3;
    add_plane(a, row, found.plane_p, id[0], D / found.slope);
    add_plane(a, row, found.plane_q, id[4 * (vertical ? (int64)a.width : 1)], -D / found.slope);
}

GLRAST_INLINE void inner_span_gradient(const AntialiasInnerBackwardPosArgs& a, int x, int count, Row row) {
    if (are_zero(a.alpha + 2 * (row.index * a.width + x), 2 * count)) return;
    for (int end = x + count; x < end; ++x) {
        each_way([&](auto way) { antialias_inner_gradient(a, x, row, way.vertical); });
    }
}

GLRAST_INLINE void antialias_inner_backward_pos_element(const AntialiasInnerBackwardPosArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_SPAN) inner_span_gradient(a, x, lesser(end - x, GLRAST_SPAN), row);
}
GLRAST_SCATTER(antialias_inner_backward_pos, AntialiasInnerBackwardPosArgs)
