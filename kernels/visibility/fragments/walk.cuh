// Edges cut at the borders of pixels. How many pieces an edge has at most is known from its ends, so that each is written
// where a prefix sum says: no list has a capacity.
#pragma once
#include "visibility/fragments/lines.cuh"

struct FragmentsWalkArgs {
    GLRAST_LIST_MEMBERS     // edges
    const double* edges;    // [count,10]
    const int* info;        // [count,6]
    const int64* places;    // [count + 1]: where an edge's pieces go
    const int* crossed;     // [N,H,W]: the number of a pixel among those that are asked for, or -1; null: all are
    const float* nearest;   // [count]: z/w of the nearest vertex of the triangles on it
    GLRAST_TILE_MEMBERS
    const float* bound;     // [N,down,across]: beyond which depth a tile's surface hides everything; null: nobody knows
    int columns;
    int lines;
    int* piece_edge;        // [P]
    int64* piece_pixel;     // [P], counted over all images: p >= 0: is seen; -2 - p: nobody knows; -1: nothing, to be left out
    double* piece_ends;     // [P,2]: s, 0 at A and 1 at B
};

#define GLRAST_FEW_PIXELS 16  // of the box around an edge: looking at them costs less than walking

// Is every pixel around a short edge one that is not asked for? Most edges of a fine mesh are.
GLRAST_INLINE bool passes_none(const FragmentsWalkArgs& a, const double* edge, int64 first) {
    const double x0 = upper(floor(lower(edge[0], edge[2])), 0.0), x1 = lower(floor(upper(edge[0], edge[2])), a.columns - 1.0);
    const double y0 = upper(floor(lower(edge[1], edge[3])), 0.0), y1 = lower(floor(upper(edge[1], edge[3])), a.lines - 1.0);
    if (!((x1 - x0 + 1.0) * (y1 - y0 + 1.0) <= GLRAST_FEW_PIXELS)) return false;
    int most = -1;
    for (int j = (int)y0; j <= (int)y1; ++j)
        for (int i = (int)x0; i <= (int)x1; ++i) {
            const int f = a.crossed[first + (int64)j * a.columns + i];
            most = f > most ? f : most;
        }
    return most < 0;
}

// What is written as the pixel of a piece. In a tile of which the bound is known an edge is hidden, or it is seen.
GLRAST_INLINE int64 marked(const FragmentsWalkArgs& a, int64 n, int64 first, int i, int j, float nearest) {
    const int64 pixel = first + (int64)j * a.columns + i;
    if (a.crossed && a.crossed[pixel] < 0) return -1;
    if (!a.bound) return -2 - pixel;
    const float bound = a.bound[(n * a.down + (j >> a.shift)) * a.across + (i >> a.shift)];
    return bound >= GLRAST_FAR_OFF ? -2 - pixel : nearest > bound ? -1 : pixel;
}

// Calls each(pixel, from, to) for the pieces of a segment, at most `room` times.
template <class Each>
GLRAST_INLINE void walk(const double* edge, int columns, int lines, int64 room, Each each) {
    const double x = edge[0], y = edge[1], dx = edge[2] - x, dy = edge[3] - y;
    double lo = 0.0, hi = 1.0;
    clip_line(x, dx, &lo, &hi);
    clip_line(columns - x, -dx, &lo, &hi);
    clip_line(y, dy, &lo, &hi);
    clip_line(lines - y, -dy, &lo, &hi);
    if (!(lo < hi)) return;
    const double right = dx > 0.0 ? 1.0 : -1.0, up = dy > 0.0 ? 1.0 : -1.0;
    const double by_x = dx != 0.0 ? 1.0 / dx : 0.0, by_y = dy != 0.0 ? 1.0 / dy : 0.0;
    double s = lo, next_x = dx > 0.0 ? floor(x + s * dx) + 1.0 : ceil(x + s * dx) - 1.0;
    double next_y = dy > 0.0 ? floor(y + s * dy) + 1.0 : ceil(y + s * dy) - 1.0;
    for (int64 step = 0; s < hi && step < room; ++step) {
        const double to_x = dx != 0.0 ? (next_x - x) * by_x : 2.0, to_y = dy != 0.0 ? (next_y - y) * by_y : 2.0;
        const double end = lower(lower(to_x, to_y), hi);
        if (to_x <= end) next_x += right;
        if (to_y <= end) next_y += up;
        if (!(end > s)) { --step; if (to_x <= end || to_y <= end) continue; return; }
        const double middle = 0.5 * (s + end), i = floor(x + middle * dx), j = floor(y + middle * dy);
        if (i >= 0.0 && i < columns && j >= 0.0 && j < lines) each((int)i, (int)j, s, end);
        s = end;
    }
}

GLRAST_INLINE void walk_edge(const FragmentsWalkArgs& a, int64 e) {
    const int* info = a.info + GLRAST_EDGE_INFO * e;
    const int64 n = info[3], first = n * a.lines * a.columns, end = a.places[e + 1];
    const double* edge = a.edges + GLRAST_EDGE * e;
    int64 out = a.places[e];
    if (info[2] & GLRAST_DRAWN && !(a.crossed && passes_none(a, edge, first))) {
        walk(edge, a.columns, a.lines, end - out, [&](int i, int j, double from, double to) {
            const int64 pixel = marked(a, n, first, i, j, a.nearest[e]);
            if (pixel == -1) return;
            a.piece_edge[out] = (int)e;
            a.piece_pixel[out] = pixel;
            a.piece_ends[2 * out] = from;
            a.piece_ends[2 * out + 1] = to;
            ++out;
        });
    }
    for (; out < end; ++out) a.piece_pixel[out] = -1;
}

GLRAST_INLINE void fragments_walk_element(const FragmentsWalkArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 e) { walk_edge(a, e); });
}
GLRAST_KERNEL(fragments_walk, FragmentsWalkArgs)
