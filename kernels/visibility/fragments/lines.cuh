// Boundaries that are no edges of the mesh: the line along which two triangles pass through each other, and where the near
// or the far plane cuts one, which is the same with a triangle b that covers everything at z/w = -1 or +1.
#pragma once
#include "visibility/fragments/setup.cuh"

#define GLRAST_SAME_SLOPE 1e-24  // of z/w per pixel, squared: the planes are parallel
#define GLRAST_ROUNDING 1e-13    // of z and w
#define GLRAST_SHORTEST 1e-9     // of the line, which is longer than the image: nothing is left

// The part of lo..hi where c + s d >= 0.
GLRAST_INLINE void clip_line(double c, double d, double* lo, double* hi) {
    if (d > 0.0) *lo = fmax(*lo, -c / d);
    else if (d < 0.0) *hi = fmin(*hi, -c / d);
    else if (c < 0.0) *hi = *lo - 1.0;
}

// Both ends of the line on which a and b have the same depth, within both; directed so that a is in front on the left.
GLRAST_INLINE bool line_between(const double* a, const double* b, bool is_plane, int columns, int lines, double* edge) {
    const double gx = a[9] - b[9], gy = a[10] - b[10], m = gx * gx + gy * gy;
    if (!(m > GLRAST_SAME_SLOPE) || !(m < 1e300)) return false;
    const double mx = 0.5 * columns, my = 0.5 * lines, d = (gx * mx + gy * my + a[11] - b[11]) / m;
    const double reach = 4.0 * ((double)columns + lines) / sqrt(m), x = mx - d * gx + gy * reach, y = my - d * gy - gx * reach;
    const double dx = -2.0 * gy * reach, dy = 2.0 * gx * reach;
    double lo = 0.0, hi = 1.0;
    for (int k = 0; k < 3; ++k) {
        const double c = value_at(a, k, x, y);
        clip_line(c, value_at(a, k, x + dx, y + dy) - c, &lo, &hi);
        const double e = is_plane ? 0.0 : value_at(b, k, x, y);
        if (!is_plane) clip_line(e, value_at(b, k, x + dx, y + dy) - e, &lo, &hi);
    }
    const double z0 = value_at(a, 3, x, y), z1 = value_at(a, 3, x + dx, y + dy);
    if (!is_plane) { clip_line(z0 + 1.0, z1 - z0, &lo, &hi); clip_line(1.0 - z0, z0 - z1, &lo, &hi); }
    clip_line(x + 1.0, dx, &lo, &hi);
    clip_line(columns + 1.0 - x, -dx, &lo, &hi);
    clip_line(y + 1.0, dy, &lo, &hi);
    clip_line(lines + 1.0 - y, -dy, &lo, &hi);
    if (!(hi > lo + GLRAST_SHORTEST)) return false;
    edge[0] = x + lo * dx;  edge[1] = y + lo * dy;
    edge[2] = x + hi * dx;  edge[3] = y + hi * dy;
    edge[4] = value_at(a, 3, edge[0], edge[1]);
    edge[5] = value_at(a, 3, edge[2], edge[3]);
    for (int i = 6; i < GLRAST_EDGE; ++i) edge[i] = 0.0;
    return true;
}

// ---- proposals -------------------------------------------------------------------------------------------

struct FragmentsMeetArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    const float* rast;      // [N,H,W,4]
    GLRAST_MESH_MEMBERS
    const double* planes;
    const char* drawn;
    char* meets;            // [N,H,W]: 1: with what the right neighbour shows, 2: the upper one, 3: with both
};

// Do vertices of one triangle lie before and behind the other's plane z/w = z_x fx + z_y fy + z_1?
GLRAST_INLINE bool is_pierced(const FragmentsMeetArgs& a, const double* planes, const int* v, int64 n) {
    const double z_x = 0.5 * a.width * planes[9], z_y = 0.5 * a.H * planes[10], z_1 = planes[11] + z_x + z_y;
    double least = 0.0, most = 0.0;
    for (int k = 0; k < 3; ++k) {
        const Float4 p = load4(a.pos + n * a.pos_stride + 4 * (int64)v[k]);
        const double w = p.w, gap = p.z - (z_x * p.x + z_y * p.y + z_1 * w);
        if (fabs(gap) <= GLRAST_ROUNDING * (fabs(w) + fabs((double)p.z))) continue;  // a shared vertex
        least = fmin(least, gap);
        most = fmax(most, gap);
    }
    return least < 0.0 && most > 0.0;
}

GLRAST_INLINE int shared_vertices(const int* v, const int* w) {
    int shared = 0;
    for (int i = 0; i < 9; ++i) shared += v[i / 3] == w[i % 3];
    return shared;
}

GLRAST_INLINE bool do_meet(const FragmentsMeetArgs& a, float id_p, float id_q, int64 n) {
    const int64* image = a.images + 3 * n;
    const int64 p = decode_id(id_p) - 1 - image[0], q = decode_id(id_q) - 1 - image[0];
    if (p < 0 || q < 0 || p >= image[1] || q >= image[1]) return false;
    if (!a.drawn[image[2] + p] || !a.drawn[image[2] + q]) return false;
    const int* tri = a.tri + n * a.tri_stride + 3 * image[0];
    if (shared_vertices(tri + 3 * p, tri + 3 * q) >= 2) return false;  // neighbours across an edge meet there only
    double edge[GLRAST_EDGE];
    const double *planes = a.planes + GLRAST_PLANES * image[2], *of_p = planes + GLRAST_PLANES * p, *of_q = planes + GLRAST_PLANES * q;
    if (!is_pierced(a, of_p, tri + 3 * q, n) || !is_pierced(a, of_q, tri + 3 * p, n)) return false;
    return line_between(of_p, of_q, false, a.width, a.H, edge);
}

GLRAST_INLINE void find_meeting(const FragmentsMeetArgs& a, int x, Row row) {
    const int64 pixel = row.index * a.width + x;
    const float* id = a.rast + 4 * pixel + 3;
    int found = 0;
    if (x + 1 < a.width && id[0] != id[4] && do_meet(a, id[0], id[4], row.n)) found |= 1;
    if (row.y + 1 < a.H && id[0] != id[4 * (int64)a.width] && do_meet(a, id[0], id[4 * (int64)a.width], row.n)) found |= 2;
    a.meets[pixel] = (char)found;
}

GLRAST_INLINE void fragments_meet_element(const FragmentsMeetArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_meeting(a, x, row);
}
GLRAST_KERNEL(fragments_meet, FragmentsMeetArgs)

// ---- lines -----------------------------------------------------------------------------------------------

struct FragmentsLinesArgs {
    GLRAST_LIST_MEMBERS     // pairs
    const int64* pairs;     // [count,3]: image, triangles a and b (of all images'); b = M: the near plane, M + 1: the far one
    const double* planes;
    int64 M;
    int columns;
    int lines;
    double* edges;          // [count,10]
    int* info;              // [count,6]
};

GLRAST_INLINE void find_line(const FragmentsLinesArgs& a, int64 i) {
    const int64 *pair = a.pairs + 3 * i, t = pair[1], other = pair[2];
    double* edge = a.edges + GLRAST_EDGE * i;
    int* info = a.info + GLRAST_EDGE_INFO * i;
    const bool is_plane = other >= a.M;
    const double everywhere[GLRAST_PLANES] = {0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, other == a.M ? -1.0 : 1.0};
    const double* b = is_plane ? everywhere : a.planes + GLRAST_PLANES * other;
    const bool found = line_between(a.planes + GLRAST_PLANES * t, b, is_plane, a.columns, a.lines, edge);
    info[0] = (int)t;
    info[1] = is_plane ? GLRAST_NOTHING : (int)other;
    if (other == a.M) { info[0] = GLRAST_NOTHING; info[1] = (int)t; }  // left of the near cut lies what is cut off
    info[2] = found ? GLRAST_DRAWN | GLRAST_OPEN : 0;
    info[3] = (int)pair[0];
    info[4] = (int)(-1 - t);
    info[5] = (int)(-1 - other);
}

GLRAST_INLINE void fragments_lines_element(const FragmentsLinesArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { find_line(a, i); });
}
GLRAST_KERNEL(fragments_lines, FragmentsLinesArgs)
