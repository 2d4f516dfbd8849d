// Areas from runs.
//
// For a viewpoint o in the pixel, the shadow of a run from a to b is the part of the pixel behind it: the polygon a, b, exit of
// the ray o b, corners of the pixel, exit of the ray o a. S > 0 where o is on the left. What is seen at x differs from
// what is seen at o by the steps over the runs between them, so exactly
//   area_f = [f is seen at o] + sum over runs with f on the right of S - sum over runs with f on the left of S
// and the same for the first moments, which give the centre of gravity. Whatever the runs, areas sum to 1.
//
// What is seen at o is looked up in the list of the pixel. In settled tiles (tiles.cuh) there are no lists, and only one
// surface: what its sums leave negative is what is seen at o.
#pragma once
#include "visibility/fragments/hidden.cuh"

// o from the pixel's centre: no edge through pixel centres passes through it.
#define GLRAST_VIEW_X 0.0013
#define GLRAST_VIEW_Y 0.0007

// A point of a run from the viewpoint, in its pixel whatever rounding did to it.
GLRAST_INLINE Spot seen_from_viewpoint(const double* edge, double s, double x, double y) {
    return Spot{clamp(edge[0] + s * (edge[2] - edge[0]) - x, -0.5, 0.5) - GLRAST_VIEW_X,
                clamp(edge[1] + s * (edge[3] - edge[1]) - y, -0.5, 0.5) - GLRAST_VIEW_Y};
}

// Where the ray from o to p leaves the pixel, and by which side: right, upper, left, lower.
struct Exit { Spot at; int side; };
GLRAST_INLINE Exit leave(Spot p) {
    // Numbers, not branches, which would be guessed wrong.
    const double wide = 0.5 - copysign(GLRAST_VIEW_X, p.x), high = 0.5 - copysign(GLRAST_VIEW_Y, p.y);
    const double x = fabs(p.x), y = fabs(p.y);
    const int sideways = wide * y <= high * x, from = sideways ? p.x > 0.0 : p.y > 0.0;
    const double most = sideways ? x : y, reach = sideways ? wide : high, t = most > 0.0 ? reach / most : 0.0;
    return Exit{Spot{t * p.x, t * p.y}, 3 - 2 * from - sideways};
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
    const Spot p = {left ? a.x : b.x, left ? a.y : b.y}, q = {left ? b.x : a.x, left ? b.y : a.y};  // counter-clockwise
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
    const double sign = left ? 1.0 : -1.0;
    return Area{sign * out.area, sign * out.x, sign * out.y};
}

GLRAST_INLINE Area cast_shadow(const double* edge, const double* ends, double x, double y) {
    const Area s = shadow_of(seen_from_viewpoint(edge, ends[0], x, y), seen_from_viewpoint(edge, ends[1], x, y));
    return Area{s.area, s.x + s.area * GLRAST_VIEW_X, s.y + s.area * GLRAST_VIEW_Y};  // about the pixel's centre
}

struct FragmentsShadowsArgs {
    static constexpr int work = 8;
    GLRAST_LIST_MEMBERS     // runs
    const double* edges;
    const int* run_edge;    // [count]
    const int64* run_pixel; // [count], counted over all images
    const double* run_ends; // [count,2]
    int columns;
    int lines;
    double* shadows;        // [count,3]: area and first moments about the pixel's centre
};

GLRAST_INLINE void write_shadow(const FragmentsShadowsArgs& a, int64 i) {
    const int64 pixel = a.run_pixel[i], line = pixel / a.columns;
    const double x = (double)(pixel - line * a.columns) + 0.5, y = (double)(line % a.lines) + 0.5;
    const Area s = cast_shadow(a.edges + GLRAST_EDGE * (int64)a.run_edge[i], a.run_ends + 2 * i, x, y);
    a.shadows[3 * i] = s.area;
    a.shadows[3 * i + 1] = s.x;
    a.shadows[3 * i + 2] = s.y;
}

GLRAST_INLINE void fragments_shadows_element(const FragmentsShadowsArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { write_shadow(a, i); });
}
GLRAST_KERNEL(fragments_shadows, FragmentsShadowsArgs)

// ---- sums ------------------------------------------------------------------------------------------------

#define GLRAST_LIGHTEST 1e-7         // of a pixel's area: fragments below are left out
#define GLRAST_PLAIN -1e-3           // a sum below is not of rounding
#define GLRAST_AHEAD 6               // pixels: what they need is asked for before it is used

struct FragmentsWeighArgs {
    static constexpr int work = 16;
    GLRAST_LIST_MEMBERS     // crossed pixels
    const int64* pixels;    // [count], ascending, counted over all images
    const int64* runs_at;   // [count+1]: where the runs of each begin in order
    const int64* order;     // [R]
    const int* run_sides;   // [R,2]
    const double* shadows;  // [R,3]
    const int* crossed;     // [N,H,W]: the number of a pixel that has a list, or -1; null: none has
    const int64* starts;    // lists, as in fragments_runs
    const int* triangles;
    const double* planes;
    int columns;
    int lines;
    int* part_triangle;     // [2 * R + count]: from 2 * runs_at[i] + i on what pixel i shows, ascending, -1: nothing
    double* part_area;      // [2 * R + count, 3]: weight and centre of gravity from the pixel's centre
    int* counts;            // [count]
};

// The triangle seen at a point, of a list.
GLRAST_INLINE int see(const FragmentsWeighArgs& a, int f, double x, double y) {
    int seen = GLRAST_NOTHING;
    double nearest = 0.0;
    for (int64 k = a.starts[f]; k < a.starts[f + 1]; ++k) {
        const int t = a.triangles[k];
        const Doubles4 at = values_at(a.planes + GLRAST_PLANES * (int64)t, x, y);
        const double z = get(at, 3);
        if (!(get(at, 0) >= 0.0 && get(at, 1) >= 0.0 && get(at, 2) >= 0.0)) continue;
        if (!(z >= -1.0 && z <= 1.0) || (seen != GLRAST_NOTHING && !(z < nearest - GLRAST_TIE))) continue;
        seen = t;
        nearest = z;
    }
    return seen;
}

// The parts of one pixel.
struct Parts { int* triangle; double* area; int count; };

// The sums of a triangle; it is put in its place where it is new.
GLRAST_INLINE double* part_of(Parts& p, int triangle) {
    int at = 0;
    while (at < p.count && p.triangle[at] < triangle) ++at;
    if (at == p.count || p.triangle[at] != triangle) {
        for (int i = p.count; i > at; --i) {
            p.triangle[i] = p.triangle[i - 1];
            for (int k = 0; k < 3; ++k) p.area[3 * i + k] = p.area[3 * (i - 1) + k];
        }
        p.triangle[at] = triangle;
        for (int k = 0; k < 3; ++k) p.area[3 * at + k] = 0.0;
        ++p.count;
    }
    return p.area + 3 * at;
}

GLRAST_INLINE void add_area(Parts& p, int triangle, Area s, double sign) {
    double* sum = part_of(p, triangle);
    sum[0] += sign * s.area;
    sum[1] += sign * s.x;
    sum[2] += sign * s.y;
}

// The same for a pixel that has one run, as most do: without a branch, which would be guessed wrong.
GLRAST_INLINE void part_in_two(Parts& p, int left, int right, Area s) {
    const bool turned = right < left;
    const double sign = turned ? 1.0 : -1.0;
    p.count = 2;
    p.triangle[0] = turned ? right : left;
    p.triangle[1] = turned ? left : right;
    for (int i = 0; i < 2; ++i) {
        const double by = i == 0 ? sign : -sign;
        p.area[3 * i] = by * s.area;
        p.area[3 * i + 1] = by * s.x;
        p.area[3 * i + 2] = by * s.y;
    }
}

// Which of the parts of one surface is seen at a point: the one that lacks area, or, where none plainly does, the one
// that the point is deepest inside.
GLRAST_INLINE int lacking(const FragmentsWeighArgs& a, const Parts& parts, double x, double y) {
    int least = 0;
    for (int i = 1; i < parts.count; ++i) {
        least = parts.area[3 * i] < parts.area[3 * least] ? i : least;
    }
    if (parts.area[3 * least] < GLRAST_PLAIN) return least;
    double deepest = -1e300;
    for (int i = 0; i < parts.count; ++i) {
        if (parts.triangle[i] == GLRAST_NOTHING) continue;
        const Doubles4 at = values_at(a.planes + GLRAST_PLANES * (int64)parts.triangle[i], x, y);
        const double inside = lower(get(at, 0), lower(get(at, 1), get(at, 2)));
        if (inside > deepest) { deepest = inside; least = i; }
    }
    return least;
}

GLRAST_INLINE void weigh_parts(const FragmentsWeighArgs& a, int64 i) {
    const int64 pixel = a.pixels[i], line = pixel / a.columns, begin = 2 * a.runs_at[i] + i;
    const double x = (double)(pixel - line * a.columns) + 0.5, y = (double)(line % a.lines) + 0.5;
    Parts parts = {a.part_triangle + begin, a.part_area + 3 * begin, 0};
    const bool is_one = a.runs_at[i + 1] - a.runs_at[i] == 1;
    for (int64 k = a.runs_at[i]; k < a.runs_at[i + 1]; ++k) {
        const int64 r = a.order[k];
        const Area s = {a.shadows[3 * r], a.shadows[3 * r + 1], a.shadows[3 * r + 2]};
        const int left = a.run_sides[2 * r], right = a.run_sides[2 * r + 1];
        if (is_one && left != right) { part_in_two(parts, left, right, s); break; }
        add_area(parts, left, s, -1.0);
        add_area(parts, right, s, 1.0);
    }
    const int f = a.crossed ? a.crossed[pixel] : -1;
    const double view_x = x + GLRAST_VIEW_X, view_y = y + GLRAST_VIEW_Y;
    if (f >= 0) part_of(parts, see(a, f, view_x, view_y))[0] += 1.0;
    else parts.area[3 * lacking(a, parts, view_x, view_y)] += 1.0;
    double total = 0.0;
    for (int k = 0; k < parts.count; ++k) total += upper(parts.area[3 * k], 0.0);
    // Areas sum to 1 but for rounding, and for surfaces in one plane that no rule could tell apart.
    const double scale = 1.0 / total;
    int kept = 0;
    for (int k = 0; k < parts.count; ++k) {
        const double area = parts.area[3 * k], weight = area * scale, by_area = 1.0 / area;
        if (!(weight > GLRAST_LIGHTEST)) continue;
        const double at_x = clamp(parts.area[3 * k + 1] * by_area, -0.5, 0.5), at_y = clamp(parts.area[3 * k + 2] * by_area, -0.5, 0.5);
        double* out = parts.area + 3 * kept;
        out[0] = weight;
        out[1] = at_x;
        out[2] = at_y;
        parts.triangle[kept++] = parts.triangle[k];
    }
    a.counts[i] = kept;
}

GLRAST_INLINE void fragments_weigh_element(const FragmentsWeighArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) {
        if (i + GLRAST_AHEAD < a.count) {  // runs lie by boundary, so those of a pixel apart
            for (int64 k = a.runs_at[i + GLRAST_AHEAD]; k < a.runs_at[i + GLRAST_AHEAD + 1]; ++k) {
                ask_for(a.shadows + 3 * a.order[k]);
                ask_for(a.run_sides + 2 * a.order[k]);
            }
        }
        weigh_parts(a, i);
    });
}
GLRAST_KERNEL(fragments_weigh, FragmentsWeighArgs)
