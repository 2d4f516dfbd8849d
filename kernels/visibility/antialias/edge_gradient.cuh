// What moves an edge whose crossing between two pixels changes the loss, a silhouette or a crease alike.
#pragma once
#include "visibility/antialias/crossing.cuh"

// alpha = s/2 - x_c while d is inside (0, 1), so d alpha/d x_c = -1 and with D = dL/dalpha and i = 1/dy
//   gx1 = -D y2 i, gx2 = D y1 i, gy1 = -D (x_c - x2) i, gy2 = D (x_c - x1) i  in pixels; then the viewport and
//   x = X/w: gX = gx (W/2)/w, gw = -(X gX + Y gY)/w. All four factors are at most 1: y1, y2 differ in sign, |dx| <= |dy|.
struct EdgeGradient { float x1, y1, w1, x2, y2, w2; };  // of the clip positions of its two ends

template <class Args>
GLRAST_INLINE EdgeGradient edge_gradient(const Args& a, Row row, bool vertical, const Crossing& e, float D) {
    const float dx = e.x2 - e.x1, dy = e.y2 - e.y1;
    const float i = 1.0f / (dy + (dy < 0.0f ? -1e-20f : 1e-20f));
    const float xc = (e.x1 * dy - e.y1 * dx) * i;
    const float gl1 = -D * e.y2 * i, gl2 = D * e.y1 * i, gm1 = -D * (xc - e.x2) * i, gm2 = D * (xc - e.x1) * i;
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float gX1 = (vertical ? gm1 : gl1) * half_w / e.w1, gY1 = (vertical ? gl1 : gm1) * half_h / e.w1;
    const float gX2 = (vertical ? gm2 : gl2) * half_w / e.w2, gY2 = (vertical ? gl2 : gm2) * half_h / e.w2;
    const float* pos = a.pos + row.n * a.pos_stride;
    const float *p1 = pos + 4 * (int64)e.v1, *p2 = pos + 4 * (int64)e.v2;
    return EdgeGradient{gX1, gY1, -(p1[0] * gX1 + p1[1] * gY1) / e.w1, gX2, gY2, -(p2[0] * gX2 + p2[1] * gY2) / e.w2};
}

// Adds it to the edge's ends, which pixels along an edge have in common.
template <class Args>
GLRAST_INLINE void add_edge(const Args& a, Row row, int v1, int v2, const EdgeGradient& g) {
    const Sharers sharers = sharers_of((unsigned long long)(unsigned)v1 << 32 | (unsigned)v2);
    float sums[6] = {g.x1, g.y1, g.w1, g.x2, g.y2, g.w2};
    sum_shared(sharers, sums);
    if (!sharers.adds) return;
    float* grad = a.grad + row.n * a.pos_stride;
    add_row<false>(grad + 4 * (int64)v1, sums[0], sums[1], 0.0f, sums[2]);
    add_row<false>(grad + 4 * (int64)v2, sums[3], sums[4], 0.0f, sums[5]);
}
