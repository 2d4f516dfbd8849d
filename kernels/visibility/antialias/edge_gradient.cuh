// What moves an edge whose crossing between two pixels changes the loss, a silhouette or a crease alike.
#pragma once
#include "visibility/antialias/crossing.cuh"

// alpha = s/2 - x_c while d is inside (0, 1), so d alpha/d x_c = -1 and with D = dL/dalpha and i = 1/dy
//   gx1 = -D y2 i, gx2 = D y1 i, gy1 = -D (x_c - x2) i, gy2 = D (x_c - x1) i  in pixels; then the viewport and
//   x = X/w: gX = gx (W/2)/w, gw = -(X gX + Y gY)/w. All four factors are at most 1: y1, y2 differ in sign, |dx| <= |dy|.
template <class Args>
GLRAST_INLINE void add_edge(const Args& a, Row row, bool vertical, const Crossing& e, float D) {
    const float dx = e.x2 - e.x1, dy = e.y2 - e.y1;
    const float i = 1.0f / (dy + (dy < 0.0f ? -1e-20f : 1e-20f));
    const float xc = (e.x1 * dy - e.y1 * dx) * i;
    const float gl1 = -D * e.y2 * i, gl2 = D * e.y1 * i, gm1 = -D * (xc - e.x2) * i, gm2 = D * (xc - e.x1) * i;
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float gX1 = (vertical ? gm1 : gl1) * half_w / e.w1, gY1 = (vertical ? gl1 : gm1) * half_h / e.w1;
    const float gX2 = (vertical ? gm2 : gl2) * half_w / e.w2, gY2 = (vertical ? gl2 : gm2) * half_h / e.w2;
    const int64 at1 = row.n * a.pos_stride + 4 * (int64)e.v1, at2 = row.n * a.pos_stride + 4 * (int64)e.v2;
    const float *p1 = a.pos + at1, *p2 = a.pos + at2;
    float *g1 = a.grad + at1, *g2 = a.grad + at2;
    GLRAST_ADD(g1, gX1);  GLRAST_ADD(g1 + 1, gY1);  GLRAST_ADD(g1 + 3, -(p1[0] * gX1 + p1[1] * gY1) / e.w1);
    GLRAST_ADD(g2, gX2);  GLRAST_ADD(g2 + 1, gY2);  GLRAST_ADD(g2 + 3, -(p2[0] * gX2 + p2[1] * gY2) / e.w2);
}
