// rasterize_place: triangles put on OpenGL's grid of 1/256 pixel before OpenGL sees them    one thread = one block of triangles
//
// Where OpenGL places the vertices, what it makes of a triangle depends, in the last bits, on where the window begins:
// it rounds positions there, new vertices where it clips, and depth, which it extrapolates from the window's corner. Here
// all of that is done once, in float64 and image coordinates: triangles are clipped to the view volume, cut into pieces
// (one, if nothing was cut off), and placed. A tile then takes a whole number of pixels off, which float32 does exactly,
// so any two tiles, and the image drawn at once, agree to the last bit.
//
// Depth is affine over the image: with a0, a1, a2 as in rasterize.cu, z/w = sum Zi ai / D where D = sum Wi ai does not
// depend on the pixel. A piece carries it as the value at its first corner, and its slopes.
#pragma once
#include "common.cuh"

#define GLRAST_GRID 256   // sub-pixel positions per pixel: 8 bits, in llvmpipe and in GPUs
#define GLRAST_PIECE_WORDS 30
#define GLRAST_MOST_CORNERS 9  // of a triangle that six planes have cut

struct RasterizePlaceArgs {
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

// From the visible end to the other, whichever comes first: triangles that share an edge cut it at the same point.
GLRAST_INLINE Corner cut(Corner in, double d_in, Corner out, double d_out) {
    const double t = d_in / (d_in - d_out);
    return Corner{in.x + t * (out.x - in.x), in.y + t * (out.y - in.y), in.z + t * (out.z - in.z), in.w + t * (out.w - in.w)};
}

// Sutherland & Hodgman 1974, Reentrant Polygon Clipping. Returns the number of corners left.
GLRAST_INLINE int clip_to_view(Corner* corners, int count) {
    Corner kept[GLRAST_MOST_CORNERS];
    for (int plane = 0; plane < 6 && count; ++plane) {
        int n = 0;
        for (int i = 0; i < count; ++i) {
            const Corner p = corners[i], q = corners[i + 1 < count ? i + 1 : 0];
            const double d_p = inside(p, plane), d_q = inside(q, plane);
            if (d_p >= 0.0) kept[n++] = p;
            if (n < GLRAST_MOST_CORNERS && (d_p >= 0.0) != (d_q >= 0.0)) kept[n++] = d_p >= 0.0 ? cut(p, d_p, q, d_q) : cut(q, d_q, p, d_p);
        }
        for (int i = 0; i < n; ++i) corners[i] = kept[i];
        count = n;
    }
    return count;
}

GLRAST_INLINE bool lies_in_view(Corner p) {
    bool all = p.w > 0.0;
    for (int plane = 0; plane < 6; ++plane) all = all && inside(p, plane) >= 0.0;
    return all;
}

GLRAST_INLINE int64 twice_the_area(Placed a, Placed b, Placed c) { return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x); }

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

// The pieces of one triangle that can cover a pixel's centre; written where `out` is. Returns how many.
GLRAST_INLINE int place_triangle(const RasterizePlaceArgs& a, const float* p, const float* q, const float* r, int number, int* out) {
    Corner corners[GLRAST_MOST_CORNERS] = {corner(p), corner(q), corner(r)};
    const Slope slope = depth_slope(a, corners[0], corners[1], corners[2]);
    const bool whole = lies_in_view(corners[0]) && lies_in_view(corners[1]) && lies_in_view(corners[2]);
    const int count = whole ? 3 : clip_to_view(corners, 3);
    Placed placed[GLRAST_MOST_CORNERS];
    for (int i = 0; i < count; ++i) {
        if (!(corners[i].w > 0.0)) return 0;  // only the eye itself, (0, 0, 0, 0), is in view without that
        placed[i] = place(a, corners[i]);
    }
    int64 area = 0;
    for (int i = 2; i < count; ++i) area += twice_the_area(placed[0], placed[i - 1], placed[i]);
    if (area == 0 || (a.cull > 0 && area < 0) || (a.cull < 0 && area > 0)) return 0;
    int n = 0;
    for (int i = 2; i < count; ++i) {
        const Placed s = placed[0], t = placed[i - 1], u = placed[i];
        const int64 part = twice_the_area(s, t, u);
        if (part == 0 || (part < 0) != (area < 0)) continue;
        const int64 left = s.x < t.x ? s.x : t.x, right = s.x > t.x ? s.x : t.x, low = s.y < t.y ? s.y : t.y, high = s.y > t.y ? s.y : t.y;
        if (!holds_a_centre(left < u.x ? left : u.x, right > u.x ? right : u.x)) continue;
        if (!holds_a_centre(low < u.y ? low : u.y, high > u.y ? high : u.y)) continue;
        if (out) write_piece(out + GLRAST_PIECE_WORDS * n, number, slope, s, t, u);
        ++n;
    }
    return n;
}

GLRAST_INLINE void rasterize_place_element(const RasterizePlaceArgs& a, int x, Row row) {
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
        if (!(is_finite_vertex(p) && is_finite_vertex(q) && is_finite_vertex(r))) continue;
        n += place_triangle(a, p, q, r, (int)(image[0] + i), out ? out + GLRAST_PIECE_WORDS * n : nullptr);
    }
    if (!a.places) a.counts[cell] = n;
}
GLRAST_BLOCK_KERNEL(rasterize_place, RasterizePlaceArgs)
