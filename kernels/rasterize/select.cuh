// rasterize_select: the corners of the triangles that OpenGL on a CPU need look at.    one thread = one block of triangles
//
// A triangle that cannot cover a pixel centre costs llvmpipe as much as one that does. Left out are those which
//   name a vertex outside [0,V) or a non-finite one,
//   lie beyond one plane of the view volume,
//   are culled, by an area too large for OpenGL's rounding to turn its sign,
//   pass between all pixel centres, by more than OpenGL's rounding can move a vertex.
// The others keep their order, so that at equal depth the lower index still wins. Their corners are written out one after
// the other: llvmpipe draws those faster than indexed ones, whose number in the draw it adds to copies of the vertices.
#pragma once
#include "lanes.cuh"

#define GLRAST_SNAP_PIX 0.00390625f  // OpenGL moves a vertex by half of its grid of 1/256 pixel; twice that is safe
#define GLRAST_SNAP_RELATIVE 1e-6f   // and float32 rounds its pixel coordinates, by this much of their size

struct RasterizeSelectArgs {
    static constexpr int work = 8192;  // triangles of a block
    int width;              // blocks of an image, at most
    int H;                  // 1
    int64 rows;             // N
    const int* tri;         // [T,3]
    const float* pos;       // [V,4] or [N,V,4]
    int64 pos_stride;       // floats from one image's vertices to the next: 0 or V*4
    const int64* images;    // [N,3]: first triangle, number of triangles, first place in `corners`
    int T;
    int V;
    int block;              // triangles of a block
    int columns;            // W of the image
    int lines;              // H of the image
    int cull;               // 1: clockwise triangles, -1: counter-clockwise ones, 0: none
    float* corners;         // [K,3,5]: each block's triangles one after the other, from the block's first place on:
                            // clip position, and the bits of the triangle's index in tri
    int* counts;            // [N,width]: how many each block keeps
};

// Do none of the lanes' intervals [lo, hi], in pixels from the middle of an image of `extent` pixels, hold a centre?
GLRAST_INLINE Mask between_centres(Floats lo, Floats hi, int extent) {
    const Floats last = splat((float)extent), none = splat(-1.0f);
    const Floats a = lower(higher(lo + (0.5f * extent - 0.5f), none), last);
    const Floats b = lower(higher(hi + (0.5f * extent - 0.5f), none), last);
    return ceilings(a) > floors(b);
}

GLRAST_INLINE Mask beyond_a_plane(Floats a0, Floats a1, Floats a2, const Rows& p0, const Rows& p1, const Rows& p2) {
    return ((a0 > p0.w) & (a1 > p1.w) & (a2 > p2.w)) | ((a0 < -p0.w) & (a1 < -p1.w) & (a2 < -p2.w));
}

GLRAST_INLINE Mask finite(const Rows& p) {
    return (magnitude(p.x) <= 3.402823466e38f) & (magnitude(p.y) <= 3.402823466e38f) &
           (magnitude(p.z) <= 3.402823466e38f) & (magnitude(p.w) <= 3.402823466e38f);
}

// Whether OpenGL need not see these triangles, all of whose vertices exist.
GLRAST_INLINE Mask invisible(const RasterizeSelectArgs& a, const Rows& p0, const Rows& p1, const Rows& p2) {
    const Floats zero = splat(0.0f);
    const Mask outside = beyond_a_plane(p0.x, p1.x, p2.x, p0, p1, p2) | beyond_a_plane(p0.y, p1.y, p2.y, p0, p1, p2) |
                         beyond_a_plane(p0.z, p1.z, p2.z, p0, p1, p2);
    const Mask before = (p0.w > 0.0f) & (p1.w > 0.0f) & (p2.w > 0.0f);  // a comparison with NaN below is false: drawn
    const Floats half_w = splat(0.5f * a.columns), half_h = splat(0.5f * a.lines);
    const Floats x0 = p0.x / p0.w * half_w, x1 = p1.x / p1.w * half_w, x2 = p2.x / p2.w * half_w;
    const Floats y0 = p0.y / p0.w * half_h, y1 = p1.y / p1.w * half_h, y2 = p2.y / p2.w * half_h;
    const Floats left = lower(lower(x0, x1), x2), right = higher(higher(x0, x1), x2);
    const Floats bottom = lower(lower(y0, y1), y2), top = higher(higher(y0, y1), y2);
    const Floats reach = higher(higher(right, -left), higher(top, -bottom)) + half_w + half_h;
    const Floats slack = GLRAST_SNAP_PIX + GLRAST_SNAP_RELATIVE * reach;
    const Mask missed = between_centres(left - slack, right + slack, a.columns) | between_centres(bottom - slack, top + slack, a.lines);
    const Floats ux = x1 - x0, uy = y1 - y0, vx = x2 - x0, vy = y2 - y0;
    const Floats area = ux * vy - uy * vx;
    const Floats sides = magnitude(ux) + magnitude(uy) + magnitude(vx) + magnitude(vy);
    const Mask culled = splat((float)a.cull) * area < zero - slack * (2.0f * sides + 4.0f * slack);
    return outside | (before & (missed | culled));
}

GLRAST_INLINE void select_of_block(const RasterizeSelectArgs& a, int x, Row row) {
    const int64* image = a.images + 3 * row.n;
    const int64 begin = (int64)x * a.block, end = image[1] - begin < a.block ? image[1] : begin + a.block;
    const float* pos = a.pos + row.n * a.pos_stride;
    float* corners = a.corners + GLRAST_CORNERS * (image[2] + begin);
    int n = 0;
    for (int64 i = begin; i < end; i += GLRAST_LANES) {
        const float *p0[GLRAST_LANES], *p1[GLRAST_LANES], *p2[GLRAST_LANES];
        Int3 index[GLRAST_LANES];
        bool known[GLRAST_LANES];
        for (int l = 0; l < GLRAST_LANES; ++l) {
            known[l] = i + l < end && fetch_triangle(a.tri, a.T, a.V, (int)(image[0] + i + l), &index[l]);
            if (!known[l]) index[l] = Int3{0, 0, 0};
            p0[l] = pos + 4 * (int64)index[l].x;
            p1[l] = pos + 4 * (int64)index[l].y;
            p2[l] = pos + 4 * (int64)index[l].z;
        }
        const Rows q0 = load_rows(p0), q1 = load_rows(p1), q2 = load_rows(p2);
        const Mask drawn = finite(q0) & finite(q1) & finite(q2) & (invisible(a, q0, q1, q2) == 0);
        for (int l = 0; l < GLRAST_LANES; ++l) {  // written in any case, counted if drawn: no branch to be guessed
            if (i + l >= end) break;
            float* to = corners + GLRAST_CORNERS * n;
            const float number = bits_float((int)(image[0] + i + l));
            store_anywhere(to, load4(p0[l]));
            store_anywhere(to + 5, load4(p1[l]));
            store_anywhere(to + 10, load4(p2[l]));
            to[4] = to[9] = to[14] = number;
            n += known[l] && lane_is_set(drawn, l);
        }
    }
    a.counts[row.index * a.width + x] = n;
}

GLRAST_INLINE void rasterize_select_element(const RasterizeSelectArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) select_of_block(a, x, row);
}
GLRAST_KERNEL(rasterize_select, RasterizeSelectArgs)
