// Runs: the visible parts of a piece of a boundary, each with what is seen on its left and on its right.
//
// Along an edge, s from 0 at A to 1 at B, the b_k and z/w of a triangle are affine, so each triangle of the pixel's list
// hides one interval: where all b_k >= 0, -1 <= z/w <= 1 and its z/w is the smaller. A vertex that it shares with the edge
// is set exactly: its other b_k are 0 there, and so is the difference in depth. That keeps closed meshes closed.
// Where one side of the edge has no triangle of its own, what lies beyond is found in the same way on the line that is
// moved a little to that side.
//
// Surfaces within GLRAST_TIE are in one plane: the lower index is in front. A triangle whose border is the edge itself,
// to GLRAST_BORDER, covers it: so of two borders on one line, one alone is a boundary.
#pragma once
#include "fragments_walk.cuh"

#define GLRAST_TIE 1e-11             // of z/w
#define GLRAST_BORDER 1e-9           // pixels
#define GLRAST_BEYOND 1e-7           // pixels
#define GLRAST_SHORT 1e-9            // of an edge: shorter runs are left out
#define GLRAST_SPANS 16              // hidden intervals kept of a piece; where there are more they are found again each time

struct FragmentsRunsArgs {
    static constexpr int work = 64;  // triangles of a pixel that a piece is held against, and more
    int width;              // pieces in a row
    int H;                  // 1
    int64 rows;
    int64 count;            // of pieces
    const int* piece_edge;  // [count]
    const int64* piece_pixel;
    const double* piece_ends;  // [count,2]
    const double* edges;    // [K,10]
    const int* info;        // [K,6]
    const int* crossed;     // [N,H,W]: number of a crossed pixel
    const int64* starts;    // [F+1]: where a crossed pixel's triangles begin
    const int* triangles;   // ascending
    const int* tri;         // as in fragments_planes
    int64 tri_stride;
    const int64* images;
    const double* planes;
    const int64* places;    // [count]: where a piece's runs go; null: they are counted
    int* counts;            // [count]
    double* first_ends;     // [count,2]: the first run of each, kept when they are counted: most have no other
    int* first_sides;       // [count,2]
    char* crosses;          // [count]: the piece goes through a triangle
    int* run_edge;          // [R]
    int* run_pixel;         // [R]: number of the crossed pixel
    double* run_ends;       // [R,2]
    int* run_sides;         // [R,2]: triangle on the left and on the right, or -1
};

// crosses: within it the depth of the line and of the triangle become equal: the boundary goes through the triangle.
struct Span { double lo, hi; bool crosses; };

// A line on the screen with the depth of the boundary on it.
struct Track { double x, y, dx, dy, z0, z1; };

struct Piece {
    Track track;
    double lo, hi;
    int v1, v2;             // vertices at its ends; a line's are negative
    bool begins, ends;      // s = 0 is v1, s = 1 is v2
    int left, right;
    int owner;              // the lowest of the triangles it belongs to
    const int* triangles;   // of its pixel
    int count;
    const int* tri;         // of triangle t of all images': tri + 3 * (t + shift)
    int64 shift;
    const double* planes;
};

GLRAST_INLINE const int* vertices_of(const Piece& p, int t) { return p.tri + 3 * (t + p.shift); }
GLRAST_INLINE bool has(const int* v, int vertex) { return v[0] == vertex || v[1] == vertex || v[2] == vertex; }

// Is the boundary this triangle's own?
GLRAST_INLINE bool is_own(const Piece& p, int t) {
    if (p.v1 < 0) return t == -1 - p.v1 || t == -1 - p.v2;
    const int* v = vertices_of(p, t);
    return has(v, p.v1) && has(v, p.v2);
}

// The part of lo..hi where a triangle covers the line, and its depth at both ends. zero[end] has bit k set where b_k is 0.
// A border that is the line to `slack` pixels counts as covered; where it meets the line in a vertex, only if it is that
// on all of it.
GLRAST_INLINE Span covered(const double* planes, const Track& l, Span s, const int zero[2], double slack, double z[2]) {
    z[0] = z[1] = 0.0;
    for (int k = 0; k < 4 && s.hi > s.lo; ++k) {
        double c = value_at(planes, k, l.x, l.y), d = value_at(planes, k, l.x + l.dx, l.y + l.dy);
        if (k == 3) {
            z[0] = c;
            z[1] = d;
            if (fabs(c) > 1.0 || fabs(d) > 1.0) {
                clip_line(c + 1.0, d - c, &s.lo, &s.hi);
                clip_line(1.0 - c, c - d, &s.lo, &s.hi);
            }
        } else {
            const double A = planes[3 * k], B = planes[3 * k + 1], on_border = slack > 0.0 ? slack * sqrt(A * A + B * B) : 0.0;
            const bool first = zero[0] >> k & 1, second = zero[1] >> k & 1;
            if (first) { c = 0.0; if (fabs(d) <= on_border) d = 0.0; }
            if (second) { d = 0.0; if (fabs(c) <= on_border) c = 0.0; }
            clip_line(first || second ? c : c + on_border, d - c, &s.lo, &s.hi);
        }
    }
    return s;
}

// The bits of the vertices that are not this one.
GLRAST_INLINE int others(const int* v, int vertex) { return (v[0] != vertex ? 1 : 0) | (v[1] != vertex ? 2 : 0) | (v[2] != vertex ? 4 : 0); }

// The part of a piece that triangle t hides; empty: hi <= lo.
GLRAST_INLINE Span hidden(const Piece& p, int t) {
    Span s = {p.lo, p.hi, false};
    const Span nothing = {1.0, 0.0, false};
    if (is_own(p, t)) return nothing;
    const int* v = vertices_of(p, t);
    const bool first = p.v1 >= 0 && has(v, p.v1), second = p.v1 >= 0 && has(v, p.v2);
    const int zero[2] = {first && p.begins ? others(v, p.v1) : 0, second && p.ends ? others(v, p.v2) : 0};
    double z[2];
    s = covered(p.planes + GLRAST_PLANES * (int64)t, p.track, s, zero, GLRAST_BORDER, z);
    if (!(s.hi > s.lo)) return nothing;
    const double from = zero[0] ? 0.0 : z[0] - p.track.z0, to = zero[1] ? 0.0 : z[1] - p.track.z1;
    const double at_lo = from + s.lo * (to - from), at_hi = from + s.hi * (to - from);
    if (fabs(at_lo) <= GLRAST_TIE && fabs(at_hi) <= GLRAST_TIE) return t < p.owner ? s : nothing;
    s.crosses = fmin(at_lo, at_hi) < -GLRAST_TIE && fmax(at_lo, at_hi) > GLRAST_TIE;
    clip_line(-GLRAST_TIE - from, from - to, &s.lo, &s.hi);
    return s;
}

// The hidden intervals of a piece.
struct Spans {
    Span kept[GLRAST_SPANS];
    int count;              // more than are kept: all are found again each time
    bool all;               // the whole piece is hidden
    bool crosses;           // one of them crosses
};

GLRAST_INLINE Spans find_spans(const Piece& p) {
    Spans out;
    out.count = 0;
    out.all = out.crosses = false;
    for (int i = 0; i < p.count && !out.all; ++i) {
        const Span s = hidden(p, p.triangles[i]);
        if (!(s.hi > s.lo)) continue;
        if (s.lo <= p.lo && s.hi >= p.hi) out.all = true;
        out.crosses = out.crosses || s.crosses;
        if (out.count < GLRAST_SPANS) out.kept[out.count] = s;
        ++out.count;
    }
    return out;
}

// Calls each(span) for all hidden intervals.
template <class Each>
GLRAST_INLINE void for_each_span(const Piece& p, const Spans& spans, Each each) {
    if (spans.count <= GLRAST_SPANS) {
        for (int i = 0; i < spans.count; ++i) each(spans.kept[i]);
        return;
    }
    for (int i = 0; i < p.count; ++i) {
        const Span s = hidden(p, p.triangles[i]);
        if (s.hi > s.lo) each(s);
    }
}

// ---- what lies beyond ------------------------------------------------------------------------------------

struct Beyond { int triangle; double stop; };

// The nearest triangle on the line moved to the empty side, just after s, and how far it is that, at most until `end`.
GLRAST_INLINE Beyond find_beyond(const Piece& p, const Track& moved, double s, double end) {
    const int zero[2] = {0, 0};
    const double q = s + GLRAST_SHORT;
    const Span whole = {p.lo, p.hi, false};
    int seen = GLRAST_NOTHING;
    double nearest = 0.0, seen_end = end, z[2], seen_z[2] = {0.0, 0.0};
    for (int i = 0; i < p.count; ++i) {
        const int t = p.triangles[i];
        if (is_own(p, t)) continue;
        const Span c = covered(p.planes + GLRAST_PLANES * (int64)t, moved, whole, zero, 0.0, z);
        if (!(c.lo <= q && q < c.hi)) continue;
        const double depth = z[0] + q * (z[1] - z[0]);
        if (seen != GLRAST_NOTHING && !(depth < nearest - GLRAST_TIE)) continue;
        seen = t;
        nearest = depth;
        seen_end = c.hi;
        seen_z[0] = z[0];
        seen_z[1] = z[1];
    }
    double stop = seen == GLRAST_NOTHING ? end : fmin(end, seen_end);
    for (int i = 0; i < p.count; ++i) {
        const int t = p.triangles[i];
        if (t == seen || is_own(p, t)) continue;
        const Span c = covered(p.planes + GLRAST_PLANES * (int64)t, moved, whole, zero, 0.0, z);
        if (!(c.hi > q && c.lo < stop && c.hi > c.lo)) continue;
        if (seen == GLRAST_NOTHING) {
            if (c.lo > q) stop = fmin(stop, c.lo);
            continue;
        }
        const double from = fmax(c.lo, q), to = fmin(c.hi, stop), g0 = z[0] - seen_z[0], g1 = z[1] - seen_z[1];
        const double at_from = g0 + from * (g1 - g0), at_to = g0 + to * (g1 - g0);
        const bool in_plane = fabs(at_from) <= GLRAST_TIE && fabs(at_to) <= GLRAST_TIE;
        if (c.lo > q && (at_from < -GLRAST_TIE || (in_plane && t < seen))) stop = fmin(stop, c.lo);
        else if (at_to < -GLRAST_TIE && at_from >= -GLRAST_TIE)
            stop = fmin(stop, at_from > 0.0 ? from + (to - from) * at_from / (at_from - at_to) : from);
    }
    return Beyond{seen, fmin(fmax(stop, s + 2.0 * GLRAST_SHORT), end)};
}

// ---- runs ------------------------------------------------------------------------------------------------

// Calls emit(s0, s1, left, right) for each visible run of a piece.
template <class Emit>
GLRAST_INLINE void for_each_run(const Piece& p, const Spans& spans, Emit emit) {
    if (spans.all) return;
    const bool search = p.left == GLRAST_NOTHING || p.right == GLRAST_NOTHING;
    const double length = sqrt(p.track.dx * p.track.dx + p.track.dy * p.track.dy);
    const double out = (p.right == GLRAST_NOTHING ? 1.0 : -1.0) * GLRAST_BEYOND / length;
    Track moved = p.track;
    moved.x += out * p.track.dy;
    moved.y -= out * p.track.dx;
    double s = p.lo;
    for (int round = 0; round <= p.count + 1; ++round) {
        for (bool advanced = true; advanced;) {
            advanced = false;
            for_each_span(p, spans, [&](Span h) {
                if (h.hi > s && h.lo <= s + GLRAST_SHORT) { s = h.hi; advanced = true; }
            });
        }
        if (!(s < p.hi - GLRAST_SHORT)) return;
        double end = p.hi;
        for_each_span(p, spans, [&](Span h) { if (h.lo > s) end = fmin(end, h.lo); });
        for (int64 part = 0; s < end - GLRAST_SHORT; ++part) {
            Beyond beyond = {GLRAST_NOTHING, end};
            if (search) beyond = find_beyond(p, moved, s, end);
            if (part >= 4 * (int64)p.count + 8) beyond.stop = end;  // events are at most that many
            emit(s, beyond.stop, p.left == GLRAST_NOTHING ? beyond.triangle : p.left,
                 p.right == GLRAST_NOTHING ? beyond.triangle : p.right);
            s = beyond.stop;
        }
        s = fmax(s, end);
    }
}

// Piece `ends` of boundary e in crossed pixel f.
template <class Args>
GLRAST_INLINE Piece piece_of(const Args& a, int e, int f, const double* ends) {
    const double* edge = a.edges + GLRAST_EDGE * (int64)e;
    const int* info = a.info + GLRAST_EDGE_INFO * (int64)e;
    const int64* image = a.images + 3 * (int64)info[3];
    const int left = info[0], right = info[1];
    Piece p;
    p.track = Track{edge[0], edge[1], edge[2] - edge[0], edge[3] - edge[1], edge[4], edge[5]};
    p.lo = ends[0];
    p.hi = ends[1];
    p.v1 = info[4];
    p.v2 = info[5];
    p.begins = info[2] & GLRAST_BEGINS;
    p.ends = info[2] & GLRAST_ENDS;
    p.left = left;
    p.right = right;
    p.owner = left == GLRAST_NOTHING || (right != GLRAST_NOTHING && right < left) ? right : left;
    p.triangles = a.triangles + a.starts[f];
    p.count = (int)(a.starts[f + 1] - a.starts[f]);
    p.tri = a.tri + (int64)info[3] * a.tri_stride;
    p.shift = image[0] - image[2];
    p.planes = a.planes;
    return p;
}

GLRAST_INLINE void write_run(const FragmentsRunsArgs& a, int64 out, int e, int f, double from, double to, int left, int right) {
    a.run_edge[out] = e;
    a.run_pixel[out] = f;
    a.run_ends[2 * out] = from;
    a.run_ends[2 * out + 1] = to;
    a.run_sides[2 * out] = left;
    a.run_sides[2 * out + 1] = right;
}

GLRAST_INLINE void find_piece_runs(const FragmentsRunsArgs& a, int64 i) {
    const int e = a.piece_edge[i], f = a.crossed[a.piece_pixel[i]];
    double* first_ends = a.first_ends + 2 * i;
    int* first_sides = a.first_sides + 2 * i;
    if (a.places && a.counts[i] == 0) return;
    if (a.places && a.counts[i] == 1) {
        write_run(a, a.places[i], e, f, first_ends[0], first_ends[1], first_sides[0], first_sides[1]);
        return;
    }
    const Piece p = piece_of(a, e, f, a.piece_ends + 2 * i);
    const Spans spans = find_spans(p);
    if (!a.places) a.crosses[i] = spans.crosses;
    int n = 0;
    for_each_run(p, spans, [&](double from, double to, int on_left, int on_right) {
        if (a.places) write_run(a, a.places[i] + n, e, f, from, to, on_left, on_right);
        else if (n == 0) {
            first_ends[0] = from;
            first_ends[1] = to;
            first_sides[0] = on_left;
            first_sides[1] = on_right;
        }
        ++n;
    });
    if (!a.places) a.counts[i] = n;
}

GLRAST_INLINE void fragments_runs_element(const FragmentsRunsArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { find_piece_runs(a, i); });
}
GLRAST_KERNEL(fragments_runs, FragmentsRunsArgs)
