// Edges of the mesh: which are boundaries, where they lie on the screen, and what is on both their sides.
//
// Where det M > 0 a triangle lies on the left of its edges in its own order, where it is < 0 on their right.
#pragma once
#include "visibility/fragments/planes.cuh"

#define GLRAST_EDGE 10               // of an edge: x, y of its ends A and B; z/w at A and B; b of its first vertex there; of its second
#define GLRAST_EDGE_INFO 6           // left and right triangle, flags, image, both vertices (or -1 - triangle, of a line)
#define GLRAST_BEGINS 1              // flags: end A is the first vertex
#define GLRAST_ENDS 2                // end B is the second
#define GLRAST_DRAWN 4
#define GLRAST_OPEN 8                // no crease: a triangle on one side only, or a line
#define GLRAST_EYE 1e-7              // w at which edges end before the camera
#define GLRAST_IS_CREASE 1           // classes
#define GLRAST_IS_OPEN 2

// The edges of all images' meshes.
//   regions [N,4]: an image's first edge, their number, the place of the first among all images', its first row of sides
//   vertices [E,2];  starts [E+1]: where an edge's triangles begin in faces
//   faces: 2 * number in the image, + 1 where the triangle runs along the edge from its first vertex to its second
//   state [M]: from fragments_triangles
#define GLRAST_TOPOLOGY_MEMBERS \
    const int64* regions; const int* vertices; const int64* starts; const int* faces; const char* state;

// On which side of an edge does a triangle lie? 0: left, 1: right.
GLRAST_INLINE int side_of(int state, int face) { return ((state & GLRAST_TURNED) != 0) == ((face & 1) != 0); }

struct FragmentsClassesArgs {
    int width;              // edges of an image, at most
    int H;                  // 1
    int64 rows;             // N
    const int64* images;    // [N,3]
    GLRAST_TOPOLOGY_MEMBERS
    const char* relevant;   // [M]: edges of no such triangle are nothing; null: all are
    char* classes;          // [K]: 0: nothing, 1: crease, 2: open
};

GLRAST_INLINE void classify(const FragmentsClassesArgs& a, int x, Row row) {
    const int64 *image = a.images + 3 * row.n, *region = a.regions + 4 * row.n;
    if (x >= region[1]) return;
    const int64 e = region[0] + x;
    bool taken[2] = {false, false}, relevant = !a.relevant;
    for (int64 i = a.starts[e]; i < a.starts[e + 1]; ++i) {
        const int64 t = image[2] + (a.faces[i] >> 1);
        if (!a.state[t]) continue;
        taken[side_of(a.state[t], a.faces[i])] = true;
        relevant = relevant || a.relevant[t];
    }
    const int is_some = taken[0] && taken[1] ? GLRAST_IS_CREASE : taken[0] || taken[1] ? GLRAST_IS_OPEN : 0;
    a.classes[region[2] + x] = (char)(relevant ? is_some : 0);
}

GLRAST_INLINE void fragments_classes_element(const FragmentsClassesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) classify(a, x, row);
}
GLRAST_KERNEL(fragments_classes, FragmentsClassesArgs)

// ---- on the screen ---------------------------------------------------------------------------------------

struct FragmentsEdgesArgs {
    GLRAST_LIST_MEMBERS     // chosen edges
    GLRAST_MESH_MEMBERS
    GLRAST_TOPOLOGY_MEMBERS
    const int64* chosen;    // [count]: their places among all images'
    const float* depth;     // [M,2]
    int columns;
    int lines;
    double* edges;          // [count,10]
    int* info;              // [count,6]: sides count all images' triangles
    float* nearest;         // [count]: z/w of the nearest vertex of the triangles on it
    int64* most;            // [count]: pieces, at most
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
        if (at_p[i] < 0.0) *lo = upper(at_p[i] / (at_p[i] - at_q[i]), *lo);
        else if (at_q[i] < 0.0) *hi = lower(at_p[i] / (at_p[i] - at_q[i]), *hi);
    }
    return *lo < *hi;
}

// How fast z/w of a triangle grows to the left of the direction (dx, dy).
GLRAST_INLINE double rise_to_the_left(const FragmentsEdgesArgs& a, int64 n, int64 number, double dx, double dy) {
    double planes[GLRAST_PLANES];
    const int* v = a.tri + n * a.tri_stride + 3 * number;
    find_planes(a.pos + n * a.pos_stride, Int3{v[0], v[1], v[2]}, a.columns, a.lines, planes);
    return planes[7] * dx - planes[3] * dy;
}

// What is front-most on either side of an edge that runs along (dx, dy): the triangle whose z/w grows least inwards.
GLRAST_INLINE float find_sides(const FragmentsEdgesArgs& a, int64 n, int64 e, double dx, double dy, int side[2]) {
    const int64* image = a.images + 3 * n;
    float nearest = GLRAST_FAR_OFF;
    side[0] = side[1] = GLRAST_NOTHING;
    for (int64 i = a.starts[e]; i < a.starts[e + 1]; ++i) {
        const int number = a.faces[i] >> 1, t = (int)(image[2] + number);
        if (!a.state[t]) continue;
        nearest = minimum(nearest, a.depth[2 * (int64)t]);
        const int s = side_of(a.state[t], a.faces[i]);
        if (side[s] != GLRAST_NOTHING) {
            const double sign = s == 0 ? 1.0 : -1.0, rise = sign * rise_to_the_left(a, n, image[0] + number, dx, dy);
            if (!(rise < sign * rise_to_the_left(a, n, image[0] + side[s] - image[2], dx, dy))) continue;
        }
        side[s] = t;
    }
    return nearest;
}

// Of a segment: grid lines in the image that it crosses, and a piece more; one for either end, which rounding may put beyond
// a line.
GLRAST_INLINE int64 most_pieces(const double* edge, int columns, int lines) {
    const double across = floor(clamp(edge[2], 0.0, columns)) - floor(clamp(edge[0], 0.0, columns));
    const double up = floor(clamp(edge[3], 0.0, lines)) - floor(clamp(edge[1], 0.0, lines));
    return (int64)(fabs(across) + fabs(up)) + 3;
}

GLRAST_INLINE void find_edge(const FragmentsEdgesArgs& a, int64 i) {
    const int64 place = a.chosen[i], n = image_of(a.regions, 4, a.N, place), e = a.regions[4 * n] + place - a.regions[4 * n + 2];
    int* info = a.info + GLRAST_EDGE_INFO * i;
    double* edge = a.edges + GLRAST_EDGE * i;
    for (int k = 0; k < GLRAST_EDGE; ++k) edge[k] = 0.0;
    a.most[i] = 0;
    a.nearest[i] = GLRAST_FAR_OFF;
    const int v1 = a.vertices[2 * e], v2 = a.vertices[2 * e + 1];
    info[0] = info[1] = GLRAST_NOTHING;  info[2] = 0;  info[3] = (int)n;  info[4] = v1;  info[5] = v2;
    if ((unsigned)v1 >= (unsigned)a.V || (unsigned)v2 >= (unsigned)a.V) return;
    const float* pos = a.pos + n * a.pos_stride;
    const Float4 f1 = load4(pos + 4 * (int64)v1), f2 = load4(pos + 4 * (int64)v2);
    if (!(is_finite4(f1) && is_finite4(f2))) return;
    const Clip4 p = {f1.x, f1.y, f1.z, f1.w}, q = {f2.x, f2.y, f2.z, f2.w};
    double cut[2];
    if (!clip_segment(p, q, 1.0 + 2.0 / a.columns, 1.0 + 2.0 / a.lines, &cut[0], &cut[1])) return;
    for (int k = 0; k < 2; ++k) {
        const double t = cut[k], r = 1.0 - t, inverse = 1.0 / (r * p.w + t * q.w);
        edge[2 * k] = ((r * p.x + t * q.x) * inverse + 1.0) * 0.5 * a.columns;
        edge[2 * k + 1] = ((r * p.y + t * q.y) * inverse + 1.0) * 0.5 * a.lines;
        edge[4 + k] = (r * p.z + t * q.z) * inverse;
        edge[6 + k] = r * inverse;
        edge[8 + k] = t * inverse;
    }
    const double dx = edge[2] - edge[0], dy = edge[3] - edge[1];
    if (!(dx != 0.0 || dy != 0.0)) return;
    a.nearest[i] = find_sides(a, n, e, dx, dy, info);
    if (info[0] == GLRAST_NOTHING && info[1] == GLRAST_NOTHING) return;
    const bool open = info[0] == GLRAST_NOTHING || info[1] == GLRAST_NOTHING;
    info[2] = GLRAST_DRAWN | (cut[0] == 0.0 ? GLRAST_BEGINS : 0) | (cut[1] == 1.0 ? GLRAST_ENDS : 0) | (open ? GLRAST_OPEN : 0);
    a.most[i] = most_pieces(edge, a.columns, a.lines);
}

GLRAST_INLINE void fragments_edges_element(const FragmentsEdgesArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { find_edge(a, i); });
}
GLRAST_KERNEL(fragments_edges, FragmentsEdgesArgs)
