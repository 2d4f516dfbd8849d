// peel: triangles that lie before the last layer everywhere need not be drawn again.
//
//   peel_nearest  the nearest depth of the last layer in tiles of the image   one thread = one tile
//   peel_boxes    the tiles and the farthest depth of each triangle           one thread = one triangle
//   peel_prepare  triangle indices without what lies before the last layer    one thread = one triangle
//   peel_keep     the same where triangles are drawn from their corners       one thread = one block of triangles
//
// This only saves work: the fragment stage (shaders/rasterize.frag, BEHIND) would drop the same pixels one by one.
#include "common.cuh"

#define GLRAST_TILE 8  // pixels; glrast/ops/peel.py says the same

// ---- nearest ---------------------------------------------------------------------------------------------

struct PeelNearestArgs {
    static constexpr int work = 64;  // pixels of a tile
    int width;           // tiles in a row
    int H;               // rows of tiles
    int64 rows;          // N*H
    const int* drawn;    // [N,image_height,image_width,channels]: (id, depth), or (u, v, depth, id); bits of floats
    int channels;        // 2 or 4
    int image_width;
    int image_height;
    int* ids;            // [N,image_height,image_width], copied from two channels
    float* nearest;      // [N,H,width]; 2 where the last layer is empty, as in its pixels
};

// Depths are 0 to 1, or 2: their bits are ordered as they are.
GLRAST_INLINE int nearer(int a, int b) { return a < b ? a : b; }

// The nearest of `count` pixels; those of (id, depth) also leave their ids.
GLRAST_INLINE int nearest_of(const int* drawn, int channels, int count, int* ids) {
    int nearest = 0x40000000;  // 2
    if (channels == 4) {
        for (int i = 0; i < count; ++i) nearest = nearer(nearest, drawn[4 * i + 2]);
        return nearest;
    }
    for (int i = 0; i < count; ++i) ids[i] = drawn[2 * i];
    for (int i = 0; i < count; ++i) nearest = nearer(nearest, drawn[2 * i + 1]);
    return nearest;
}

GLRAST_INLINE void nearest_in_tile(const PeelNearestArgs& a, int x, Row row) {
    const int x0 = x * GLRAST_TILE, y0 = row.y * GLRAST_TILE;
    const int count = a.image_width - x0 < GLRAST_TILE ? a.image_width - x0 : GLRAST_TILE;
    const int y1 = y0 + GLRAST_TILE < a.image_height ? y0 + GLRAST_TILE : a.image_height;
    int nearest = 0x40000000;
    for (int y = y0; y < y1; ++y) {
        const int64 pixel = (row.n * a.image_height + y) * a.image_width + x0;
        const int* drawn = a.drawn + pixel * a.channels;
        int* ids = a.ids ? a.ids + pixel : nullptr;
        // The compiler makes registers of a number that it knows.
        const int here = count == GLRAST_TILE ? nearest_of(drawn, a.channels, GLRAST_TILE, ids)
                                              : nearest_of(drawn, a.channels, count, ids);
        nearest = nearer(nearest, here);
    }
    a.nearest[row.index * a.width + x] = bits_float(nearest);
}

GLRAST_INLINE void peel_nearest_element(const PeelNearestArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) nearest_in_tile(a, x, row);
}
GLRAST_KERNEL(peel_nearest, PeelNearestArgs)

// ---- boxes -----------------------------------------------------------------------------------------------

struct PeelBoxesArgs {
    int width;             // T
    int H;                 // 1
    int64 rows;            // N
    const int* indices;    // [T,3] or [N,T,3], safe to draw (rasterize_prepare); null: pos holds corners
    int64 indices_stride;  // ints from one image's indices to the next: 0 or T*3
    const float* pos;      // [V,4] or [N,V,4]; or [T,3,5] from rasterize_select
    int64 pos_stride;      // floats from one image's vertices to the next: 0 or V*4
    int tiles_x;
    int tiles_y;
    int image_width;
    int image_height;
    int* boxes;            // [N,T,2]: its first tile, and its last: x + (y << 16)
    float* farthest;       // [N,T]: the farthest depth, 0 to 1; -1 if it is outside of the image, 3 if it is always drawn
};

#define GLRAST_MOST_TILES 256          // a triangle over more tiles is drawn without looking
#define GLRAST_LEAST_WIDTH_PIX 0.0625f
#define GLRAST_DEPTH_ROUNDING 4e-6f   // of OpenGL's depth, 0 to 1, in float32

// OpenGL snaps corners to 1/256 pixel, so a pixel may see a depth beyond those of the corners: by the slope times that
// distance. A triangle 1/16 pixel wide changes its depth by less than (farthest - nearest) on that way, a wider one by
// so much less. (Its width is at least twice its area over the sides of its box.)
// Returns that depth; `box` is written where it is used.
GLRAST_INLINE float farthest_depth(const PeelBoxesArgs& a, Float4 p, Float4 q, Float4 r, int* box) {
    const float outside = -1.0f, always = 3.0f;  // before any depth of a tile, and behind
    box[0] = box[1] = 0;
    if (!(p.w > 0.0f && q.w > 0.0f && r.w > 0.0f)) return always;
    const float cx = 0.5f * a.image_width, cy = 0.5f * a.image_height;
    const float x0 = cx + cx * (p.x / p.w), x1 = cx + cx * (q.x / q.w), x2 = cx + cx * (r.x / r.w);
    const float y0 = cy + cy * (p.y / p.w), y1 = cy + cy * (q.y / q.w), y2 = cy + cy * (r.y / r.w);
    const float z0 = p.z / p.w, z1 = q.z / q.w, z2 = r.z / r.w;
    const float left = minimum(x0, minimum(x1, x2)), right = maximum(x0, maximum(x1, x2));
    const float low = minimum(y0, minimum(y1, y2)), high = maximum(y0, maximum(y1, y2));
    const float front = 0.5f + 0.5f * minimum(z0, minimum(z1, z2)), back = 0.5f + 0.5f * maximum(z0, maximum(z1, z2));
    const float area = fabsf((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0));  // twice
    const float limit = 1e6f;  // pixels; false for NaN too
    if (!(left > -limit && right < limit && low > -limit && high < limit)) return always;
    const float least_area = GLRAST_LEAST_WIDTH_PIX * ((right - left) + (high - low));
    if (!(area >= least_area)) return always;
    int i0 = (int)floorf((left - 1.0f) / GLRAST_TILE), i1 = (int)floorf((right + 1.0f) / GLRAST_TILE);
    int j0 = (int)floorf((low - 1.0f) / GLRAST_TILE), j1 = (int)floorf((high + 1.0f) / GLRAST_TILE);
    i0 = i0 > 0 ? i0 : 0;  i1 = i1 < a.tiles_x - 1 ? i1 : a.tiles_x - 1;
    j0 = j0 > 0 ? j0 : 0;  j1 = j1 < a.tiles_y - 1 ? j1 : a.tiles_y - 1;
    if (i1 < i0 || j1 < j0) return outside;
    if ((i1 - i0 + 1) * (j1 - j0 + 1) > GLRAST_MOST_TILES) return always;
    box[0] = i0 + (j0 << 16);
    box[1] = i1 + (j1 << 16);
    return back + (back - front) * (least_area / area) + GLRAST_DEPTH_ROUNDING;
}

GLRAST_INLINE void find_box(const PeelBoxesArgs& a, int x, Row row) {
    const int64 triangle = row.index * a.width + x;
    const float *p, *q, *r;
    if (!a.indices) {
        p = a.pos + GLRAST_CORNERS * triangle;  q = p + 5;  r = p + 10;
    } else {
        const int* in = a.indices + row.n * a.indices_stride + 3 * (int64)x;
        const float* pos = a.pos + row.n * a.pos_stride;
        p = pos + 4 * (int64)in[0];  q = pos + 4 * (int64)in[1];  r = pos + 4 * (int64)in[2];
    }
    a.farthest[triangle] = farthest_depth(a, load_anywhere(p), load_anywhere(q), load_anywhere(r), a.boxes + 2 * triangle);
}

GLRAST_INLINE void peel_boxes_element(const PeelBoxesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_box(a, x, row);
}
GLRAST_KERNEL(peel_boxes, PeelBoxesArgs)

// ---- prepare ---------------------------------------------------------------------------------------------

struct PeelPrepareArgs {
    int width;              // T
    int H;                  // 1
    int64 rows;             // N
    const int* indices;     // as peel_boxes has them
    int64 indices_stride;
    const int* boxes;       // from peel_boxes
    const float* farthest;
    const float* nearest;   // [N,tiles_y,tiles_x]
    int tiles_x;
    int tiles_y;
    int* out;               // [N,T,3]: the indices, or three equal ones (draws nothing)
};

GLRAST_INLINE bool lies_before(const int* box, float farthest, const float* nearest, int tiles_x) {
    const int i0 = box[0] & 0xffff, i1 = box[1] & 0xffff, j0 = box[0] >> 16, j1 = box[1] >> 16;
    for (int j = j0; j <= j1; ++j)
        for (int i = i0; i <= i1; ++i)
            if (!(farthest < nearest[j * tiles_x + i])) return false;
    return true;
}

GLRAST_INLINE void prepare_triangle(const PeelPrepareArgs& a, int x, Row row) {
    const int* in = a.indices + row.n * a.indices_stride + 3 * (int64)x;
    const float* nearest = a.nearest + row.n * a.tiles_x * a.tiles_y;
    const int64 triangle = row.index * a.width + x;
    const bool gone = lies_before(a.boxes + 2 * triangle, a.farthest[triangle], nearest, a.tiles_x);
    int* out = a.out + 3 * triangle;
    for (int k = 0; k < 3; ++k) out[k] = gone ? 0 : in[k];
}

GLRAST_INLINE void peel_prepare_element(const PeelPrepareArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) prepare_triangle(a, x, row);
}
GLRAST_KERNEL(peel_prepare, PeelPrepareArgs)

// ---- keep ------------------------------------------------------------------------------------------------

struct PeelKeepArgs {
    static constexpr int work = 8192;  // triangles of a block
    int width;              // blocks of an image, at most
    int H;                  // 1
    int64 rows;             // N
    const float* corners;   // [K,3,5] as rasterize_select has them
    const int64* places;    // [N]: each image's first
    const int* counts;      // [N,width]: how many each block holds
    int block;              // triangles of a block, at most
    const int* boxes;       // [K,2]
    const float* farthest;  // [K]
    const float* nearest;   // [N,tiles_y,tiles_x]
    int tiles_x;
    int tiles_y;
    float* out;             // [K,3,5]: what stays of each block, from the block's first place on
    int* kept;              // [N,width]
};

GLRAST_INLINE void keep_of_block(const PeelKeepArgs& a, int x, Row row) {
    const int64 begin = a.places[row.n] + (int64)x * a.block, cell = row.index * a.width + x;
    const float* nearest = a.nearest + row.n * a.tiles_x * a.tiles_y;
    float* out = a.out + GLRAST_CORNERS * begin;
    int n = 0;
    for (int64 t = begin; t < begin + a.counts[cell]; ++t) {
        if (lies_before(a.boxes + 2 * t, a.farthest[t], nearest, a.tiles_x)) continue;
        for (int k = 0; k < GLRAST_CORNERS; ++k) out[GLRAST_CORNERS * n + k] = a.corners[GLRAST_CORNERS * t + k];
        ++n;
    }
    a.kept[cell] = n;
}

GLRAST_INLINE void peel_keep_element(const PeelKeepArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) keep_of_block(a, x, row);
}
GLRAST_KERNEL(peel_keep, PeelKeepArgs)
