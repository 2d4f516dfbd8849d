// Intersections that no two neighbouring pixel centres see: where a boundary goes through a triangle, the triangles on its
// sides intersect that one.
#pragma once
#include "visibility/fragments/hidden.cuh"

struct FragmentsPierceArgs {
    GLRAST_LIST_MEMBERS     // pieces
    const int64* pieces;    // [count]: those that go through a triangle
    GLRAST_PIECE_MEMBERS
    int64* pairs;           // [.,3]: image and two chosen triangles, the lower first
};

// The triangles on both sides of a boundary that goes through t intersect it.
GLRAST_INLINE void find_pierced(const FragmentsPierceArgs& a, int64 i) {
    const int64 piece = a.pieces[i];
    const int e = a.piece_edge[piece];
    const Piece p = piece_of(a, e, a.crossed[a.piece_pixel[piece]], a.piece_ends + 2 * piece);
    int n = 0;
    for_each_hiding(p, [&](int t, Span s) {
        const int sides[2] = {p.left, p.right};
        for (int side = 0; side < 2 && s.crosses; ++side) {
            const int other = sides[side];
            if (other == GLRAST_NOTHING || shared_vertices(vertices_of(p, t), vertices_of(p, other)) >= 2) continue;
            if (a.places) {
                int64* pair = a.pairs + 3 * (a.places[i] + n);
                pair[0] = a.info[GLRAST_EDGE_INFO * (int64)e + 3];
                pair[1] = t < other ? t : other;
                pair[2] = t < other ? other : t;
            }
            ++n;
        }
        return false;
    });
    if (!a.places) a.counts[i] = n;
}

GLRAST_INLINE void fragments_pierce_element(const FragmentsPierceArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { find_pierced(a, i); });
}
GLRAST_KERNEL(fragments_pierce, FragmentsPierceArgs)
