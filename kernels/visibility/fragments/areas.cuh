// Areas from runs.
//
// For a viewpoint o in the pixel, the shadow of a run from a to b is the part of the pixel behind it: the polygon a, b, exit of
// the ray o b, corners of the pixel, exit of the ray o a. S > 0 where o is on the left. What is seen at x differs from
// what is seen at o by the steps over the runs between them, so exactly
//   area_f = [f is seen at o] + sum over runs with f on the right of S - sum over runs with f on the left of S
// and the same for the first moments, which give the centre of gravity. Whatever the runs, areas sum to 1.
#pragma once
#include "visibility/fragments/hidden.cuh"

// o from the pixel's centre: no edge through pixel centres passes through it.
#define GLRAST_VIEW_X 0.0013
#define GLRAST_VIEW_Y 0.0007

struct FragmentsViewpointArgs {
    GLRAST_LIST_MEMBERS     // crossed pixels
    const int64* pixels;    // [count]: counted over all images
    const int* crossed;     // [N,H,W]: their number in the lists
    const int64* starts;    // lists, as in fragments_runs
    const int* triangles;
    const double* planes;
    int columns;
    int lines;
    int* seen;              // [count]: of all images' triangles, or -1
};

GLRAST_INLINE void see_from_viewpoint(const FragmentsViewpointArgs& a, int64 i) {
    const int64 pixel = a.pixels[i], line = pixel / a.columns;
    const int f = a.crossed[pixel];
    const double x = (double)(pixel - line * a.columns) + 0.5 + GLRAST_VIEW_X, y = (double)(line % a.lines) + 0.5 + GLRAST_VIEW_Y;
    int seen = GLRAST_NOTHING;
    double nearest = 0.0;
    for (int64 k = a.starts[f]; k < a.starts[f + 1]; ++k) {
        const int t = a.triangles[k];
        const double *p = a.planes + GLRAST_PLANES * (int64)t, z = value_at(p, 3, x, y);
        if (!(z >= -1.0 && z <= 1.0) || (seen != GLRAST_NOTHING && !(z < nearest - GLRAST_TIE))) continue;
        if (!(value_at(p, 0, x, y) >= 0.0 && value_at(p, 1, x, y) >= 0.0 && value_at(p, 2, x, y) >= 0.0)) continue;
        seen = t;
        nearest = z;
    }
    a.seen[i] = seen;
}

GLRAST_INLINE void fragments_viewpoint_element(const FragmentsViewpointArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { see_from_viewpoint(a, i); });
}
GLRAST_KERNEL(fragments_viewpoint, FragmentsViewpointArgs)

// ---- shadows ---------------------------------------------------------------------------------------------

struct FragmentsShadowsArgs {
    GLRAST_LIST_MEMBERS     // runs
    const double* edges;
    const int* run_edge;    // [count]
    const int* run_pixel;   // [count]: index into pixels
    const double* run_ends; // [count,2]
    const int64* pixels;
    int columns;
    int lines;
    double* shadows;        // [count,3]: area and first moments about the pixel's centre
};


// A point of a run from the viewpoint, in its pixel whatever rounding did to it.
GLRAST_INLINE Spot seen_from_viewpoint(const double* edge, double s, double x, double y) {
    return Spot{clamp(edge[0] + s * (edge[2] - edge[0]) - x, -0.5, 0.5) - GLRAST_VIEW_X,
                clamp(edge[1] + s * (edge[3] - edge[1]) - y, -0.5, 0.5) - GLRAST_VIEW_Y};
}

// Where the ray from o to p leaves the pixel, and by which side: right, upper, left, lower.
struct Exit { Spot at; int side; };
GLRAST_INLINE Exit leave(Spot p) {
    const double far = 1e300;
    const double tx = p.x > 0.0 ? (0.5 - GLRAST_VIEW_X) / p.x : p.x < 0.0 ? (-0.5 - GLRAST_VIEW_X) / p.x : far;
    const double ty = p.y > 0.0 ? (0.5 - GLRAST_VIEW_Y) / p.y : p.y < 0.0 ? (-0.5 - GLRAST_VIEW_Y) / p.y : far;
    double t = fmin(tx, ty);
    if (!(t < far)) t = 0.0;
    return Exit{Spot{t * p.x, t * p.y}, tx <= ty ? (p.x > 0.0 ? 0 : 2) : (p.y > 0.0 ? 1 : 3)};
}

struct Area { double area, x, y; };
// The triangle o, p, q.
GLRAST_INLINE void add_triangle(Area* a, Spot p, Spot q, double sign) {
    const double twice = sign * (p.x * q.y - p.y * q.x);
    a->area += twice / 2.0;
    a->x += twice / 6.0 * (p.x + q.x);
    a->y += twice / 6.0 * (p.y + q.y);
}

GLRAST_INLINE Area shadow_of(Spot a, Spot b) {
    Area out = {0.0, 0.0, 0.0};
    const double turn = a.x * b.y - a.y * b.x;
    if (turn == 0.0) return out;
    const bool left = turn > 0.0;
    const Spot p = left ? a : b, q = left ? b : a;  // counter-clockwise
    const Exit e = leave(p), f = leave(q);
    add_triangle(&out, p, q, -1.0);
    Spot now = e.at;
    for (int k = 0; k < ((f.side - e.side) & 3); ++k) {
        const int side = (e.side + k) & 3;
        const Spot corner = {(side == 0 || side == 3 ? 0.5 : -0.5) - GLRAST_VIEW_X, (side < 2 ? 0.5 : -0.5) - GLRAST_VIEW_Y};
        add_triangle(&out, now, corner, 1.0);
        now = corner;
    }
    add_triangle(&out, now, f.at, 1.0);
    return left ? out : Area{-out.area, -out.x, -out.y};
}

GLRAST_INLINE void cast_shadow(const FragmentsShadowsArgs& a, int64 i) {
    const double* edge = a.edges + GLRAST_EDGE * (int64)a.run_edge[i];
    const int64 pixel = a.pixels[a.run_pixel[i]], line = pixel / a.columns;
    const double x = (double)(pixel - line * a.columns) + 0.5, y = (double)(line % a.lines) + 0.5;
    const Area s = shadow_of(seen_from_viewpoint(edge, a.run_ends[2 * i], x, y), seen_from_viewpoint(edge, a.run_ends[2 * i + 1], x, y));
    double* out = a.shadows + 3 * i;
    out[0] = s.area;
    out[1] = s.x + s.area * GLRAST_VIEW_X;
    out[2] = s.y + s.area * GLRAST_VIEW_Y;
}

GLRAST_INLINE void fragments_shadows_element(const FragmentsShadowsArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { cast_shadow(a, i); });
}
GLRAST_KERNEL(fragments_shadows, FragmentsShadowsArgs)

// ---- sums ------------------------------------------------------------------------------------------------

struct FragmentsWeighArgs {
    GLRAST_LIST_MEMBERS     // crossed pixels
    int64 runs;
    const int64* parts_at;  // [count+1]: a pixel's parts, one for each triangle
    const int64* entries_at;  // [parts+1]: a part's entries
    const int64* entries;   // [count + 2 * runs]: i < count: seen from the viewpoint of pixel i; then the left sides of runs; then the right
    const double* shadows;  // [runs,3]
    double* weights;        // [parts]
    double* centers;        // [parts,2]: from the pixel's centre
};

GLRAST_INLINE void weigh_parts(const FragmentsWeighArgs& a, int64 i) {
    const int64 begin = a.parts_at[i], end = a.parts_at[i + 1];
    double total = 0.0;
    for (int64 part = begin; part < end; ++part) {
        Area sum = {0.0, 0.0, 0.0};
        for (int64 k = a.entries_at[part]; k < a.entries_at[part + 1]; ++k) {
            const int64 e = a.entries[k];
            if (e < a.count) { sum.area += 1.0; continue; }
            const bool left = e < a.count + a.runs;
            const double *s = a.shadows + 3 * (e - a.count - (left ? 0 : a.runs)), sign = left ? -1.0 : 1.0;
            sum.area += sign * s[0];
            sum.x += sign * s[1];
            sum.y += sign * s[2];
        }
        const double weight = fmax(sum.area, 0.0);
        a.weights[part] = weight;
        a.centers[2 * part] = weight > 0.0 ? clamp(sum.x / weight, -0.5, 0.5) : 0.0;
        a.centers[2 * part + 1] = weight > 0.0 ? clamp(sum.y / weight, -0.5, 0.5) : 0.0;
        total += weight;
    }
    // Areas sum to 1 but for rounding, and for surfaces in one plane that no rule could tell apart.
    for (int64 part = begin; part < end; ++part) a.weights[part] /= total;
}

GLRAST_INLINE void fragments_weigh_element(const FragmentsWeighArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { weigh_parts(a, i); });
}
GLRAST_KERNEL(fragments_weigh, FragmentsWeighArgs)
