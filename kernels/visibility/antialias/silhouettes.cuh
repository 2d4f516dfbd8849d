// antialias_silhouettes: which edges of each triangle are silhouettes.    one thread = one triangle
#pragma once
#include "visibility/antialias/front.cuh"

struct AntialiasSilhouettesArgs {
    int width;              // T
    int H;                  // 1
    int64 rows;             // 1 or N
    const float* pos;       // [V,4] or [N,V,4]
    int64 pos_stride;       // floats from one image's vertices to the next
    const int* tri;         // [T,3]
    const int* opposite;    // [T,3]: across the edge opposite vertex k, the neighbour's apex; -1 if the edge is open
    int V;
    char* flags;            // [rows,T]: bit k set where the edge opposite vertex k is a silhouette
};

struct Point { float x, y; };

// Edge (a, b) of a triangle with third vertex c: is `apex` on c's side of it, or is there no apex? The side of a
// homogeneous point needs no division, so an apex behind the camera is judged right. A neighbour seen exactly
// edge-on is invisible: its edge is a silhouette.
GLRAST_INLINE bool is_silhouette(Point a, Point b, Point c, const float* pos, int apex, int V) {
    if ((unsigned)apex >= (unsigned)V) return true;
    const Float4 p = load4(pos + 4 * (int64)apex);
    if (!is_finite4(p)) return true;  // the neighbour is not drawn
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float own = dx * (c.y - a.y) - dy * (c.x - a.x);
    const float side = dx * (p.y - a.y * p.w) - dy * (p.x - a.x * p.w);
    return own > 0.0f ? side >= 0.0f : side <= 0.0f;
}

// The same for a triangle that reaches behind the camera; edge (a, b), of which one end may be behind.
GLRAST_INLINE bool is_silhouette_behind(Float4 a, Float4 b, Float4 c, const float* pos, int apex, int V) {
    if (!is_in_front(a)) { const Float4 t = a; a = b; b = t; }
    if (!is_in_front(a)) return false;
    if ((unsigned)apex >= (unsigned)V) return true;
    const Float4 p = load4(pos + 4 * (int64)apex);
    if (!is_finite4(p)) return true;
    const float x = a.x / a.w, y = a.y / a.w, dx = b.x - x * b.w, dy = b.y - y * b.w;
    const float own = dx * (c.y - y * c.w) - dy * (c.x - x * c.w), side = dx * (p.y - y * p.w) - dy * (p.x - x * p.w);
    return own > 0.0f ? side >= 0.0f : side <= 0.0f;
}

GLRAST_INLINE void find_silhouettes(const AntialiasSilhouettesArgs& a, int t, Row row) {
    char* flags = a.flags + row.n * a.width + t;
    *flags = 0;
    Int3 index;
    if (!fetch_triangle(a.tri, a.width, a.V, t, &index)) return;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 p0 = load4(pos + 4 * (int64)index.x), p1 = load4(pos + 4 * (int64)index.y), p2 = load4(pos + 4 * (int64)index.z);
    const int* opposite = a.opposite + 3 * (int64)t;
    if (!(is_in_front(p0) && is_in_front(p1) && is_in_front(p2))) {
        *flags = (char)((is_silhouette_behind(p1, p2, p0, pos, opposite[0], a.V) ? 1 : 0) |
                        (is_silhouette_behind(p2, p0, p1, pos, opposite[1], a.V) ? 2 : 0) |
                        (is_silhouette_behind(p0, p1, p2, pos, opposite[2], a.V) ? 4 : 0));
        return;
    }
    const float r0 = 1.0f / p0.w, r1 = 1.0f / p1.w, r2 = 1.0f / p2.w;
    const Point q0 = {p0.x * r0, p0.y * r0}, q1 = {p1.x * r1, p1.y * r1}, q2 = {p2.x * r2, p2.y * r2};
    *flags = (char)((is_silhouette(q1, q2, q0, pos, opposite[0], a.V) ? 1 : 0) |
                    (is_silhouette(q2, q0, q1, pos, opposite[1], a.V) ? 2 : 0) |
                    (is_silhouette(q0, q1, q2, pos, opposite[2], a.V) ? 4 : 0));
}

GLRAST_INLINE void antialias_silhouettes_element(const AntialiasSilhouettesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_silhouettes(a, x, row);
}
GLRAST_KERNEL(antialias_silhouettes, AntialiasSilhouettesArgs)
