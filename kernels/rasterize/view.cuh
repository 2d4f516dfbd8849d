// Triangles seen from pixels: edge functions and their slopes; rasterize.cu has the formulas.
#pragma once
#include "lanes.cuh"

// A is known to a few units in the last place of the products it is summed from; below this multiple of
// them its sign is noise. The guard scales with the triangle: small and far triangles are not biased.
#define GLRAST_DEGENERATE 1e-6f

// 1 / width and 1 / H, divided once for all pixels.
#define GLRAST_RECIPROCALS_MEMBERS float per_width; float per_height;

// What the pixels from x on see: each lane its own triangle.
struct View {
    Int3 index[GLRAST_LANES];
    bool drawn[GLRAST_LANES];      // there is a triangle
    Mask covered;                  // the same as a mask
    Ints ids;                      // triangle + 1
    Rows p0, p1, p2;               // clip positions
    Floats fx, x0, x1, x2;         // xi' = Xi - fx Wi
    float fy;
    Floats y0, y1, y2;
    Floats a0, a1, a2, inverse_area;
    Mask valid;                    // A can be told from 0
};

// Looks up the triangles of `count` pixels; false if there is none.
template <class Args>
GLRAST_INLINE bool find_triangles(const Args& a, const int* ids, int count, View& v) {
    v.ids = load_ints(ids, count);
    v.covered = v.ids > 0;
    if (!any(v.covered)) return false;
    for (int l = 0; l < GLRAST_LANES; ++l) {
        v.drawn[l] = l < count && ids[l] > 0;
        if (v.drawn[l] && fetch_triangle(a.tri, a.T, a.V, ids[l] - 1, &v.index[l])) continue;
        if (v.drawn[l]) set_mask(v.covered, l, false);  // an id that is not of this tri
        v.drawn[l] = false;
        v.index[l] = Int3{0, 0, 0};
    }
    return true;
}

template <class Args>
GLRAST_INLINE void see_triangles(const Args& a, int x, Row row, View& v) {
    const float* pos = a.pos + row.n * a.pos_stride;
    const float *p0[GLRAST_LANES], *p1[GLRAST_LANES], *p2[GLRAST_LANES];
    for (int l = 0; l < GLRAST_LANES; ++l) {
        p0[l] = pos + 4 * (int64)v.index[l].x;
        p1[l] = pos + 4 * (int64)v.index[l].y;
        p2[l] = pos + 4 * (int64)v.index[l].z;
    }
    v.p0 = load_rows(p0);
    v.p1 = load_rows(p1);
    v.p2 = load_rows(p2);
    v.fx = (2.0f * ((float)x + lane_numbers()) + 1.0f) * a.per_width - 1.0f;
    v.fy = (2 * row.y + 1) * a.per_height - 1.0f;
    v.x0 = v.p0.x - v.fx * v.p0.w;  v.y0 = v.p0.y - v.fy * v.p0.w;
    v.x1 = v.p1.x - v.fx * v.p1.w;  v.y1 = v.p1.y - v.fy * v.p1.w;
    v.x2 = v.p2.x - v.fx * v.p2.w;  v.y2 = v.p2.y - v.fy * v.p2.w;
    v.a0 = v.x1 * v.y2 - v.y1 * v.x2;
    v.a1 = v.x2 * v.y0 - v.y2 * v.x0;
    v.a2 = v.x0 * v.y1 - v.y0 * v.x1;
    const Floats A = v.a0 + v.a1 + v.a2;
    const Floats size = (magnitude(v.x0) + magnitude(v.x1) + magnitude(v.x2)) * (magnitude(v.y0) + magnitude(v.y1) + magnitude(v.y2));
    v.valid = (magnitude(A) > GLRAST_DEGENERATE * size) & (size <= 3.402823466e38f);
    v.inverse_area = select(v.valid, 1.0f / A, splat(0.0f));
}

// da0/dfx = Y1 W2 - Y2 W1, da0/dfy = X2 W1 - X1 W2, cyclic; and their sums dA/dfx, dA/dfy.
struct Slopes { Floats p0, p1, p2, q0, q1, q2, A_x, A_y; };

GLRAST_INLINE Floats slope_x(const Rows& b, const Rows& c) { return b.y * c.w - c.y * b.w; }
GLRAST_INLINE Floats slope_y(const Rows& b, const Rows& c) { return c.x * b.w - b.x * c.w; }

GLRAST_INLINE Slopes slopes(const View& v) {
    Slopes s;
    s.p0 = slope_x(v.p1, v.p2);  s.p1 = slope_x(v.p2, v.p0);  s.p2 = slope_x(v.p0, v.p1);
    s.q0 = slope_y(v.p1, v.p2);  s.q1 = slope_y(v.p2, v.p0);  s.q2 = slope_y(v.p0, v.p1);
    s.A_x = s.p0 + s.p1 + s.p2;
    s.A_y = s.q0 + s.q1 + s.q2;
    return s;
}

// False where huge coordinates (1e38) overflow: no derivative there rather than NaN.
GLRAST_INLINE Mask finite(const Slopes& s) { return magnitude(s.A_x) + magnitude(s.A_y) <= 3.402823466e38f; }

// The derivatives of u and v by X and Y, in pixels.
GLRAST_INLINE Rows derivatives(const Slopes& s, Floats u, Floats v, Floats kx, Floats ky) {
    return Rows{kx * (s.p0 - u * s.A_x), ky * (s.q0 - u * s.A_y), kx * (s.p1 - v * s.A_x), ky * (s.q1 - v * s.A_y)};
}
