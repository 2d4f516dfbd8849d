// Triangles as affine functions of the pixel.
//
// With M the rows (X,Y,W) of a triangle's vertices, b(x,y) = (fx,fy,1) M^-1 are three affine functions of the pixel with
// sum b_k (X_k,Y_k,W_k) = (fx,fy,1), for any sign of w: a point is inside where all b_k >= 0; u = b_0 / sum b_k; and
// z/w = sum Z_k b_k is affine too.
#pragma once
#include "visibility/fragments/members.cuh"

#define GLRAST_PLANES 12             // of a triangle: A, B, C of b_0, b_1, b_2 and z/w = A x + B y + C
#define GLRAST_NOTHING -1            // no triangle
#define GLRAST_SHOWN 1               // state of a triangle: drawn
#define GLRAST_CUTS_NEAR 2
#define GLRAST_CUTS_FAR 4
#define GLRAST_TURNED 8              // det M < 0
#define GLRAST_NO_AREA 1e-14         // of the product of its rows' lengths: three vertices on a line
#define GLRAST_BEHIND 1e-6           // w up to which a vertex has no place on the screen
#define GLRAST_FAR_OFF 1e30f         // of z/w of such vertices

struct Spot { double x, y; };
GLRAST_INLINE double clamp(double v, double lo, double hi) { return fmin(fmax(v, lo), hi); }

GLRAST_INLINE double value_at(const double* planes, int k, double x, double y) {
    return planes[3 * k] * x + planes[3 * k + 1] * y + planes[3 * k + 2];
}

struct Row3 { double x, y, w; };
GLRAST_INLINE Row3 cross(Row3 p, Row3 q) { return Row3{p.y * q.w - p.w * q.y, p.w * q.x - p.x * q.w, p.x * q.y - p.y * q.x}; }
GLRAST_INLINE double squared(Row3 p) { return p.x * p.x + p.y * p.y + p.w * p.w; }

// Does some of z run through the plane, some lie on the visible side of it and some beyond?
GLRAST_INLINE bool cuts(double p, double q, double r) { return fmin(p, fmin(q, r)) < 0.0 && fmax(p, fmax(q, r)) > 0.0; }

// The planes of a triangle, and its state: 0 where it is not drawn.
GLRAST_INLINE int find_planes(const float* pos, Int3 v, int columns, int lines, int cull, double* planes) {
    const Float4 p0 = load4(pos + 4 * (int64)v.x), p1 = load4(pos + 4 * (int64)v.y), p2 = load4(pos + 4 * (int64)v.z);
    if (!(is_finite4(p0) && is_finite4(p1) && is_finite4(p2))) return 0;
    const Row3 r[3] = {{p0.x, p0.y, p0.w}, {p1.x, p1.y, p1.w}, {p2.x, p2.y, p2.w}};
    const Row3 c[3] = {cross(r[1], r[2]), cross(r[2], r[0]), cross(r[0], r[1])};
    const double D = r[0].x * c[0].x + r[0].y * c[0].y + r[0].w * c[0].w;
    if (!(D * D > GLRAST_NO_AREA * GLRAST_NO_AREA * squared(r[0]) * squared(r[1]) * squared(r[2]))) return 0;
    if ((cull > 0 && D < 0.0) || (cull < 0 && D > 0.0)) return 0;
    const double z[3] = {p0.z, p1.z, p2.z}, inverse = 1.0 / D;
    for (int i = 9; i < GLRAST_PLANES; ++i) planes[i] = 0.0;
    double most = 0.0;
    for (int k = 0; k < 3; ++k) {
        double* b = planes + 3 * k;
        b[0] = 2.0 / columns * (c[k].x * inverse);
        b[1] = 2.0 / lines * (c[k].y * inverse);
        b[2] = (c[k].w - c[k].x - c[k].y) * inverse;
        for (int i = 0; i < 3; ++i) {
            planes[9 + i] += z[k] * b[i];
            most = fmax(most, fabs(b[i]));
        }
    }
    for (int i = 9; i < GLRAST_PLANES; ++i) most = fmax(most, fabs(planes[i]));
    if (!(most < 1e150) || !(fabs(inverse) < 1e300)) return 0;  // beyond what can be multiplied: an eye's breadth of the camera
    const bool near = cuts(r[0].w + z[0], r[1].w + z[1], r[2].w + z[2]), far = cuts(r[0].w - z[0], r[1].w - z[1], r[2].w - z[2]);
    return GLRAST_SHOWN | (near ? GLRAST_CUTS_NEAR : 0) | (far ? GLRAST_CUTS_FAR : 0) | (D < 0.0 ? GLRAST_TURNED : 0);
}

// ---- of all triangles ------------------------------------------------------------------------------------

struct FragmentsTrianglesArgs {
    int width;              // triangles of an image, at most
    int H;                  // 1
    int64 rows;             // N
    GLRAST_MESH_MEMBERS
    int columns;            // W of the image
    int lines;              // H of the image
    int cull;               // 1: clockwise triangles, -1: counter-clockwise ones, 0: none
    char* state;            // [M]
    float* depth;           // [M,2]: z/w of the nearest and of the farthest vertex
};

GLRAST_INLINE void find_triangle(const FragmentsTrianglesArgs& a, int x, Row row) {
    const int64* image = a.images + 3 * row.n;
    if (x >= image[1]) return;
    const int64 out = image[2] + x;
    float* depth = a.depth + 2 * out;
    a.state[out] = 0;
    depth[0] = -GLRAST_FAR_OFF;
    depth[1] = GLRAST_FAR_OFF;
    Int3 v;
    if (!fetch_triangle(a.tri + row.n * a.tri_stride, a.T, a.V, (int)(image[0] + x), &v)) return;
    const float* pos = a.pos + row.n * a.pos_stride;
    double planes[GLRAST_PLANES];
    a.state[out] = (char)find_planes(pos, v, a.columns, a.lines, a.cull, planes);
    const Float4 p[3] = {load4(pos + 4 * (int64)v.x), load4(pos + 4 * (int64)v.y), load4(pos + 4 * (int64)v.z)};
    if (!(p[0].w > GLRAST_BEHIND && p[1].w > GLRAST_BEHIND && p[2].w > GLRAST_BEHIND)) return;
    const double z[3] = {p[0].z / (double)p[0].w, p[1].z / (double)p[1].w, p[2].z / (double)p[2].w};
    depth[0] = (float)clamp(fmin(z[0], fmin(z[1], z[2])), -GLRAST_FAR_OFF, GLRAST_FAR_OFF);
    depth[1] = (float)clamp(fmax(z[0], fmax(z[1], z[2])), -GLRAST_FAR_OFF, GLRAST_FAR_OFF);
}

GLRAST_INLINE void fragments_triangles_element(const FragmentsTrianglesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_triangle(a, x, row);
}
GLRAST_KERNEL(fragments_triangles, FragmentsTrianglesArgs)

// ---- of those that are chosen ----------------------------------------------------------------------------

struct FragmentsPlanesArgs {
    GLRAST_LIST_MEMBERS     // chosen triangles
    GLRAST_MESH_MEMBERS
    const int* given;       // [T,3]: tri before vertices in one place had one name
    const int64* chosen;    // [count]: their places among all images', ascending
    int columns;
    int lines;
    double* planes;         // [count,12]
    int* corners;           // [count,3]
    int* vertices;          // [count,3]: of given; null: they are the corners
    int* origin;            // [count,2]: image, and index in tri
};

GLRAST_INLINE void write_planes(const FragmentsPlanesArgs& a, int64 i) {
    const int64 t = a.chosen[i], n = image_of(a.images, 3, a.N, t), *image = a.images + 3 * n;
    const int number = (int)(t - image[2] + image[0]);
    double planes[GLRAST_PLANES] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    Int3 v = {0, 0, 0};
    if (fetch_triangle(a.tri + n * a.tri_stride, a.T, a.V, number, &v)) {
        find_planes(a.pos + n * a.pos_stride, v, a.columns, a.lines, 0, planes);
    }
    for (int k = 0; k < GLRAST_PLANES; ++k) a.planes[GLRAST_PLANES * i + k] = planes[k];
    const int corners[3] = {v.x, v.y, v.z};
    for (int k = 0; k < 3; ++k) {
        a.corners[3 * i + k] = corners[k];
        if (a.vertices) a.vertices[3 * i + k] = a.given[3 * (int64)number + k];
    }
    a.origin[2 * i] = (int)n;
    a.origin[2 * i + 1] = number;
}

GLRAST_INLINE void fragments_planes_element(const FragmentsPlanesArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { write_planes(a, i); });
}
GLRAST_KERNEL(fragments_planes, FragmentsPlanesArgs)
