// Tiles, squares of pixels: which triangles reach one that is looked at, and where a single surface is seen.
//
// A tile is settled where all triangles nearer than some depth, `bound`,
//   lie on that side of the bound with all three vertices, within the near and far planes,
//   have on each edge that passes the tile exactly one neighbour, on its other side, and that is nearer, too,
//   and are one at some point of the tile.
// Then as many are one above the other everywhere in the tile, one, since that number changes at edges only; no two of them
// intersect, all their edges there are seen, and what is farther is hidden. No edge of it need be looked at, and none of
// these held against anything. The bound is a guess, from what pixel centres see; the conditions prove it.
#pragma once
#include "visibility/fragments/lists.cuh"
#include "visibility/fragments/edges.cuh"

#define GLRAST_SLACK 0.01f           // pixels: what screen positions in float32 may be off, and more
#define GLRAST_POINT_X 0.37          // of a tile's size: the point at which triangles are counted
#define GLRAST_POINT_Y 0.61
#define GLRAST_ROOM 2.0f             // of the depth of what centres see: what else is of the same surface
#define GLRAST_UNSURE 1e-6           // pixels from an edge: too near to say on which side
#define GLRAST_FEW_TILES 4           // in the box of a triangle: it is taken to touch them all

struct FragmentsSpotsArgs {
    int width;              // V
    int H;                  // 1
    int64 rows;             // 1 or N
    const float* pos;       // [rows,V,4]
    int columns;
    int lines;
    float* spots;           // [rows,V,4]: x, y in pixels, z/w, and 1, or 0 where the vertex has no place on the screen
};

GLRAST_INLINE void fragments_spots_element(const FragmentsSpotsArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) {
        const int64 at = 4 * (row.index * a.width + x);
        const Float4 p = load4(a.pos + at);
        Float4 out = {0.0f, 0.0f, 0.0f, 0.0f};
        if (is_finite4(p) && p.w > GLRAST_BEHIND) {
            const double inverse = 1.0 / p.w, far = 1e7;
            out.x = (float)clamp((p.x * inverse + 1.0) * 0.5 * a.columns, -far, far);
            out.y = (float)clamp((p.y * inverse + 1.0) * 0.5 * a.lines, -far, far);
            out.z = (float)clamp(p.z * inverse, -GLRAST_FAR_OFF, GLRAST_FAR_OFF);
            out.w = 1.0f;
        }
        store4(a.spots + at, out);
    }
}
GLRAST_KERNEL(fragments_spots, FragmentsSpotsArgs)

#define GLRAST_SPOTS_MEMBERS const float* spots; int64 spots_stride; const char* state; const float* depth;

struct Tiles { int x0, y0, x1, y1; };
struct ClipCorners { Float4 p[3]; bool placed; };

template <class Args>
GLRAST_INLINE ClipCorners corners_of(const Args& a, int64 n, const int* v) {
    ClipCorners c;
    for (int k = 0; k < 3; ++k) c.p[k] = load4(a.spots + n * a.spots_stride + 4 * (int64)v[k]);
    c.placed = c.p[0].w * c.p[1].w * c.p[2].w > 0.0f;
    return c;
}

// The tiles that some points' box meets, itself `count` points from p[first] on, cyclic; none: x1 < x0.
template <class Args>
GLRAST_INLINE Tiles tiles_of(const Args& a, const ClipCorners& c, int first, int count) {
    if (!c.placed) return Tiles{0, 0, a.across - 1, a.down - 1};
    float x0 = c.p[first].x, x1 = x0, y0 = c.p[first].y, y1 = y0;
    for (int i = 1; i < count; ++i) {
        const Float4 p = c.p[(first + i) % 3];
        x0 = minimum(x0, p.x);  x1 = maximum(x1, p.x);
        y0 = minimum(y0, p.y);  y1 = maximum(y1, p.y);
    }
    const int size = 1 << a.shift, wide = a.across << a.shift, high = a.down << a.shift;
    if (!(x1 > -1.0f && y1 > -1.0f && x0 < wide && y0 < high)) return Tiles{0, 0, -1, -1};
    const float most = 1.0f / size;  // a power of two
    return Tiles{(int)(maximum(x0 - GLRAST_SLACK, 0.0f) * most), (int)(maximum(y0 - GLRAST_SLACK, 0.0f) * most),
                 lesser((int)(minimum(x1 + GLRAST_SLACK, (float)wide) * most), a.across - 1),
                 lesser((int)(minimum(y1 + GLRAST_SLACK, (float)high) * most), a.down - 1)};
}

// ---- which are reached -----------------------------------------------------------------------------------

struct FragmentsRelevantArgs {
    int width;              // triangles of an image, at most
    int H;                  // 1
    int64 rows;             // N
    GLRAST_MESH_MEMBERS
    GLRAST_SPOTS_MEMBERS
    GLRAST_TILE_MEMBERS
    const float* bound;     // [N,down,across]
    char* relevant;         // [M]: does it reach a tile where it lies before the bound?
};

GLRAST_INLINE bool is_relevant(const FragmentsRelevantArgs& a, int64 n, const int* v, float nearest) {
    const Tiles box = tiles_of(a, corners_of(a, n, v), 0, 3);
    for (int j = box.y0; j <= box.y1; ++j) {
        const float* bound = a.bound + (n * a.down + j) * a.across;
        for (int i = box.x0; i <= box.x1; ++i) {
            if (nearest <= bound[i]) return true;
        }
    }
    return false;
}

GLRAST_INLINE void fragments_relevant_element(const FragmentsRelevantArgs& a, int x, int count, Row row) {
    const int64* image = a.images + 3 * row.n;
    for (int end = x + count; x < end && x < image[1]; ++x) {
        const int64 t = image[2] + x;
        const int* v = a.tri + row.n * a.tri_stride + 3 * (image[0] + x);
        a.relevant[t] = a.state[t] && is_relevant(a, row.n, v, a.depth[2 * t]);
    }
}
GLRAST_KERNEL(fragments_relevant, FragmentsRelevantArgs)

// ---- which tiles are settled -----------------------------------------------------------------------------

struct FragmentsBoundArgs {
    int width;              // tiles across
    int H;                  // and down
    int64 rows;             // N*H
    int shift;
    const float* rast;      // [N,lines,columns,4]
    const int64* images;
    const char* state;
    const float* depth;
    int columns;
    int lines;
    float* bound;           // [N,H,width]: beyond the vertices of what is seen at its pixels' centres
};

GLRAST_INLINE float guess_bound(const FragmentsBoundArgs& a, int x, Row row) {
    const int64* image = a.images + 3 * row.n;
    const int size = 1 << a.shift, right = lesser((x + 1) * size, a.columns), top = lesser((row.y + 1) * size, a.lines);
    float nearest = GLRAST_FAR_OFF, farthest = -GLRAST_FAR_OFF, last = 0.0f;
    for (int j = row.y * size; j < top; ++j) {
        const float* id = a.rast + 4 * ((row.n * a.lines + j) * a.columns) + 3;
        for (int i = x * size; i < right; ++i) {
            if (id[4 * i] == last && last > 0.0f) continue;
            last = id[4 * i];
            const int64 t = decode_id(last) - 1 - image[0];
            if (t < 0 || t >= image[1] || !a.state[image[2] + t]) return GLRAST_FAR_OFF;
            nearest = minimum(nearest, a.depth[2 * (image[2] + t)]);
            farthest = maximum(farthest, a.depth[2 * (image[2] + t) + 1]);
        }
    }
    return farthest + GLRAST_ROOM * (farthest - nearest);
}

GLRAST_INLINE void fragments_bound_element(const FragmentsBoundArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) a.bound[row.index * a.width + x] = guess_bound(a, x, row);
}
GLRAST_KERNEL(fragments_bound, FragmentsBoundArgs)

struct FragmentsLayersArgs {
    int width;              // triangles of an image, at most
    int H;                  // 1
    int64 rows;             // N
    GLRAST_MESH_MEMBERS
    GLRAST_SPOTS_MEMBERS
    const int64* regions;   // [N,4]
    const int* neighbours;  // [.,3]: 2 * number in the image (+ 1: wound otherwise) across each edge, or -1
    GLRAST_TILE_MEMBERS
    const float* bound;     // [N,down,across]
    int columns;
    int lines;
    int* against;           // [N,down,across], zero: 1 for each that covers the point, 2 for each that speaks against
};

// What a triangle's edges have on their other sides: how near that is, or so far that nothing is farther.
struct Across { float nearest[3]; };

GLRAST_INLINE Across look_across(const FragmentsLayersArgs& a, int64 n, int x) {
    const int64 *image = a.images + 3 * n, first = a.regions[4 * n + 3];
    const int turned = a.state[image[2] + x] & GLRAST_TURNED;
    Across out;
    for (int k = 0; k < 3; ++k) {
        const int other = a.neighbours[3 * (first + x) + k];
        out.nearest[k] = 2.0f * GLRAST_FAR_OFF;
        if (other < 0) continue;
        const int64 t = image[2] + (other >> 1);
        if (!a.state[t] || ((a.state[t] & GLRAST_TURNED) != turned) != ((other & 1) != 0)) continue;
        out.nearest[k] = a.depth[2 * t];
    }
    return out;
}

// Does the line of edge k pass the square?
GLRAST_INLINE bool passes(const double* planes, int k, double x, double y, double size) {
    const double A = planes[k], B = planes[4 + k], middle = value_at(planes, k, x + 0.5 * size, y + 0.5 * size);
    return fabs(middle) <= (fabs(A) + fabs(B)) * (0.5 * size + GLRAST_SLACK);
}

// Is a point in a triangle? 0: no, 1: yes, 2: nobody can tell.
GLRAST_INLINE int holds(const double* planes, double x, double y) {
    int out = 1;
    for (int k = 0; k < 3; ++k) {
        const double b = value_at(planes, k, x, y), unsure = GLRAST_UNSURE * (fabs(planes[k]) + fabs(planes[4 + k]));
        if (b < -unsure) return 0;
        if (b <= unsure) out = 2;
    }
    return out;
}

// May edge k, of which only one side is near, pass a tile?
GLRAST_INLINE bool may_pass(const FragmentsLayersArgs& a, int64 n, const int* v, const double* planes, int k, int i, int j, bool many) {
    const Tiles e = tiles_of(a, corners_of(a, n, v), (k + 1) % 3, 2);
    const double size = 1 << a.shift;
    return i >= e.x0 && i <= e.x1 && j >= e.y0 && j <= e.y1 && (!many || passes(planes, k, i * size, j * size, size));
}

GLRAST_INLINE void look_at_layers(const FragmentsLayersArgs& a, int x, Row row) {
    const int64 *image = a.images + 3 * row.n, t = image[2] + x;
    if (!a.state[t]) return;
    const int* v = a.tri + row.n * a.tri_stride + 3 * (image[0] + x);
    const ClipCorners c = corners_of(a, row.n, v);
    const Tiles box = tiles_of(a, c, 0, 3);
    const float nearest = a.depth[2 * t], farthest = a.depth[2 * t + 1];
    const bool sound = c.placed && !(a.state[t] & (GLRAST_CUTS_NEAR | GLRAST_CUTS_FAR)) && nearest >= -1.0f && farthest <= 1.0f;
    const bool many = (int64)(box.x1 - box.x0 + 1) * (box.y1 - box.y0 + 1) > GLRAST_FEW_TILES;
    const double size = 1 << a.shift;
    const float x0 = minimum(c.p[0].x, minimum(c.p[1].x, c.p[2].x)), x1 = maximum(c.p[0].x, maximum(c.p[1].x, c.p[2].x));
    const float y0 = minimum(c.p[0].y, minimum(c.p[1].y, c.p[2].y)), y1 = maximum(c.p[0].y, maximum(c.p[1].y, c.p[2].y));
    Across across;
    double planes[GLRAST_PLANES];
    bool looked = false, known = false;  // are these known?
    for (int j = box.y0; j <= box.y1; ++j) {
        for (int i = box.x0; i <= box.x1; ++i) {
            const int64 tile = (row.n * a.down + j) * a.across + i;
            const float bound = a.bound[tile];
            if (nearest > bound || bound >= GLRAST_FAR_OFF) continue;
            if (!looked) across = look_across(a, row.n, x);
            looked = true;
            const double left = i * size, low = j * size, slack = GLRAST_SLACK;
            const double at_x = left + GLRAST_POINT_X * size, at_y = low + GLRAST_POINT_Y * size;
            const bool may_hold = !c.placed || (at_x >= x0 - slack && at_x <= x1 + slack && at_y >= y0 - slack && at_y <= y1 + slack);
            const bool all_near = across.nearest[0] <= bound && across.nearest[1] <= bound && across.nearest[2] <= bound;
            if (!known && (many || may_hold || !all_near)) {
                find_planes(a.pos + row.n * a.pos_stride, Int3{v[0], v[1], v[2]}, a.columns, a.lines, planes);
                known = true;
            }
            if (many && !touches(planes, left - slack, low - slack, size + 2.0 * slack)) continue;
            bool fits = sound && farthest <= bound;
            for (int k = 0; k < 3 && fits && !all_near; ++k) {
                fits = across.nearest[k] <= bound || !may_pass(a, row.n, v, planes, k, i, j, many);
            }
            const int covered = may_hold ? holds(planes, at_x, at_y) : 0;
            if (!fits || covered) count_up(a.against + tile, !fits || covered == 2 ? 2 : 1);
        }
    }
}

GLRAST_INLINE void fragments_layers_element(const FragmentsLayersArgs& a, int x, int count, Row row) {
    const int64 most = a.images[3 * row.n + 1];
    for (int end = x + count; x < end && x < most; ++x) look_at_layers(a, x, row);
}
GLRAST_KERNEL(fragments_layers, FragmentsLayersArgs)
