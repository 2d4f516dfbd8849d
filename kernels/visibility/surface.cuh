// The point of a surface that a pixel shows, and what moves it in the image: what the image estimators share.
#pragma once
#include "common.cuh"

// What the backward pass of an image estimator looks at:
//   color, grad_out [N,H,W,C];  rast [N,H,W,4];  pos [V,4] or [N,V,4], pos_stride floats from one image's to the next: 0 or V*4
//   tri [T,3]
#define GLRAST_IMAGE_MEMBERS                                                                     \
    const float* color; const float* rast; const float* pos; int64 pos_stride; const int* tri;   \
    int V; int T; int C; const float* grad_out;

// The vertices of the triangle that a pixel shows.
struct Corners3 { Int3 v; Float4 p0, p1, p2; };

// false where the pixel shows none, or one with a vertex that is not finite.
template <class Args>
GLRAST_INLINE bool fetch_corners(const Args& a, Row row, int id, Corners3* out) {
    if (!fetch_triangle(a.tri, a.T, a.V, id - 1, &out->v)) return false;
    const float* pos = a.pos + row.n * a.pos_stride;
    out->p0 = load4(pos + 4 * (int64)out->v.x);
    out->p1 = load4(pos + 4 * (int64)out->v.y);
    out->p2 = load4(pos + 4 * (int64)out->v.z);
    return is_finite4(out->p0) && is_finite4(out->p1) && is_finite4(out->p2);
}

// b0, b1, b2: perspective-correct weights of the vertices.
struct Barycentrics { float b0, b1, b2; };

GLRAST_INLINE Barycentrics weights_of(const float* rast) { return Barycentrics{rast[0], rast[1], 1.0f - rast[0] - rast[1]}; }

// The clip position of the point with these weights.
GLRAST_INLINE Float4 clip_position(const Corners3& c, Barycentrics b) {
    return Float4{b.b0 * c.p0.x + b.b1 * c.p1.x + b.b2 * c.p2.x, b.b0 * c.p0.y + b.b1 * c.p1.y + b.b2 * c.p2.y,
                  b.b0 * c.p0.z + b.b1 * c.p1.z + b.b2 * c.p2.z, b.b0 * c.p0.w + b.b1 * c.p1.w + b.b2 * c.p2.w};
}

// d loss/d place of the point in pixels (x, y) and in z/w, given to the vertices: the place is P/P.w with P = sum b_k V_k, so
//   gX = gx (W/2)/w b_k, gY likewise, gZ = gz/w b_k, gW = -(x gX + y gY + z gZ) with (x, y, z) = P/P.w. `Depth`: gz is not 0.
template <bool Depth, class Args>
GLRAST_INLINE void add_moved(const Args& a, Row row, const Corners3& c, Barycentrics b, float gx, float gy, float gz) {
    const Float4 p = clip_position(c, b);
    if (!(p.w > 0.0f) || (gx == 0.0f && gy == 0.0f && gz == 0.0f)) return;
    const float i = 1.0f / p.w, kx = gx * 0.5f * a.width * i, ky = gy * 0.5f * a.H * i, kz = gz * i;
    const float kw = -(kx * p.x + ky * p.y + kz * p.z) * i;
    float *g0 = a.grad + row.n * a.pos_stride + 4 * (int64)c.v.x, *g1 = a.grad + row.n * a.pos_stride + 4 * (int64)c.v.y;
    float* g2 = a.grad + row.n * a.pos_stride + 4 * (int64)c.v.z;
    GLRAST_ADD(g0, b.b0 * kx);  GLRAST_ADD(g0 + 1, b.b0 * ky);  GLRAST_ADD(g0 + 3, b.b0 * kw);
    GLRAST_ADD(g1, b.b1 * kx);  GLRAST_ADD(g1 + 1, b.b1 * ky);  GLRAST_ADD(g1 + 3, b.b1 * kw);
    GLRAST_ADD(g2, b.b2 * kx);  GLRAST_ADD(g2 + 1, b.b2 * ky);  GLRAST_ADD(g2 + 3, b.b2 * kw);
    if (!Depth) return;
    GLRAST_ADD(g0 + 2, b.b0 * kz);  GLRAST_ADD(g1 + 2, b.b1 * kz);  GLRAST_ADD(g2 + 2, b.b2 * kz);
}

// d loss/d place of one vertex in the image, in pixels, to its clip position, which divides by its own w.
template <class Args>
GLRAST_INLINE void add_place(const Args& a, Row row, int v, Float4 p, float gx, float gy) {
    const float gX = gx * 0.5f * a.width / p.w, gY = gy * 0.5f * a.H / p.w;
    float* g = a.grad + row.n * a.pos_stride + 4 * (int64)v;
    GLRAST_ADD(g, gX);  GLRAST_ADD(g + 1, gY);  GLRAST_ADD(g + 3, -(p.x * gX + p.y * gY) / p.w);
}
