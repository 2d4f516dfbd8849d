// peel: triangles that lie before the last layer everywhere need not be drawn again.
//
//   peel_nearest  the nearest depth of the last layer in tiles of the image   one thread = one tile
//   peel_prepare  triangle indices without what lies before it                one thread = one triangle
//
// This only saves work: the fragment stage (shaders/rasterize.frag, BEHIND) would drop the same pixels one by one.
#include "common.cuh"

#define GLRAST_TILE 16  // pixels; glrast/ops/peel.py says the same

// ---- nearest ---------------------------------------------------------------------------------------------

struct PeelNearestArgs {
    int width;           // tiles in a row
    int H;               // rows of tiles
    int64 rows;          // N*H
    const float* depth;  // of pixel 0; [N,image_height,image_width] with `stride` floats from one pixel to the next
    int stride;
    int image_width;
    int image_height;
    float* nearest;      // [N,H,width]; 2 where the last layer is empty, as in its pixels
};

GLRAST_INLINE void peel_nearest_element(const PeelNearestArgs& a, int x, Row row) {
    const int x0 = x * GLRAST_TILE, y0 = row.y * GLRAST_TILE;
    const int x1 = x0 + GLRAST_TILE < a.image_width ? x0 + GLRAST_TILE : a.image_width;
    const int y1 = y0 + GLRAST_TILE < a.image_height ? y0 + GLRAST_TILE : a.image_height;
    float nearest = 2.0f;
    for (int y = y0; y < y1; ++y) {
        const float* depth = a.depth + (row.n * a.image_height + y) * a.image_width * a.stride;
        for (int px = x0; px < x1; ++px) nearest = minimum(depth[(int64)px * a.stride], nearest);
    }
    a.nearest[row.index * a.width + x] = nearest;
}
GLRAST_KERNEL(peel_nearest, PeelNearestArgs)

// ---- prepare ---------------------------------------------------------------------------------------------

struct PeelPrepareArgs {
    int width;             // T
    int H;                 // 1
    int64 rows;            // N
    const int* indices;    // [T,3] or [N,T,3], safe to draw (rasterize_prepare)
    int64 indices_stride;  // ints from one image's indices to the next: 0 or T*3
    const float* pos;      // [V,4] or [N,V,4]
    int64 pos_stride;      // floats from one image's vertices to the next: 0 or V*4
    const float* nearest;  // [N,tiles_y,tiles_x]
    int tiles_x;
    int tiles_y;
    int image_width;
    int image_height;
    int* out;              // [N,T,3]: the indices, or three equal ones (draws nothing)
};

#define GLRAST_MOST_TILES 64          // a triangle over more tiles is drawn without looking
#define GLRAST_LEAST_WIDTH_PIX 0.0625f
#define GLRAST_DEPTH_ROUNDING 4e-6f   // of OpenGL's depth, 0 to 1, in float32

// OpenGL snaps corners to 1/256 pixel, so a pixel may see a depth beyond those of the corners: by the slope times that
// distance. A triangle at least 1/16 pixel wide changes its depth by less than (farthest - nearest) on that way.
GLRAST_INLINE bool lies_before(const PeelPrepareArgs& a, const float* nearest, Float4 p, Float4 q, Float4 r) {
    if (!(p.w > 0.0f && q.w > 0.0f && r.w > 0.0f)) return false;
    const float cx = 0.5f * a.image_width, cy = 0.5f * a.image_height;
    const float x0 = cx + cx * (p.x / p.w), x1 = cx + cx * (q.x / q.w), x2 = cx + cx * (r.x / r.w);
    const float y0 = cy + cy * (p.y / p.w), y1 = cy + cy * (q.y / q.w), y2 = cy + cy * (r.y / r.w);
    const float z0 = p.z / p.w, z1 = q.z / q.w, z2 = r.z / r.w;
    const float left = minimum(x0, minimum(x1, x2)), right = maximum(x0, maximum(x1, x2));
    const float low = minimum(y0, minimum(y1, y2)), high = maximum(y0, maximum(y1, y2));
    const float front = 0.5f + 0.5f * minimum(z0, minimum(z1, z2)), back = 0.5f + 0.5f * maximum(z0, maximum(z1, z2));
    const float area = fabsf((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0));  // twice
    const float limit = 1e6f;  // pixels; false for NaN too
    if (!(left > -limit && right < limit && low > -limit && high < limit)) return false;
    if (!(area >= GLRAST_LEAST_WIDTH_PIX * ((right - left) + (high - low)))) return false;
    int i0 = (int)floorf((left - 1.0f) / GLRAST_TILE), i1 = (int)floorf((right + 1.0f) / GLRAST_TILE);
    int j0 = (int)floorf((low - 1.0f) / GLRAST_TILE), j1 = (int)floorf((high + 1.0f) / GLRAST_TILE);
    i0 = i0 > 0 ? i0 : 0;  i1 = i1 < a.tiles_x - 1 ? i1 : a.tiles_x - 1;
    j0 = j0 > 0 ? j0 : 0;  j1 = j1 < a.tiles_y - 1 ? j1 : a.tiles_y - 1;
    if (i1 < i0 || j1 < j0) return true;  // outside of the image
    if ((i1 - i0 + 1) * (j1 - j0 + 1) > GLRAST_MOST_TILES) return false;
    const float farthest = back + (back - front) + GLRAST_DEPTH_ROUNDING;
    for (int j = j0; j <= j1; ++j)
        for (int i = i0; i <= i1; ++i)
            if (!(farthest < nearest[j * a.tiles_x + i])) return false;
    return true;
}

GLRAST_INLINE void peel_prepare_element(const PeelPrepareArgs& a, int x, Row row) {
    const int* in = a.indices + row.n * a.indices_stride + 3 * (int64)x;
    const float* pos = a.pos + row.n * a.pos_stride;
    const float* nearest = a.nearest + row.n * a.tiles_x * a.tiles_y;
    const bool gone = lies_before(a, nearest, load4(pos + 4 * (int64)in[0]), load4(pos + 4 * (int64)in[1]),
                                  load4(pos + 4 * (int64)in[2]));
    int* out = a.out + 3 * (row.index * a.width + x);
    for (int k = 0; k < 3; ++k) out[k] = gone ? 0 : in[k];
}
GLRAST_KERNEL(peel_prepare, PeelPrepareArgs)
