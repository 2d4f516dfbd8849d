// Do vertices lie in one place, to the last bit? Mostly none do; then nothing need be sorted.    one thread = one vertex
#pragma once
#include "visibility/fragments/members.cuh"

struct FragmentsWeldArgs {
    int width;              // V
    int H;                  // 1
    int64 rows;             // 1 or N
    const float* pos;       // [rows,V,4]
    int* table;             // [rows,size], -1: who came first of those with a number
    int size;               // a power of two, more than V
    int* found;             // [1], zero: how many vertices lie where another does
};

GLRAST_INLINE unsigned number_of(Float4 p) {  // -0 lies where 0 does
    const float v[4] = {p.x + 0.0f, p.y + 0.0f, p.z + 0.0f, p.w + 0.0f};
    unsigned out = 0;
    for (int k = 0; k < 4; ++k) {
        out = (out ^ (unsigned)float_bits(v[k])) * 0x9e3779b1u;
        out ^= out >> 15;
    }
    return out;
}

// Whoever of two in one place comes second meets the first on its way: nobody leaves the table.
GLRAST_INLINE void find_weld(const FragmentsWeldArgs& a, int x, Row row) {
    const float* pos = a.pos + 4 * row.index * a.width;
    int* table = a.table + row.index * a.size;
    const Float4 p = load4(pos + 4 * (int64)x);
    if (!(p.x == p.x && p.y == p.y && p.z == p.z && p.w == p.w)) return;  // NaN lies nowhere
    const unsigned last = (unsigned)a.size - 1;
    for (unsigned at = number_of(p) & last;; at = (at + 1) & last) {
        const int other = claim(table + at, x);
        if (other < 0) return;
        const Float4 q = load4(pos + 4 * (int64)other);
        if (p.x == q.x && p.y == q.y && p.z == q.z && p.w == q.w) { count_up(a.found, 1); return; }
    }
}

GLRAST_INLINE void fragments_weld_element(const FragmentsWeldArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_weld(a, x, row);
}
GLRAST_KERNEL(fragments_weld, FragmentsWeldArgs)
