// Triangles as affine functions of the pixel.
//
// With M the rows (X,Y,W) of a triangle's vertices, b(x,y) = (fx,fy,1) M^-1 are three affine functions of the pixel with
// sum b_k (X_k,Y_k,W_k) = (fx,fy,1), for any sign of w: a point is inside where all b_k >= 0; u = b_0 / sum b_k; and
// z/w = sum Z_k b_k is affine too.
#pragma once
#include "fours.cuh"
#include "visibility/fragments/members.cuh"

#define GLRAST_PLANES 12             // of a triangle: A of b_0, b_1, b_2 and z/w, then B of these, then C: A x + B y + C
#define GLRAST_NOTHING -1            // no triangle
#define GLRAST_SHOWN 1               // state of a triangle: drawn
#define GLRAST_CUTS_NEAR 2
#define GLRAST_CUTS_FAR 4
#define GLRAST_TURNED 8              // det M < 0
#define GLRAST_NO_AREA 1e-14         // of the product of its rows' lengths: three vertices on a line
#define GLRAST_BEHIND 1e-6           // w up to which a vertex has no place on the screen
#define GLRAST_FAR_OFF 1e30f         // of z/w of such vertices

struct Spot { double x, y; };
// fmin and fmax are calls to a library here. Where a may be NaN, b is the result.
GLRAST_INLINE double lower(double a, double b) { return a < b ? a : b; }
GLRAST_INLINE double upper(double a, double b) { return a > b ? a : b; }
GLRAST_INLINE double clamp(double v, double lo, double hi) { return lower(upper(v, lo), hi); }

GLRAST_INLINE double value_at(const double* planes, int k, double x, double y) {
    return planes[k] * x + planes[4 + k] * y + planes[8 + k];
}

// All four at once: three b_k and z/w.
GLRAST_INLINE Doubles4 values_at(const double* planes, double x, double y) {
    return load_four(planes) * x + load_four(planes + 4) * y + load_four(planes + 8);
}

struct Row3 { double x, y, w; };
GLRAST_INLINE Row3 cross(Row3 p, Row3 q) { return Row3{p.y * q.w - p.w * q.y, p.w * q.x - p.x * q.w, p.x * q.y - p.y * q.x}; }
GLRAST_INLINE double squared(Row3 p) { return p.x * p.x + p.y * p.y + p.w * p.w; }

// Does some of z run through the plane, some lie on the visible side of it and some beyond?
GLRAST_INLINE bool cuts(double p, double q, double r) { return lower(p, lower(q, r)) < 0.0 && upper(p, upper(q, r)) > 0.0; }

// Rows of M, the columns of its inverse times its determinant, and that.
struct Matrix { Row3 r[3], c[3]; double z[3], D; };

// false where a triangle has three vertices on a line, or none that numbers can say.
GLRAST_INLINE bool find_matrix(const float* pos, Int3 v, Matrix* m) {
    const Float4 p0 = load4(pos + 4 * (int64)v.x), p1 = load4(pos + 4 * (int64)v.y), p2 = load4(pos + 4 * (int64)v.z);
    if (!(is_finite4(p0) && is_finite4(p1) && is_finite4(p2))) return false;
    m->r[0] = Row3{p0.x, p0.y, p0.w};  m->r[1] = Row3{p1.x, p1.y, p1.w};  m->r[2] = Row3{p2.x, p2.y, p2.w};
    m->z[0] = p0.z;  m->z[1] = p1.z;  m->z[2] = p2.z;
    for (int k = 0; k < 3; ++k) m->c[k] = cross(m->r[(k + 1) % 3], m->r[(k + 2) % 3]);
    m->D = m->r[0].x * m->c[0].x + m->r[0].y * m->c[0].y + m->r[0].w * m->c[0].w;
    return m->D * m->D > GLRAST_NO_AREA * GLRAST_NO_AREA * squared(m->r[0]) * squared(m->r[1]) * squared(m->r[2]);
}

// The state of a triangle: 0 where it is not drawn.
GLRAST_INLINE int state_of(const Matrix& m, int cull) {
    if ((cull > 0 && m.D < 0.0) || (cull < 0 && m.D > 0.0)) return 0;
    double most = 0.0, deepest = 1.0;
    for (int k = 0; k < 3; ++k) {
        most = upper(most, upper(fabs(m.c[k].x), upper(fabs(m.c[k].y), fabs(m.c[k].w))));
        deepest = upper(deepest, fabs(m.z[k]));
    }
    // Beyond what can be multiplied: an eye's breadth of the camera.
    if (!(most / fabs(m.D) * deepest < 1e148) || !(fabs(m.D) > 1e-300)) return 0;
    const bool near = cuts(m.r[0].w + m.z[0], m.r[1].w + m.z[1], m.r[2].w + m.z[2]);
    const bool far = cuts(m.r[0].w - m.z[0], m.r[1].w - m.z[1], m.r[2].w - m.z[2]);
    return GLRAST_SHOWN | (near ? GLRAST_CUTS_NEAR : 0) | (far ? GLRAST_CUTS_FAR : 0) | (m.D < 0.0 ? GLRAST_TURNED : 0);
}

// The planes of a triangle that is drawn.
GLRAST_INLINE void find_planes(const float* pos, Int3 v, int columns, int lines, double* planes) {
    Matrix m;
    for (int i = 0; i < GLRAST_PLANES; ++i) planes[i] = 0.0;
    if (!find_matrix(pos, v, &m)) return;
    const double inverse = 1.0 / m.D, by_columns = 2.0 / columns, by_lines = 2.0 / lines;
    for (int k = 0; k < 3; ++k) {
        planes[k] = by_columns * (m.c[k].x * inverse);
        planes[4 + k] = by_lines * (m.c[k].y * inverse);
        planes[8 + k] = (m.c[k].w - m.c[k].x - m.c[k].y) * inverse;
        for (int i = 3; i < GLRAST_PLANES; i += 4) planes[i] += m.z[k] * planes[i - 3 + k];
    }
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
    const float* spots;     // [V,4] or [N,V,4]: from fragments_spots
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
    Matrix m;
    if (!find_matrix(a.pos + row.n * a.pos_stride, v, &m)) return;
    a.state[out] = (char)state_of(m, a.cull);
    const float* spots = a.spots + row.n * a.pos_stride;
    const Float4 p = load4(spots + 4 * (int64)v.x), q = load4(spots + 4 * (int64)v.y), r = load4(spots + 4 * (int64)v.z);
    if (!(p.w * q.w * r.w > 0.0f)) return;
    depth[0] = minimum(p.z, minimum(q.z, r.z));
    depth[1] = maximum(p.z, maximum(q.z, r.z));
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
        find_planes(a.pos + n * a.pos_stride, v, a.columns, a.lines, planes);
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
