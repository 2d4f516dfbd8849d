// The image of pixels and fragments: crossed pixels show the weighted sum of theirs, others what they are.
//                                                                                         one thread = one pixel
#pragma once
#include "visibility/fragments/lists.cuh"

// Fragments lie by pixel, ascending.
//   frag_color [F,C];  weight [F];  pixel [F], counted over all images;  lines_at [N*H+1]: where those of each line begin
#define GLRAST_RESOLVE_MEMBERS \
    int C; const float* frag_color; const float* weight; const int64* pixel; const int64* lines_at;

// Calls each(from, to, p) for the pixels p of a part of a row that have fragments, from `from` on up to `to`.
template <class Args, class Each>
GLRAST_INLINE void for_each_crossed(const Args& a, int64 first, int count, Row row, Each each) {
    const int64 end = a.lines_at[row.index + 1];
    for (int64 f = first_from(a.pixel, a.lines_at[row.index], end, first); f < end && a.pixel[f] < first + count;) {
        const int64 from = f, p = a.pixel[f];
        while (f < end && a.pixel[f] == p) ++f;
        each(from, f, p);
    }
}

struct FragmentsResolveArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_RESOLVE_MEMBERS
    const float* color;     // [N,H,W,C]
    float* out;             // [N,H,W,C]
};

// The sum of fragments from `from` on up to `to`; C is the number of channels.
GLRAST_INLINE void sum_parts(const FragmentsResolveArgs& a, int64 from, int64 to, int C, float* out) {
    for (int c = 0; c < C; ++c) out[c] = 0.0f;
    for (int64 f = from; f < to; ++f) {
        for (int c = 0; c < C; ++c) out[c] += a.weight[f] * a.frag_color[f * C + c];
    }
}

GLRAST_INLINE void fragments_resolve_element(const FragmentsResolveArgs& a, int x, int count, Row row) {
    const int64 first = row.index * a.width + x;
    for (int64 i = first * a.C; i < (first + count) * a.C; ++i) a.out[i] = a.color[i];
    for_each_crossed(a, first, count, row, [&](int64 from, int64 to, int64 p) {
        if (a.C == 3) {  // known, it takes a third of the time
            float sum[3];
            sum_parts(a, from, to, 3, sum);
            for (int c = 0; c < 3; ++c) a.out[3 * p + c] = sum[c];
        } else {
            sum_parts(a, from, to, a.C, a.out + p * a.C);
        }
    });
}
GLRAST_KERNEL(fragments_resolve, FragmentsResolveArgs)

struct FragmentsResolveBackwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_RESOLVE_MEMBERS
    const float* grad;      // [N,H,W,C]
    float* grad_color;      // [N,H,W,C], or null
    float* grad_frag_color; // [F,C], or null
    float* grad_weight;     // [F], or null
};

GLRAST_INLINE void part_gradient(const FragmentsResolveBackwardArgs& a, int64 from, int64 to, int C, const float* grad) {
    for (int64 f = from; f < to; ++f) {
        const float weight = a.weight[f];
        float sum = 0.0f;
        for (int c = 0; c < C; ++c) sum += grad[c] * a.frag_color[f * C + c];
        if (a.grad_weight) a.grad_weight[f] = sum;
        if (!a.grad_frag_color) continue;
        for (int c = 0; c < C; ++c) a.grad_frag_color[f * C + c] = weight * grad[c];
    }
}

GLRAST_INLINE void fragments_resolve_backward_element(const FragmentsResolveBackwardArgs& a, int x, int count, Row row) {
    const int64 first = row.index * a.width + x;
    if (a.grad_color) {
        for (int64 i = first * a.C; i < (first + count) * a.C; ++i) a.grad_color[i] = a.grad[i];
    }
    for_each_crossed(a, first, count, row, [&](int64 from, int64 to, int64 p) {
        if (a.C == 3) {
            const float grad[3] = {a.grad[3 * p], a.grad[3 * p + 1], a.grad[3 * p + 2]};
            part_gradient(a, from, to, 3, grad);
        } else {
            part_gradient(a, from, to, a.C, a.grad + p * a.C);
        }
        if (a.grad_color) for (int c = 0; c < a.C; ++c) a.grad_color[p * a.C + c] = 0.0f;
    });
}
GLRAST_KERNEL(fragments_resolve_backward, FragmentsResolveBackwardArgs)
