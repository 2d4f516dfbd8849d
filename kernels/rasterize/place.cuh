// rasterize_place: triangles put on OpenGL's grid of 1/256 pixel before OpenGL sees them    one thread = one block of triangles
//
// Where OpenGL places the vertices, what it makes of a triangle depends, in the last bits, on where the window begins:
// it rounds positions there, new vertices where it clips, and depth, which it extrapolates from the window's corner. Here
// all of that is done once, in float64 and image coordinates: triangles are clipped to the view volume, cut into pieces
// (one, if nothing was cut off), and placed. A tile then takes a whole number of pixels off, which float32 does exactly,
// so any two tiles, and the image drawn at once, agree to the last bit. An image larger than a viewport is divided into
// cells; pieces are cut at their borders too, so that those of a tile lie in its viewport, and OpenGL clips none of them.
//
// Triangles that share an edge cut it at the same points, which are placed alike: no gap opens between their pieces.
//
// Depth is affine over the image: with a0, a1, a2 as in rasterize.cu, z/w = sum Zi ai / D where D = sum Wi ai does not
// depend on the pixel. A piece carries it as the value at its first corner, and its slopes.
#pragma once
#include "common.cuh"

#define GLRAST_GRID 256   // sub-pixel positions per pixel: 8 bits, in llvmpipe and in GPUs
#define GLRAST_PIECE_WORDS 30
#define GLRAST_MOST_CORNERS 16  // of a triangle that six planes and the four borders of a cell have cut: 13, were it not
                                // for rounding

struct RasterizePlaceArgs {
    static constexpr int work = 4096;  // of a block, whose triangles are clipped in float64
    int width;              // blocks of an image, at most
    int H;                  // 1
    int64 rows;             // N
    const int* tri;         // [T,3]
    const float* pos;       // [V,4] or [N,V,4]
    int64 pos_stride;       // floats from one image's vertices to the next: 0 or V*4
    const int64* images;    // [N,3]: first triangle, number of triangles, unused
    int T;
    int V;
    int block;              // triangles of a block
    int columns;            // W of the image
    int lines;              // H of the image
    int cull;               // 1: clockwise triangles, -1: counter-clockwise ones, 0: none
    int cell;               // pixels on a side of a cell, or 0: the image is one
    const int64* places;    // [N,width]: where in `pieces` each block's first one goes; null: they are only counted
    int* pieces;            // [K,3,10], each corner: x, y in 1/256 pixel, the triangle's index in tri, x, y of the first
                            // corner, and the bits of floats: depth there (0 is the near plane, 1 the far one), its
                            // slopes by x and y per pixel, and the nearest and the farthest of the corners'
    int* counts;            // [N,width]: how many each block makes
};

struct Corner { double x, y, z, w; };
struct Placed { int64 x, y; double depth, right, up; };  // right, up: pixels that the grid moved it by

GLRAST_INLINE Corner corner(const float* p) { return Corner{p[0], p[1], p[2], p[3]}; }

// How far a point is on the visible side of one of the planes -w <= x, x <= w, -w <= y, ...
GLRAST_INLINE double inside(Corner p, int plane) {
    const double value = plane < 2 ? p.x : plane < 4 ? p.y : p.z;
    return plane & 1 ? p.w - value : p.w + value;
}

struct Polygon {
    Corner corners[GLRAST_MOST_CORNERS];
    int count;
};

GLRAST_INLINE void add_corner(Polygon& p, Corner c) {
    if (p.count < GLRAST_MOST_CORNERS) p.corners[p.count++] = c;
}

// From one end to the other, the end with d >= 0 first: triangles that share an edge cut it at the same point.
GLRAST_INLINE Corner cut(Corner in, double d_in, Corner out, double d_out) {
    const double t = d_in / (d_in - d_out);
    return Corner{in.x + t * (out.x - in.x), in.y + t * (out.y - in.y), in.z + t * (out.z - in.z), in.w + t * (out.w - in.w)};
}

// The corners with `distance` >= 0, and the others, each with the points in between
// (Sutherland & Hodgman 1974, Reentrant Polygon Clipping).
template <class Distance>
GLRAST_INLINE void split(const Polygon& all, Distance distance, Polygon& in, Polygon& out) {
    in.count = out.count = 0;
    for (int i = 0; i < all.count; ++i) {
        const Corner p = all.corners[i], q = all.corners[i + 1 < all.count ? i + 1 : 0];
        const double d_p = distance(p), d_q = distance(q);
        add_corner(d_p >= 0.0 ? in : out, p);
        if ((d_p >= 0.0) == (d_q >= 0.0)) continue;
        const Corner between = d_p >= 0.0 ? cut(p, d_p, q, d_q) : cut(q, d_q, p, d_p);
        add_corner(in, between);
        add_corner(out, between);
    }
}

GLRAST_INLINE void clip_to_view(Polygon& p) {
    Polygon kept, gone;
    for (int plane = 0; plane < 6; ++plane) {
        split(p, [plane](Corner c) { return inside(c, plane); }, kept, gone);
        p = kept;
    }
}

GLRAST_INLINE bool lies_in_view(Corner p) {
    bool all = p.w > 0.0;
    for (int plane = 0; plane < 6; ++plane) all = all && inside(p, plane) >= 0.0;
    return all;
}

// Does [lo, hi], in 1/256 pixel, hold the centre of a pixel?
GLRAST_INLINE bool holds_a_centre(int64 lo, int64 hi) {
    const int64 half = GLRAST_GRID / 2;
    return (hi - half) >> 8 >= (lo - half + GLRAST_GRID - 1) >> 8;
}

// The slopes of depth by x and y, per pixel; 0 for a triangle seen edge-on.
struct Slope { double x, y; };

GLRAST_INLINE Slope depth_slope(const RasterizePlaceArgs& a, Corner p, Corner q, Corner r) {
    const double D = p.w * (q.x * r.y - q.y * r.x) + q.w * (r.x * p.y - r.y * p.x) + r.w * (p.x * q.y - p.y * q.x);
    const double z_x = p.z * (q.y * r.w - r.y * q.w) + q.z * (r.y * p.w - p.y * r.w) + r.z * (p.y * q.w - q.y * p.w);
    const double z_y = p.z * (r.x * q.w - q.x * r.w) + q.z * (p.x * r.w - r.x * p.w) + r.z * (q.x * p.w - p.x * q.w);
    const Slope s = {z_x / D / a.columns, z_y / D / a.lines};  // half of z/w by fx and fy, which go from -1 to 1
    return is_finite((float)s.x) && is_finite((float)s.y) ? s : Slope{0.0, 0.0};
}

GLRAST_INLINE void write_piece(int* out, int number, Slope slope, Placed a, Placed b, Placed c) {
    const Placed corners[3] = {a, b, c};
    for (int k = 0; k < 3; ++k, out += GLRAST_PIECE_WORDS / 3) {
        out[0] = (int)corners[k].x;  out[1] = (int)corners[k].y;  out[2] = number;
        out[3] = (int)a.x;           out[4] = (int)a.y;
        out[5] = float_bits((float)(a.depth + slope.x * a.right + slope.y * a.up));
        out[6] = float_bits((float)slope.x);
        out[7] = float_bits((float)slope.y);
        out[8] = float_bits((float)fmin(a.depth, fmin(b.depth, c.depth)));
        out[9] = float_bits((float)fmax(a.depth, fmax(b.depth, c.depth)));
    }
}

GLRAST_INLINE Placed place(const RasterizePlaceArgs& a, Corner p) {
    const double inverse = 1.0 / p.w, half_w = 0.5 * a.columns, half_h = 0.5 * a.lines;
    const double x = (p.x * inverse * half_w + half_w) * GLRAST_GRID, y = (p.y * inverse * half_h + half_h) * GLRAST_GRID;
    const double on_x = rint(x), on_y = rint(y);
    return Placed{(int64)on_x, (int64)on_y, 0.5 + 0.5 * p.z * inverse, (on_x - x) / GLRAST_GRID, (on_y - y) / GLRAST_GRID};
}

// Where the pieces of one triangle go. Null: they are counted.
struct Pieces {
    int* out;
    int count;
    int number;
    Slope slope;
};

GLRAST_INLINE void add_piece(const RasterizePlaceArgs& a, Pieces& to, Placed s, Placed t, Placed u) {
    const int64 area = (t.x - s.x) * (u.y - s.y) - (t.y - s.y) * (u.x - s.x);
    if (area == 0 || (a.cull > 0 && area < 0) || (a.cull < 0 && area > 0)) return;
    const int64 left = s.x < t.x ? s.x : t.x, right = s.x > t.x ? s.x : t.x, low = s.y < t.y ? s.y : t.y, high = s.y > t.y ? s.y : t.y;
    if (!holds_a_centre(left < u.x ? left : u.x, right > u.x ? right : u.x)) return;
    if (!holds_a_centre(low < u.y ? low : u.y, high > u.y ? high : u.y)) return;
    if (to.out) write_piece(to.out + GLRAST_PIECE_WORDS * to.count, to.number, to.slope, s, t, u);
    ++to.count;
}

// Each part is culled by itself: the grid may turn a thin polygon into a bow tie, whose two halves face different ways
// and of which one may fill what the neighbours leave.
GLRAST_INLINE void place_polygon(const RasterizePlaceArgs& a, Pieces& to, const Polygon& p) {
    if (p.count < 3) return;
    Placed placed[GLRAST_MOST_CORNERS];
    for (int i = 0; i < p.count; ++i) {
        if (!(p.corners[i].w > 0.0)) return;  // only the eye itself, (0, 0, 0, 0), is in view without that
        placed[i] = place(a, p.corners[i]);
    }
    for (int i = 2; i < p.count; ++i) add_piece(a, to, placed[0], placed[i - 1], placed[i]);
}

// A coordinate in pixels, times w: what is on which side of a line of the image is seen without a division.
GLRAST_INLINE double pixels_x(const RasterizePlaceArgs& a, Corner c) { return (c.x + c.w) * (0.5 * a.columns); }
GLRAST_INLINE double pixels_y(const RasterizePlaceArgs& a, Corner c) { return (c.y + c.w) * (0.5 * a.lines); }

// The first border of cells, in pixels, that a polygon whose smallest coordinate is `least` may reach: rounded down.
GLRAST_INLINE int64 first_border(double least, int cell) {
    const double before = floor(least / cell);
    return before > 1.0 ? (int64)before * cell : cell;
}

// Cells from the left to the right, in each from the bottom to the top. Beyond the image's end only the eye itself,
// (0, 0, 0, 0), which is on all sides of all lines, would be left.
GLRAST_INLINE void place_in_cells(const RasterizePlaceArgs& a, Pieces& to, const Polygon& p) {
    double least_x = a.columns, least_y = a.lines;
    for (int i = 0; i < p.count; ++i) {
        least_x = fmin(least_x, pixels_x(a, p.corners[i]) / p.corners[i].w);
        least_y = fmin(least_y, pixels_y(a, p.corners[i]) / p.corners[i].w);
    }
    Polygon right = p, column, above, cell, rest;
    for (int64 x = first_border(least_x, a.cell); right.count && x - a.cell <= a.columns; x += a.cell) {
        split(right, [&](Corner c) { return pixels_x(a, c) - (double)x * c.w; }, rest, column);
        right = rest;
        above = column;
        for (int64 y = first_border(least_y, a.cell); above.count && y - a.cell <= a.lines; y += a.cell) {
            split(above, [&](Corner c) { return pixels_y(a, c) - (double)y * c.w; }, rest, cell);
            above = rest;
            place_polygon(a, to, cell);
        }
    }
}

// The pieces of one triangle that can cover a pixel's centre; written where `out` is. Returns how many.
GLRAST_INLINE int place_triangle(const RasterizePlaceArgs& a, const float* p, const float* q, const float* r, int number, int* out) {
    Polygon polygon;
    polygon.corners[0] = corner(p);  polygon.corners[1] = corner(q);  polygon.corners[2] = corner(r);
    polygon.count = 3;
    Pieces pieces = {out, 0, number, depth_slope(a, polygon.corners[0], polygon.corners[1], polygon.corners[2])};
    const Corner* c = polygon.corners;
    if (!(lies_in_view(c[0]) && lies_in_view(c[1]) && lies_in_view(c[2]))) clip_to_view(polygon);
    if (a.cell) place_in_cells(a, pieces, polygon);
    else place_polygon(a, pieces, polygon);
    return pieces.count;
}

GLRAST_INLINE void place_block(const RasterizePlaceArgs& a, int x, Row row) {
    const int64* image = a.images + 3 * row.n;
    const int64 begin = (int64)x * a.block, end = image[1] - begin < a.block ? image[1] : begin + a.block;
    const float* pos = a.pos + row.n * a.pos_stride;
    const int64 cell = row.index * a.width + x;
    int* out = a.places ? a.pieces + GLRAST_PIECE_WORDS * a.places[cell] : nullptr;
    int n = 0;
    for (int64 i = begin; i < end; ++i) {
        Int3 v;
        if (!fetch_triangle(a.tri, a.T, a.V, (int)(image[0] + i), &v)) continue;
        const float *p = pos + 4 * (int64)v.x, *q = pos + 4 * (int64)v.y, *r = pos + 4 * (int64)v.z;
        if (!(is_finite4(load4(p)) && is_finite4(load4(q)) && is_finite4(load4(r)))) continue;
        n += place_triangle(a, p, q, r, (int)(image[0] + i), out ? out + GLRAST_PIECE_WORDS * n : nullptr);
    }
    if (!a.places) a.counts[cell] = n;
}

GLRAST_INLINE void rasterize_place_element(const RasterizePlaceArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) place_block(a, x, row);
}
GLRAST_KERNEL(rasterize_place, RasterizePlaceArgs)
