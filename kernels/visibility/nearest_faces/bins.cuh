// Which tiles of the image each face may touch. Lists have the length that they need: tiles are counted, and their places
// follow by prefix sums.
#pragma once
#include "visibility/nearest_faces/face.cuh"

#define GLRAST_TILE 16  // pixels along the sides of a tile

GLRAST_INLINE int tiles_along(int pixels) { return (pixels + GLRAST_TILE - 1) / GLRAST_TILE; }

// The pixels first .. last whose centres lie between lo and hi; false: none of the `size` of them.
GLRAST_INLINE bool pixels_between(double lo, double hi, int size, int* first, int* last) {
    const double from = maximum(0.0, ceil(lo - 0.5)), to = minimum(size - 1.0, floor(hi - 0.5));
    if (!(from <= to)) return false;
    *first = (int)from;
    *last = (int)to;
    return true;
}

// A tile's entry: a face, and the first and the last row of the tile that it may touch. Rows that it does not touch pass over
// it without reading it.
GLRAST_INLINE int64 entry_of(int64 face, int low, int high) { return (face * GLRAST_TILE + low) * GLRAST_TILE + high; }
GLRAST_INLINE int64 face_of(int64 entry) { return entry / (GLRAST_TILE * GLRAST_TILE); }
GLRAST_INLINE bool has_row(int64 entry, int y) {
    const int low = (int)(entry / GLRAST_TILE % GLRAST_TILE), high = (int)(entry % GLRAST_TILE);
    return y >= low && y <= high;
}

// each(row of tiles, first tile, last tile, first row of them, last row) for the tiles that hold a pixel within the face's box
// and inside its edges, these moved outwards by the reach.
template <class Each>
GLRAST_INLINE void for_tiles(const double* f, int columns, int lines, double reach, Each each) {
    int low, high, first, last;
    if (!(f[kBox] <= f[kBox + 1]) || !pixels_between(f[kBox + 2], f[kBox + 3], lines, &low, &high)) return;
    for (int line = low / GLRAST_TILE; line <= high / GLRAST_TILE; ++line) {
        const int base = line * GLRAST_TILE, from = base > low ? base : low, to = lesser(base + GLRAST_TILE - 1, high);
        const double y0 = from + 0.5, y1 = to + 0.5;
        double left = f[kBox], right = f[kBox + 1];
        for (int k = 0; k < 3; ++k) {
            const double A = f[3 * k], B = f[3 * k + 1], m = f[3 * k + 2] + reach + maximum(B * y0, B * y1);
            if (A > 0.0) left = maximum(left, -m / A - GLRAST_SLACK);
            else if (A < 0.0) right = minimum(right, -m / A + GLRAST_SLACK);
            else if (m < 0.0) right = left - 1.0;
        }
        if (!pixels_between(left, right, columns, &first, &last)) continue;
        each(line, first / GLRAST_TILE, last / GLRAST_TILE, from - base, to - base);
    }
}

GLRAST_INLINE void nearest_faces_set_up_element(const NearestFacesSetUpArgs& a, int x, int count, Row row) {
    const int64* image = a.images + 3 * row.n;
    for (int end = x + count; x < end && x < image[1]; ++x) {
        const int64 out = image[2] + x;
        double* f = a.faces + GLRAST_FACE * out;
        set_up_face(a, a.pos + row.n * a.pos_stride, (int)(image[0] + x), f);
        if (!a.counts) continue;
        int tiles = 0;
        for_tiles(f, a.columns, a.lines, a.reach, [&](int, int first, int last, int, int) { tiles += last - first + 1; });
        a.counts[out] = tiles;
    }
}
GLRAST_KERNEL(nearest_faces_set_up, NearestFacesSetUpArgs)

struct NearestFacesBinArgs {
    int width;              // faces of an image, at most
    int H;                  // 1
    int64 rows;             // N
    const int64* images;    // [N,3]
    int columns;
    int lines;
    double reach;
    const double* faces;    // [M,GLRAST_FACE]
    const int64* places;    // [M]: where a face's entries begin
    int* tiles;             // [entries]: of all images' tiles
    int64* listed;          // [entries]: entry_of the face among all images'
    static constexpr int work = 8;
};

GLRAST_INLINE void nearest_faces_bin_element(const NearestFacesBinArgs& a, int x, int count, Row row) {
    const int64* image = a.images + 3 * row.n;
    const int across = tiles_along(a.columns), before = (int)row.n * tiles_along(a.lines);
    for (int end = x + count; x < end && x < image[1]; ++x) {
        const int64 face = image[2] + x;
        int64 at = a.places[face];
        for_tiles(a.faces + GLRAST_FACE * face, a.columns, a.lines, a.reach, [&](int line, int first, int last, int low, int high) {
            for (int tile = first; tile <= last; ++tile, ++at) {
                a.tiles[at] = (before + line) * across + tile;
                a.listed[at] = entry_of(face, low, high);
            }
        });
    }
}
GLRAST_KERNEL(nearest_faces_bin, NearestFacesBinArgs)
