// Which of the chosen triangles touch a crossed pixel. They are counted first, then written where a prefix sum says.
#pragma once
#include "visibility/fragments/planes.cuh"

#define GLRAST_TOUCHES -1e-12        // of b at a pixel's best corner
#define GLRAST_NARROW 16             // pixels: looking at each costs less than searching the crossed ones

struct FragmentsTouchArgs {
    GLRAST_LIST_MEMBERS     // chosen triangles
    const float* pos;
    int64 pos_stride;
    const int* corners;     // [count,3]
    const int* origin;      // [count,2]
    const double* planes;   // [count,12]
    const int* crossed;     // [N,H,W]: the number of a crossed pixel, or -1
    const int64* pixels;    // [F]: the crossed pixels, ascending, counted over all images
    const int64* lines_at;  // [N*H+1]: where those of each line of each image begin
    int columns;
    int lines;
    const int64* places;    // [count]: where a triangle's entries go; null: they are only counted
    int* counts;            // [count]
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
        box = Box{lower(box.x0, x), lower(box.y0, y), upper(box.x1, x), upper(box.y1, y)};
    }
    const double slack = 1e-9;
    return Box{upper(box.x0 - slack, 0.0), upper(box.y0 - slack, 0.0), lower(box.x1 + slack, a.columns), lower(box.y1 + slack, a.lines)};
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

// Is some corner of the square of `size` from (i, j) on on the inner side of each edge?
GLRAST_INLINE bool touches(const double* planes, double i, double j, double size) {
    for (int k = 0; k < 3; ++k) {
        const double A = planes[k], B = planes[4 + k];
        if (A * (i + (A > 0.0 ? size : 0.0)) + B * (j + (B > 0.0 ? size : 0.0)) + planes[8 + k] < GLRAST_TOUCHES) return false;
    }
    return true;
}

GLRAST_INLINE void find_touched(const FragmentsTouchArgs& a, int64 t) {
    if (a.places && a.counts[t] == 0) return;
    const double* planes = a.planes + GLRAST_PLANES * t;
    const int64 n = a.origin[2 * t];
    const Box box = box_of(a, a.pos + n * a.pos_stride, a.corners + 3 * t);
    const int64 from = (int64)floor(box.x0), to = (int64)lower(floor(box.x1), a.columns - 1.0), last = (int64)floor(box.y1);
    int found = 0;
    const auto add = [&](int64 f, int64 i, int64 j) {
        if (!touches(planes, (double)i, (double)j, 1.0)) return;
        if (a.places) {
            a.entry_pixel[a.places[t] + found] = (int)f;
            a.entry_triangle[a.places[t] + found] = (int)t;
        }
        ++found;
    };
    for (int64 j = (int64)floor(box.y0); j <= last && j < a.lines; ++j) {
        const int64 line = n * a.lines + j, begin = line * a.columns, end = a.lines_at[line + 1];
        if (a.lines_at[line] == end) continue;
        if (to - from < GLRAST_NARROW) {
            for (int64 i = from; i <= to; ++i) {
                if (a.crossed[begin + i] >= 0) add(a.crossed[begin + i], i, j);
            }
            continue;
        }
        for (int64 f = first_from(a.pixels, a.lines_at[line], end, begin + from); f < end && a.pixels[f] <= begin + to; ++f) {
            add(f, a.pixels[f] - begin, j);
        }
    }
    if (!a.places) a.counts[t] = found;
}

GLRAST_INLINE void fragments_touch_element(const FragmentsTouchArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 t) { find_touched(a, t); });
}
GLRAST_KERNEL(fragments_touch, FragmentsTouchArgs)
