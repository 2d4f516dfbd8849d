// Edges cut at the borders of pixels, and the triangles that touch a pixel. Each is counted first, then written where a
// prefix sum says: no list has a capacity.
#pragma once
#include "visibility/fragments/lines.cuh"

struct FragmentsWalkArgs {
    GLRAST_LIST_MEMBERS     // edges
    const double* edges;    // [count,10]
    const int* info;        // [count,6]
    const int* crossed;     // [N,H,W]: the number of a pixel among those that are asked for, or -1; null: all are
    int only_open;          // 1: no creases
    int columns;
    int lines;
    const int64* places;    // [count]: where an edge's pieces go; null: they are only counted
    int* counts;            // [count]
    int* piece_edge;        // [P]
    int64* piece_pixel;     // [P], counted over all images
    double* piece_ends;     // [P,2]: s, 0 at A and 1 at B
};

#define GLRAST_FEW_PIXELS 16  // of the box around an edge: looking at them costs less than walking

// Is every pixel around a short edge one that is not asked for? Most edges of a fine mesh are.
GLRAST_INLINE bool passes_none(const FragmentsWalkArgs& a, const double* edge, int64 first) {
    const double x0 = fmax(floor(fmin(edge[0], edge[2])), 0.0), x1 = fmin(floor(fmax(edge[0], edge[2])), a.columns - 1.0);
    const double y0 = fmax(floor(fmin(edge[1], edge[3])), 0.0), y1 = fmin(floor(fmax(edge[1], edge[3])), a.lines - 1.0);
    if (!((x1 - x0 + 1.0) * (y1 - y0 + 1.0) <= GLRAST_FEW_PIXELS)) return false;
    int most = -1;
    for (int j = (int)y0; j <= (int)y1; ++j)
        for (int i = (int)x0; i <= (int)x1; ++i) {
            const int f = a.crossed[first + (int64)j * a.columns + i];
            most = f > most ? f : most;
        }
    return most < 0;
}

GLRAST_INLINE void walk_edge(const FragmentsWalkArgs& a, int64 e) {
    if (a.places && a.counts[e] == 0) return;
    const int* info = a.info + GLRAST_EDGE_INFO * e;
    const int64 first = (int64)info[3] * a.lines * a.columns;
    int n = 0;
    bool wanted = info[2] & GLRAST_DRAWN && (!a.only_open || info[2] & GLRAST_OPEN);
    if (wanted && a.crossed) wanted = !passes_none(a, a.edges + GLRAST_EDGE * e, first);
    if (wanted) {
        const double* edge = a.edges + GLRAST_EDGE * e;
        const double x = edge[0], y = edge[1], dx = edge[2] - x, dy = edge[3] - y;
        double lo = 0.0, hi = 1.0;
        clip_line(x, dx, &lo, &hi);
        clip_line(a.columns - x, -dx, &lo, &hi);
        clip_line(y, dy, &lo, &hi);
        clip_line(a.lines - y, -dy, &lo, &hi);
        const double right = dx > 0.0 ? 1.0 : -1.0, up = dy > 0.0 ? 1.0 : -1.0;
        double s = lo, next_x = dx > 0.0 ? floor(x + s * dx) + 1.0 : ceil(x + s * dx) - 1.0;
        double next_y = dy > 0.0 ? floor(y + s * dy) + 1.0 : ceil(y + s * dy) - 1.0;
        const int64 most = 2 * ((int64)a.columns + a.lines) + 8;
        for (int64 step = 0; s < hi && step < most; ++step) {
            const double to_x = dx != 0.0 ? (next_x - x) / dx : 2.0, to_y = dy != 0.0 ? (next_y - y) / dy : 2.0;
            const double end = fmin(fmin(to_x, to_y), hi);
            if (end > s) {
                const double middle = 0.5 * (s + end), i = floor(x + middle * dx), j = floor(y + middle * dy);
                if (i >= 0.0 && i < a.columns && j >= 0.0 && j < a.lines) {
                    const int64 pixel = first + (int64)j * a.columns + (int64)i;
                    if (!a.crossed || a.crossed[pixel] >= 0) {
                        if (a.places) {
                            const int64 out = a.places[e] + n;
                            a.piece_edge[out] = (int)e;
                            a.piece_pixel[out] = pixel;
                            a.piece_ends[2 * out] = s;
                            a.piece_ends[2 * out + 1] = end;
                        }
                        ++n;
                    }
                }
                s = end;
            }
            if (to_x <= end) next_x += right;
            if (to_y <= end) next_y += up;
        }
    }
    if (!a.places) a.counts[e] = n;
}

GLRAST_INLINE void fragments_walk_element(const FragmentsWalkArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 e) { walk_edge(a, e); });
}
GLRAST_KERNEL(fragments_walk, FragmentsWalkArgs)

// ---- lists -----------------------------------------------------------------------------------------------

#define GLRAST_BEHIND 1e-6           // w up to which a triangle's box is the whole image
#define GLRAST_TOUCHES -1e-12        // of b at a pixel's best corner

struct FragmentsTouchArgs {
    int width;              // triangles of an image, at most
    int H;                  // 1
    int64 rows;             // N
    GLRAST_MESH_MEMBERS
    const double* planes;
    const char* drawn;
    const int64* pixels;    // [F]: the crossed pixels, ascending, counted over all images
    const int64* lines_at;  // [N*H+1]: where those of each line of each image begin
    int columns;
    int lines;
    const int64* places;    // [N,width]: where a triangle's entries go; null: they are only counted
    int* counts;            // [N,width]
    int* entry_pixel;       // [L]: number of the crossed pixel
    int* entry_triangle;    // [L]
};

struct Box { double x0, y0, x1, y1; };

GLRAST_INLINE Box box_of(const FragmentsTouchArgs& a, const float* pos, const int* v) {
    Box box = {(double)a.columns, (double)a.lines, 0.0, 0.0};
    for (int k = 0; k < 3; ++k) {
        const Float4 p = load4(pos + 4 * (int64)v[k]);
        if (!(p.w > GLRAST_BEHIND)) return Box{0.0, 0.0, (double)a.columns, (double)a.lines};
        const double x = ((double)p.x / p.w + 1.0) * 0.5 * a.columns, y = ((double)p.y / p.w + 1.0) * 0.5 * a.lines;
        box = Box{fmin(box.x0, x), fmin(box.y0, y), fmax(box.x1, x), fmax(box.y1, y)};
    }
    const double slack = 1e-9;
    return Box{fmax(box.x0 - slack, 0.0), fmax(box.y0 - slack, 0.0), fmin(box.x1 + slack, a.columns), fmin(box.y1 + slack, a.lines)};
}

// The first of pixels[lo..hi) that is not below `pixel`.
GLRAST_INLINE int64 first_from(const int64* pixels, int64 lo, int64 hi, int64 pixel) {
    while (lo < hi) {
        const int64 middle = lo + (hi - lo) / 2;
        if (pixels[middle] < pixel) lo = middle + 1;
        else hi = middle;
    }
    return lo;
}

// Is some corner of pixel (i, j) on the inner side of each edge?
GLRAST_INLINE bool touches(const double* planes, double i, double j) {
    for (int k = 0; k < 3; ++k) {
        const double* b = planes + 3 * k;
        if (b[0] * (i + (b[0] > 0.0 ? 1.0 : 0.0)) + b[1] * (j + (b[1] > 0.0 ? 1.0 : 0.0)) + b[2] < GLRAST_TOUCHES) return false;
    }
    return true;
}

GLRAST_INLINE void find_touched(const FragmentsTouchArgs& a, int x, Row row) {
    const int64 *image = a.images + 3 * row.n, cell = row.index * a.width + x, t = image[2] + x;
    if (a.places && a.counts[cell] == 0) return;
    int n = 0;
    if (x < image[1] && a.drawn[t]) {
        const double* planes = a.planes + GLRAST_PLANES * t;
        const int* v = a.tri + row.n * a.tri_stride + 3 * (image[0] + x);
        const Box box = box_of(a, a.pos + row.n * a.pos_stride, v);
        const int64 from = (int64)floor(box.x0), to = (int64)floor(box.x1), last = (int64)floor(box.y1);
        for (int64 j = (int64)floor(box.y0); j <= last && j < a.lines; ++j) {
            const int64 line = row.n * a.lines + j, begin = line * a.columns, end = a.lines_at[line + 1];
            if (a.lines_at[line] == end) continue;
            for (int64 f = first_from(a.pixels, a.lines_at[line], end, begin + from); f < end; ++f) {
                const int64 i = a.pixels[f] - begin;
                if (i > to) break;
                if (!touches(planes, (double)i, (double)j)) continue;
                if (a.places) {
                    a.entry_pixel[a.places[cell] + n] = (int)f;
                    a.entry_triangle[a.places[cell] + n] = (int)t;
                }
                ++n;
            }
        }
    }
    if (!a.places) a.counts[cell] = n;
}

GLRAST_INLINE void fragments_touch_element(const FragmentsTouchArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_touched(a, x, row);
}
GLRAST_KERNEL(fragments_touch, FragmentsTouchArgs)
