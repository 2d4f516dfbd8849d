// The part of a piece of a boundary that a triangle hides.
//
// Along an edge, s from 0 at A to 1 at B, the b_k and z/w of a triangle are affine, so each triangle of the pixel's list
// hides one interval: where all b_k >= 0, -1 <= z/w <= 1 and its z/w is the smaller. A vertex that it shares with the edge
// is set exactly: its other b_k are 0 there, and so is the difference in depth. That keeps closed meshes closed.
//
// Surfaces within GLRAST_TIE are in one plane: the lower index is in front. A triangle whose border is the edge itself,
// to GLRAST_BORDER, covers it: so of two borders on one line, one alone is a boundary.
#pragma once
#include "visibility/fragments/lines.cuh"

#define GLRAST_TIE 1e-11             // of z/w
#define GLRAST_BORDER 1e-9           // pixels
#define GLRAST_AT_ONCE 32            // triangles of a pixel that are asked together

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
    const int* corners;
    const double* planes;
    Spot from, to;          // where it begins and ends
    double z_from, z_to;
};

GLRAST_INLINE const int* vertices_of(const Piece& p, int t) { return p.corners + 3 * (int64)t; }
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
    const Doubles4 at_from = values_at(planes, l.x, l.y), at_to = values_at(planes, l.x + l.dx, l.y + l.dy);
    z[0] = z[1] = 0.0;
    for (int k = 0; k < 4 && s.hi > s.lo; ++k) {
        double c = get(at_from, k), d = get(at_to, k);
        if (k == 3) {
            z[0] = c;
            z[1] = d;
            if (fabs(c) > 1.0 || fabs(d) > 1.0) {
                clip_line(c + 1.0, d - c, &s.lo, &s.hi);
                clip_line(1.0 - c, c - d, &s.lo, &s.hi);
            }
        } else {
            const double A = planes[k], B = planes[4 + k], on_border = slack > 0.0 ? slack * sqrt(A * A + B * B) : 0.0;
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

// Beyond which edges of a triangle a point plainly is, by bits.
GLRAST_INLINE int outside(const double* planes, Spot p) {
    int out = 0;
    for (int k = 0; k < 3; ++k) {
        out |= (int)(value_at(planes, k, p.x, p.y) < -2.0 * GLRAST_BORDER * (fabs(planes[k]) + fabs(planes[4 + k]))) << k;
    }
    return out;
}

// Most triangles plainly hide nothing of a piece: they lie behind both its ends, or both are beyond one of their edges.
// Asked of all before anything is looked at that seldom counts: one branch each would be guessed wrong.
GLRAST_INLINE bool may_hide(const Piece& p, int t) {
    const double *planes = p.planes + GLRAST_PLANES * (int64)t, border = 2.0 * GLRAST_BORDER;
    const Doubles4 sign = four(1.0, 1.0, 1.0, -1.0);
    const Doubles4 from = values_at(planes, p.from.x, p.from.y) * sign + four(0.0, 0.0, 0.0, p.z_from + GLRAST_TIE);
    const Doubles4 to = values_at(planes, p.to.x, p.to.y) * sign + four(0.0, 0.0, 0.0, p.z_to + GLRAST_TIE);
    const Doubles4 slack = (magnitude(load_four(planes)) + magnitude(load_four(planes + 4))) * four(border, border, border, 0.0);
    return !any_negative(larger(from, to) + slack);
}

// The part of a piece that triangle t, which may hide some of it, does hide; empty: hi <= lo.
GLRAST_INLINE Span hidden_by(const Piece& p, int t) {
    Span s = {p.lo, p.hi, false};
    const Span nothing = {1.0, 0.0, false};
    const double* planes = p.planes + GLRAST_PLANES * (int64)t;
    const int* v = vertices_of(p, t);
    const bool first = p.v1 >= 0 && has(v, p.v1), second = p.v1 >= 0 && has(v, p.v2);
    if (p.v1 < 0 ? is_own(p, t) : first && second) return nothing;
    const int zero[2] = {first && p.begins ? others(v, p.v1) : 0, second && p.ends ? others(v, p.v2) : 0};
    // A piece may begin in a vertex of the triangle and lead away.
    if ((zero[0] && zero[0] & outside(planes, p.to)) || (zero[1] && zero[1] & outside(planes, p.from))) return nothing;
    double z[2];
    s = covered(planes, p.track, s, zero, GLRAST_BORDER, z);
    if (!(s.hi > s.lo)) return nothing;
    const double from = zero[0] ? 0.0 : z[0] - p.track.z0, to = zero[1] ? 0.0 : z[1] - p.track.z1;
    const double at_lo = from + s.lo * (to - from), at_hi = from + s.hi * (to - from);
    if (fabs(at_lo) <= GLRAST_TIE && fabs(at_hi) <= GLRAST_TIE) return t < p.owner ? s : nothing;
    s.crosses = lower(at_lo, at_hi) < -GLRAST_TIE && upper(at_lo, at_hi) > GLRAST_TIE;
    clip_line(-GLRAST_TIE - from, from - to, &s.lo, &s.hi);
    return s;
}

GLRAST_INLINE Span hidden(const Piece& p, int t) { return may_hide(p, t) ? hidden_by(p, t) : Span{1.0, 0.0, false}; }

// Calls each(t, span) for the triangles of a pixel that hide a part of a piece, until it says true.
template <class Each>
GLRAST_INLINE void for_each_hiding(const Piece& p, Each each) {
    for (int begin = 0; begin < p.count; begin += GLRAST_AT_ONCE) {
        const int count = lesser(p.count - begin, GLRAST_AT_ONCE);
        unsigned some = 0;
        for (int i = 0; i < count; ++i) some |= (unsigned)may_hide(p, p.triangles[begin + i]) << i;
        for (; some; some &= some - 1) {
            const int t = p.triangles[begin + lowest_bit(some)];
            const Span s = hidden_by(p, t);
            if (s.hi > s.lo && each(t, s)) return;
        }
    }
}

// Piece `ends` of boundary e in crossed pixel f.
template <class Args>
GLRAST_INLINE Piece piece_of(const Args& a, int e, int f, const double* ends) {
    const double* edge = a.edges + GLRAST_EDGE * (int64)e;
    const int* info = a.info + GLRAST_EDGE_INFO * (int64)e;
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
    p.corners = a.corners;
    p.planes = a.planes;
    p.from = Spot{p.track.x + p.lo * p.track.dx, p.track.y + p.lo * p.track.dy};
    p.to = Spot{p.track.x + p.hi * p.track.dx, p.track.y + p.hi * p.track.dy};
    p.z_from = p.track.z0 + p.lo * (p.track.z1 - p.track.z0);
    p.z_to = p.track.z0 + p.hi * (p.track.z1 - p.track.z0);
    return p;
}
