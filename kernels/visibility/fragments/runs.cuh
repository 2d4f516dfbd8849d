// Runs: the visible parts of a piece of a boundary, each with what is seen on its left and on its right.
//
// A piece is seen where none of the pixel's triangles hides it (hidden.cuh). Where one side of the edge has no triangle of its
// own, what lies beyond is found in the same way on the line that is moved a little to that side.
#pragma once
#include "visibility/fragments/hidden.cuh"

#define GLRAST_BEYOND 1e-7           // pixels
#define GLRAST_SHORT 1e-9            // of an edge: shorter runs are left out
#define GLRAST_SPANS 16              // hidden intervals kept of a piece; where there are more they are found again each time

struct FragmentsRunsArgs {
    static constexpr int work = 64;  // triangles of a pixel that a piece is held against, and more
    GLRAST_LIST_MEMBERS     // pieces
    GLRAST_PIECE_MEMBERS
    double* first_ends;     // [count,2]: the first run of each, kept when they are counted: most have no other
    int* first_sides;       // [count,2]
    char* crosses;          // [count]: the piece goes through a triangle
    int* run_edge;          // [R]
    int64* run_pixel;       // [R], counted over all images
    double* run_ends;       // [R,2]
    int* run_sides;         // [R,2]: triangle on the left and on the right, or -1
};

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
    for_each_hiding(p, [&](int, Span s) {
        if (s.lo <= p.lo && s.hi >= p.hi) out.all = true;
        out.crosses = out.crosses || s.crosses;
        if (out.count < GLRAST_SPANS) out.kept[out.count] = s;
        ++out.count;
        return out.all;
    });
    return out;
}

// Calls each(span) for all hidden intervals.
template <class Each>
GLRAST_INLINE void for_each_span(const Piece& p, const Spans& spans, Each each) {
    if (spans.count <= GLRAST_SPANS) {
        for (int i = 0; i < spans.count; ++i) each(spans.kept[i]);
        return;
    }
    for_each_hiding(p, [&](int, Span s) { each(s); return false; });
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
    double stop = seen == GLRAST_NOTHING ? end : lower(end, seen_end);
    for (int i = 0; i < p.count; ++i) {
        const int t = p.triangles[i];
        if (t == seen || is_own(p, t)) continue;
        const Span c = covered(p.planes + GLRAST_PLANES * (int64)t, moved, whole, zero, 0.0, z);
        if (!(c.hi > q && c.lo < stop && c.hi > c.lo)) continue;
        if (seen == GLRAST_NOTHING) {
            if (c.lo > q) stop = lower(stop, c.lo);
            continue;
        }
        const double from = upper(c.lo, q), to = lower(c.hi, stop), g0 = z[0] - seen_z[0], g1 = z[1] - seen_z[1];
        const double at_from = g0 + from * (g1 - g0), at_to = g0 + to * (g1 - g0);
        const bool in_plane = fabs(at_from) <= GLRAST_TIE && fabs(at_to) <= GLRAST_TIE;
        if (c.lo > q && (at_from < -GLRAST_TIE || (in_plane && t < seen))) stop = lower(stop, c.lo);
        else if (at_to < -GLRAST_TIE && at_from >= -GLRAST_TIE)
            stop = lower(stop, at_from > 0.0 ? from + (to - from) * at_from / (at_from - at_to) : from);
    }
    return Beyond{seen, lower(upper(stop, s + 2.0 * GLRAST_SHORT), end)};
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
        for_each_span(p, spans, [&](Span h) { if (h.lo > s) end = lower(end, h.lo); });
        for (int64 part = 0; s < end - GLRAST_SHORT; ++part) {
            Beyond beyond = {GLRAST_NOTHING, end};
            if (search) beyond = find_beyond(p, moved, s, end);
            if (part >= 4 * (int64)p.count + 8) beyond.stop = end;  // events are at most that many
            emit(s, beyond.stop, p.left == GLRAST_NOTHING ? beyond.triangle : p.left,
                 p.right == GLRAST_NOTHING ? beyond.triangle : p.right);
            s = beyond.stop;
        }
        s = upper(s, end);
    }
}

GLRAST_INLINE void write_run(const FragmentsRunsArgs& a, int64 out, int e, int64 pixel, double from, double to, int left, int right) {
    a.run_edge[out] = e;
    a.run_pixel[out] = pixel;
    a.run_ends[2 * out] = from;
    a.run_ends[2 * out + 1] = to;
    a.run_sides[2 * out] = left;
    a.run_sides[2 * out + 1] = right;
}

GLRAST_INLINE void find_piece_runs(const FragmentsRunsArgs& a, int64 i) {
    const int e = a.piece_edge[i];
    const int64 pixel = a.piece_pixel[i];
    double* first_ends = a.first_ends + 2 * i;
    int* first_sides = a.first_sides + 2 * i;
    if (a.places && a.counts[i] == 0) return;
    if (a.places && a.counts[i] == 1) {
        write_run(a, a.places[i], e, pixel, first_ends[0], first_ends[1], first_sides[0], first_sides[1]);
        return;
    }
    const Piece p = piece_of(a, e, a.crossed[pixel], a.piece_ends + 2 * i);
    const Spans spans = find_spans(p);
    if (!a.places) a.crosses[i] = spans.crosses;
    int n = 0;
    for_each_run(p, spans, [&](double from, double to, int on_left, int on_right) {
        if (a.places) write_run(a, a.places[i] + n, e, pixel, from, to, on_left, on_right);
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
