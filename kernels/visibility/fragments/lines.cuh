// Boundaries that are no edges of the mesh: the line along which two triangles pass through each other, and where the near
// or the far plane cuts one, which is the same with a triangle b that covers everything at z/w = -1 or +1.
#pragma once
#include "visibility/fragments/edges.cuh"

#define GLRAST_SAME_SLOPE 1e-24  // of z/w per pixel, squared: the planes are parallel
#define GLRAST_ROUNDING 1e-13    // of z and w
#define GLRAST_SHORTEST 1e-9     // of the line, which is longer than the image: nothing is left

// The part of lo..hi where c + s d >= 0.
GLRAST_INLINE void clip_line(double c, double d, double* lo, double* hi) {
    if (d > 0.0) *lo = upper(-c / d, *lo);
    else if (d < 0.0) *hi = lower(-c / d, *hi);
    else if (c < 0.0) *hi = *lo - 1.0;
}

// Both ends of the line on which a and b have the same depth, within both; directed so that a is in front on the left.
GLRAST_INLINE bool line_between(const double* a, const double* b, bool is_plane, int columns, int lines, double* edge) {
    const double gx = a[3] - b[3], gy = a[7] - b[7], m = gx * gx + gy * gy;
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
    const int64* regions;   // [N,4]
    const int* neighbours;  // [rows of sides,3]: 2 * number in the image (+ 1: wound otherwise) across each edge, or -1
    const char* state;
    GLRAST_TILE_MEMBERS
    const float* bound;     // [N,down,across]: finite where one surface alone is seen in a tile, which has no intersections; null: nobody knows
    char* meets;            // [N,H,W]: 1: perhaps with what the right neighbour shows, 2: the upper one, 3: with both
};

// Do vertices of triangle v lie before and behind the plane of u, z/w = z_x fx + z_y fy + z_1?
GLRAST_INLINE bool is_pierced(const float* pos, const int* u, const int* v) {
    Row3 r[3], plane = {0.0, 0.0, 0.0};
    double z[3], least = 0.0, most = 0.0;
    for (int k = 0; k < 3; ++k) {
        const Float4 p = load4(pos + 4 * (int64)u[k]);
        r[k] = Row3{p.x, p.y, p.w};
        z[k] = p.z;
    }
    const Row3 c[3] = {cross(r[1], r[2]), cross(r[2], r[0]), cross(r[0], r[1])};
    const double inverse = 1.0 / (r[0].x * c[0].x + r[0].y * c[0].y + r[0].w * c[0].w);
    for (int k = 0; k < 3; ++k) {
        plane.x += z[k] * c[k].x;
        plane.y += z[k] * c[k].y;
        plane.w += z[k] * c[k].w;
    }
    for (int k = 0; k < 3; ++k) {
        const Float4 p = load4(pos + 4 * (int64)v[k]);
        const double w = p.w, gap = p.z - (plane.x * p.x + plane.y * p.y + plane.w * w) * inverse;
        if (v[k] == u[0] || v[k] == u[1] || v[k] == u[2] || fabs(gap) <= GLRAST_ROUNDING * (fabs(w) + fabs((double)p.z))) continue;
        least = lower(least, gap);
        most = upper(most, gap);
    }
    return least < 0.0 && most > 0.0;
}

GLRAST_INLINE int shared_vertices(const int* v, const int* w) {
    int shared = 0;
    for (int i = 0; i < 9; ++i) shared += v[i / 3] == w[i % 3];
    return shared;
}

GLRAST_INLINE bool is_neighbour(const FragmentsMeetArgs& a, int64 row_of_p, int64 q) {
    const int* across = a.neighbours + 3 * row_of_p;  // -1 is no one's, shifted too
    return ((across[0] >> 1 == q) | (across[1] >> 1 == q) | (across[2] >> 1 == q)) != 0;
}

// Each has vertices before and behind the other's plane. Whether the line between them lies within both, fragments_lines finds.
GLRAST_INLINE bool may_meet(const FragmentsMeetArgs& a, float id_p, float id_q, int64 n) {
    const int64* image = a.images + 3 * n;
    const int64 p = decode_id(id_p) - 1 - image[0], q = decode_id(id_q) - 1 - image[0];
    if (p < 0 || q < 0 || p >= image[1] || q >= image[1]) return false;
    if (is_neighbour(a, a.regions[4 * n + 3] + p, q)) return false;  // across an edge: they meet there only
    if (!a.state[image[2] + p] || !a.state[image[2] + q]) return false;
    const int *tri = a.tri + n * a.tri_stride + 3 * image[0], *v = tri + 3 * p, *w = tri + 3 * q;
    if (shared_vertices(v, w) >= 2) return false;
    const float* pos = a.pos + n * a.pos_stride;
    return is_pierced(pos, v, w) && is_pierced(pos, w, v);
}

GLRAST_INLINE bool is_settled(const FragmentsMeetArgs& a, int64 n, int x, int y) {
    return a.bound && a.bound[(n * a.down + (y >> a.shift)) * a.across + (x >> a.shift)] < GLRAST_FAR_OFF;
}

// The last pair that was looked at: along a row it comes again.
struct Asked { float p, q; bool meet; };

GLRAST_INLINE bool ask(const FragmentsMeetArgs& a, float id_p, float id_q, int64 n, Asked* last) {
    if (id_p != last->p || id_q != last->q) *last = Asked{id_p, id_q, may_meet(a, id_p, id_q, n)};
    return last->meet;
}

GLRAST_INLINE bool is_asked(const FragmentsMeetArgs& a, int64 n, int x, int y, int beside, int above) {
    return !(is_settled(a, n, x, y) && is_settled(a, n, x + beside, y + above));
}

// A span of a row at once, for most pixels show what their neighbours do: bits of those that differ from the right one, and
// from the upper one.
GLRAST_INLINE void find_meeting(const FragmentsMeetArgs& a, int x, int count, Row row, Asked* last) {
    const int64 pixel = row.index * a.width + x, up = row.y + 1 < a.H ? 4 * (int64)a.width : 0;
    const float* id = a.rast + 4 * pixel + 3;
    const int beside = lesser(count, a.width - 1 - x);
    unsigned right = 0, above = 0;
    for (int i = 0; i < beside; ++i) right |= (unsigned)(id[4 * i] != id[4 * i + 4]) << i;
    for (int i = 0; i < count; ++i) above |= (unsigned)(id[4 * i] != id[4 * i + up]) << i;
    for (int i = 0; i < count; ++i) a.meets[pixel + i] = 0;
    GLRAST_ROLLED for (int side = 0; side < 2; ++side) {
        for (unsigned some = side ? above : right; some; some &= some - 1) {
            const int i = lowest_bit(some);
            if (!is_asked(a, row.n, x + i, row.y, 1 - side, side)) continue;
            if (!ask(a, id[4 * i], id[4 * i + (side ? up : 4)], row.n, last)) continue;
            a.meets[pixel + i] |= (char)(1 + side);
        }
    }
}

GLRAST_INLINE void fragments_meet_element(const FragmentsMeetArgs& a, int x, int count, Row row) {
    Asked last = {0.0f, 0.0f, false};
    for (int end = x + count; x < end; x += GLRAST_SPAN) find_meeting(a, x, lesser(GLRAST_SPAN, end - x), row, &last);
}
GLRAST_KERNEL(fragments_meet, FragmentsMeetArgs)

// ---- lines -----------------------------------------------------------------------------------------------

struct FragmentsLinesArgs {
    GLRAST_LIST_MEMBERS     // pairs
    GLRAST_MESH_MEMBERS
    const int64* pairs;     // [count,3]: image, triangles a and b (of all images'); b = M: the near plane, M + 1: the far one
    int64 M;
    int columns;
    int lines;
    double* edges;          // [count,10]
    int* info;              // [count,6]: triangles count all images'
    float* nearest;         // [count]: nothing is known of it
    int64* most;            // [count]: pieces, at most
};

GLRAST_INLINE void planes_of(const FragmentsLinesArgs& a, int64 n, int64 t, double* planes) {
    const int64* image = a.images + 3 * n;
    const int* v = a.tri + n * a.tri_stride + 3 * (t - image[2] + image[0]);
    find_planes(a.pos + n * a.pos_stride, Int3{v[0], v[1], v[2]}, a.columns, a.lines, planes);
}

GLRAST_INLINE void find_line(const FragmentsLinesArgs& a, int64 i) {
    const int64 *pair = a.pairs + 3 * i, t = pair[1], other = pair[2];
    double* edge = a.edges + GLRAST_EDGE * i;
    int* info = a.info + GLRAST_EDGE_INFO * i;
    const bool is_plane = other >= a.M;
    double p[GLRAST_PLANES], q[GLRAST_PLANES] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, other == a.M ? -1.0 : 1.0};
    planes_of(a, pair[0], t, p);
    if (!is_plane) planes_of(a, pair[0], other, q);
    for (int k = 0; k < GLRAST_EDGE; ++k) edge[k] = 0.0;
    const bool found = line_between(p, q, is_plane, a.columns, a.lines, edge);
    info[0] = (int)t;
    info[1] = is_plane ? GLRAST_NOTHING : (int)other;
    if (other == a.M) { info[0] = GLRAST_NOTHING; info[1] = (int)t; }  // left of the near cut lies what is cut off
    info[2] = found ? GLRAST_DRAWN | GLRAST_OPEN : 0;
    info[3] = (int)pair[0];
    info[4] = (int)(-1 - t);
    info[5] = (int)(-1 - other);
    a.nearest[i] = GLRAST_FAR_OFF;
    a.most[i] = found ? most_pieces(edge, a.columns, a.lines) : 0;
}

GLRAST_INLINE void fragments_lines_element(const FragmentsLinesArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { find_line(a, i); });
}
GLRAST_KERNEL(fragments_lines, FragmentsLinesArgs)
