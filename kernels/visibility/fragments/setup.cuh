// Triangles and edges on the screen.
//
// With M the rows (X,Y,W) of a triangle's vertices, b(x,y) = (fx,fy,1) M^-1 are three affine functions of the pixel with
// sum b_k (X_k,Y_k,W_k) = (fx,fy,1), for any sign of w: a point is inside where all b_k >= 0; u = b_0 / sum b_k; and
// z/w = sum Z_k b_k is affine too.
#pragma once
#include "visibility/fragments/members.cuh"

#define GLRAST_PLANES 12             // of a triangle: A, B, C of b_0, b_1, b_2 and z/w = A x + B y + C
#define GLRAST_EDGE 10               // of an edge: x, y of its ends A and B; z/w at A and B; b of its first vertex there; of its second
#define GLRAST_EDGE_INFO 6           // left and right triangle, flags, image, both vertices (or -1 - triangle, of a line)
#define GLRAST_NOTHING -1            // no triangle
#define GLRAST_BEGINS 1              // flags: end A is the first vertex
#define GLRAST_ENDS 2                // end B is the second
#define GLRAST_DRAWN 4
#define GLRAST_OPEN 8                // no crease: a triangle on one side only, or a line
#define GLRAST_CUTS_NEAR 2           // of triangles, beside 1: drawn
#define GLRAST_CUTS_FAR 4
#define GLRAST_NO_AREA 1e-14         // of the product of its rows' lengths: three vertices on a line
#define GLRAST_EYE 1e-7              // w at which edges end before the camera

struct FragmentsPlanesArgs {
    int width;              // triangles of an image, at most
    int H;                  // 1
    int64 rows;             // N
    GLRAST_MESH_MEMBERS
    int V;
    int T;
    int columns;            // W of the image
    int lines;              // H of the image
    int cull;               // 1: clockwise triangles, -1: counter-clockwise ones, 0: none
    double* planes;         // [M,12]
    char* drawn;            // [M]: 1 and what it cuts, or 0
};

struct Spot { double x, y; };
GLRAST_INLINE double clamp(double v, double lo, double hi) { return fmin(fmax(v, lo), hi); }

GLRAST_INLINE double value_at(const double* planes, int k, double x, double y) {
    return planes[3 * k] * x + planes[3 * k + 1] * y + planes[3 * k + 2];
}

struct Row3 { double x, y, w; };
GLRAST_INLINE Row3 cross(Row3 p, Row3 q) { return Row3{p.y * q.w - p.w * q.y, p.w * q.x - p.x * q.w, p.x * q.y - p.y * q.x}; }
GLRAST_INLINE double length(Row3 p) { return sqrt(p.x * p.x + p.y * p.y + p.w * p.w); }

// Does some of z run through the plane, some lie on the visible side of it and some beyond?
GLRAST_INLINE bool cuts(double p, double q, double r) { return fmin(p, fmin(q, r)) < 0.0 && fmax(p, fmax(q, r)) > 0.0; }

GLRAST_INLINE void find_planes(const FragmentsPlanesArgs& a, int x, Row row) {
    const int64* image = a.images + 3 * row.n;
    if (x >= image[1]) return;
    const int64 out = image[2] + x;
    double* planes = a.planes + GLRAST_PLANES * out;
    a.drawn[out] = 0;
    for (int i = 0; i < GLRAST_PLANES; ++i) planes[i] = 0.0;
    Int3 v;
    if (!fetch_triangle(a.tri + row.n * a.tri_stride, a.T, a.V, (int)(image[0] + x), &v)) return;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 p0 = load4(pos + 4 * (int64)v.x), p1 = load4(pos + 4 * (int64)v.y), p2 = load4(pos + 4 * (int64)v.z);
    if (!(is_finite4(p0) && is_finite4(p1) && is_finite4(p2))) return;
    const Row3 r[3] = {{p0.x, p0.y, p0.w}, {p1.x, p1.y, p1.w}, {p2.x, p2.y, p2.w}};
    const Row3 c[3] = {cross(r[1], r[2]), cross(r[2], r[0]), cross(r[0], r[1])};
    const double D = r[0].x * c[0].x + r[0].y * c[0].y + r[0].w * c[0].w;
    if (!(fabs(D) > GLRAST_NO_AREA * length(r[0]) * length(r[1]) * length(r[2]))) return;
    if ((a.cull > 0 && D < 0.0) || (a.cull < 0 && D > 0.0)) return;
    const double z[3] = {p0.z, p1.z, p2.z};
    for (int k = 0; k < 3; ++k) {
        double* b = planes + 3 * k;
        b[0] = 2.0 / a.columns * (c[k].x / D);
        b[1] = 2.0 / a.lines * (c[k].y / D);
        b[2] = (c[k].w - c[k].x - c[k].y) / D;
        for (int i = 0; i < 3; ++i) planes[9 + i] += z[k] * b[i];
    }
    for (int i = 0; i < GLRAST_PLANES; ++i) {
        if (!(fabs(planes[i]) < 1e150)) return;  // beyond what can be multiplied: an eye's breadth of the camera
    }
    const bool near = cuts(r[0].w + z[0], r[1].w + z[1], r[2].w + z[2]), far = cuts(r[0].w - z[0], r[1].w - z[1], r[2].w - z[2]);
    a.drawn[out] = (char)(1 | (near ? GLRAST_CUTS_NEAR : 0) | (far ? GLRAST_CUTS_FAR : 0));
}

GLRAST_INLINE void fragments_planes_element(const FragmentsPlanesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_planes(a, x, row);
}
GLRAST_KERNEL(fragments_planes, FragmentsPlanesArgs)

// ---- edges -----------------------------------------------------------------------------------------------

struct FragmentsEdgesArgs {
    int width;              // edges of an image, at most
    int H;                  // 1
    int64 rows;             // N
    GLRAST_MESH_MEMBERS
    const int64* regions;   // [N,3]: an image's first edge, their number, and the place of the first among all images'
    const int* vertices;    // [E,2]
    const int64* starts;    // [E+1]: where an edge's triangles begin
    const int* faces;       // their numbers in their image
    const double* planes;   // [M,12]
    const char* drawn;      // [M]
    int V;
    int columns;
    int lines;
    double* edges;          // [K,10]
    int* info;              // [K,6]
};

struct Clip4 { double x, y, z, w; };

// The distances to what an edge is cut by: the camera, the near and far planes, and the image with a pixel around it. What
// lies far outside would only cost precision.
GLRAST_INLINE void distances(Clip4 p, double wide, double high, double out[7]) {
    out[0] = p.w - GLRAST_EYE;  out[1] = p.w + p.z;  out[2] = p.w - p.z;
    out[3] = p.w * wide + p.x;  out[4] = p.w * wide - p.x;
    out[5] = p.w * high + p.y;  out[6] = p.w * high - p.y;
}

GLRAST_INLINE bool clip_segment(Clip4 p, Clip4 q, double wide, double high, double* lo, double* hi) {
    double at_p[7], at_q[7];
    distances(p, wide, high, at_p);
    distances(q, wide, high, at_q);
    *lo = 0.0;
    *hi = 1.0;
    for (int i = 0; i < 7; ++i) {
        if (at_p[i] < 0.0 && at_q[i] < 0.0) return false;
        if (at_p[i] < 0.0) *lo = fmax(*lo, at_p[i] / (at_p[i] - at_q[i]));
        else if (at_q[i] < 0.0) *hi = fmin(*hi, at_p[i] / (at_p[i] - at_q[i]));
    }
    return *lo < *hi;
}

// What is front-most on either side of edge (A, B) from the left: a triangle with apex k lies on the left where b_k, which
// is 0 on the edge and grows inwards, grows along the left normal. In front is the one whose z/w grows least inwards.
GLRAST_INLINE void find_sides(const FragmentsEdgesArgs& a, const int64* image, int64 e, const int* tri, double dx, double dy, int side[2]) {
    double best[2] = {0.0, 0.0};
    side[0] = side[1] = GLRAST_NOTHING;
    for (int64 i = a.starts[e]; i < a.starts[e + 1]; ++i) {
        const int64 t = image[2] + a.faces[i];
        if (!a.drawn[t]) continue;
        const int* v = tri + 3 * (image[0] + a.faces[i]);
        const double* p = a.planes + GLRAST_PLANES * t;
        for (int k = 0; k < 3; ++k) {
            if (v[k] == a.vertices[2 * e] || v[k] == a.vertices[2 * e + 1]) continue;
            const double inwards = p[3 * k + 1] * dx - p[3 * k] * dy, z = p[10] * dx - p[9] * dy;
            const int s = inwards > 0.0 ? 0 : 1;
            const double depth = s == 0 ? z : -z;
            if (side[s] == GLRAST_NOTHING || depth < best[s]) { best[s] = depth; side[s] = (int)t; }
        }
    }
}

GLRAST_INLINE void find_edge(const FragmentsEdgesArgs& a, int x, Row row) {
    const int64 *image = a.images + 3 * row.n, *region = a.regions + 3 * row.n;
    if (x >= region[1]) return;
    const int64 e = region[0] + x, out = region[2] + x;
    int* info = a.info + GLRAST_EDGE_INFO * out;
    double* edge = a.edges + GLRAST_EDGE * out;
    for (int i = 0; i < GLRAST_EDGE; ++i) edge[i] = 0.0;
    const int v1 = a.vertices[2 * e], v2 = a.vertices[2 * e + 1];
    info[0] = info[1] = GLRAST_NOTHING;  info[2] = 0;  info[3] = (int)row.n;  info[4] = v1;  info[5] = v2;
    if ((unsigned)v1 >= (unsigned)a.V || (unsigned)v2 >= (unsigned)a.V) return;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 f1 = load4(pos + 4 * (int64)v1), f2 = load4(pos + 4 * (int64)v2);
    if (!(is_finite4(f1) && is_finite4(f2))) return;
    const Clip4 p = {f1.x, f1.y, f1.z, f1.w}, q = {f2.x, f2.y, f2.z, f2.w};
    double cut[2];
    if (!clip_segment(p, q, 1.0 + 2.0 / a.columns, 1.0 + 2.0 / a.lines, &cut[0], &cut[1])) return;
    for (int k = 0; k < 2; ++k) {
        const double t = cut[k], r = 1.0 - t, w = r * p.w + t * q.w;
        edge[2 * k] = ((r * p.x + t * q.x) / w + 1.0) * 0.5 * a.columns;
        edge[2 * k + 1] = ((r * p.y + t * q.y) / w + 1.0) * 0.5 * a.lines;
        edge[4 + k] = (r * p.z + t * q.z) / w;
        edge[6 + k] = r / w;
        edge[8 + k] = t / w;
    }
    const double dx = edge[2] - edge[0], dy = edge[3] - edge[1];
    if (!(dx != 0.0 || dy != 0.0)) return;
    find_sides(a, image, e, a.tri + row.n * a.tri_stride, dx, dy, info);
    if (info[0] == GLRAST_NOTHING && info[1] == GLRAST_NOTHING) return;
    const bool open = info[0] == GLRAST_NOTHING || info[1] == GLRAST_NOTHING;
    info[2] = GLRAST_DRAWN | (cut[0] == 0.0 ? GLRAST_BEGINS : 0) | (cut[1] == 1.0 ? GLRAST_ENDS : 0) | (open ? GLRAST_OPEN : 0);
}

GLRAST_INLINE void fragments_edges_element(const FragmentsEdgesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_edge(a, x, row);
}
GLRAST_KERNEL(fragments_edges, FragmentsEdgesArgs)
