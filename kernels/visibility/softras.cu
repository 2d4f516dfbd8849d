// softras: the K nearest faces of a pixel blended by distance and depth. One thread = one pixel.
//
//   D_k = sigmoid(inner_k), a_k = min(exp(inner_k), 1), inner_k: the signed distance, positive inside, in the softness's unit
//   softmax  w_k = D_k exp((zhat_k - m)/gamma), r = exp((eps - m)/gamma), m the largest zhat_k or eps:  (sum w c + r b) / (sum w + r)
//   over     a_k prod_{j<k} (1 - a_j), and the rest of b, the background
//   hard     over, with a_k = 1 inside and 0 outside
//   alpha    product: 1 - prod (1 - D_k);  sum: share * sum D_k;  hard: 1 where some inner_k > 0
#include "common.cuh"

enum { kNone = 0, kSoftmax = 1, kOver = 2, kHard = 3 };  // color
enum { kProduct = 0, kSum = 1, kAny = 2 };               // alpha

// inner, zhat, id: [N,H,W,K], id < 0: no face; colors [N,H,W,K,C]; background [C] or [N,H,W,C] by background_stride 0 or C
#define GLRAST_BLEND_MEMBERS                                                                     \
    const int* id; const float* inner; const float* zhat; const float* colors; const float* background; \
    int background_stride; int K; int C; int color; int alpha; float share; float gamma; float eps;

struct SoftrasArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_BLEND_MEMBERS
    float* out;             // [N,H,W,C+1], alpha last
    static constexpr int work = 32;
};

GLRAST_INLINE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// How opaque a face is where colours are laid over each other.
GLRAST_INLINE float opacity(int color, float inner) { return color == kHard ? (inner > 0.0f ? 1.0f : 0.0f) : inner < 0.0f ? expf(inner) : 1.0f; }

// One pixel's part of the arguments.
struct Blend { const int* id; const float *inner, *zhat, *colors, *background; int count; };

template <class Args>
GLRAST_INLINE Blend blend_of(const Args& a, int64 pixel) {
    const int64 first = pixel * a.K;
    Blend b = {a.id + first, a.inner + first, a.zhat + first, a.colors + first * a.C, a.background + pixel * a.background_stride, 0};
    while (b.count < a.K && b.id[b.count] >= 0) ++b.count;  // what is there comes first
    return b;
}

// Faces so far outside that D is 0 to float32 have no part in a softmax: a near one would leave nothing of the others.
GLRAST_INLINE bool weighs(float inner) { return inner > -80.0f; }

template <class Args>
GLRAST_INLINE float highest(const Args& a, const Blend& b) {
    float m = a.eps;
    for (int k = 0; k < b.count; ++k) if (weighs(b.inner[k])) m = maximum(m, b.zhat[k]);
    return m;
}

template <class Args>
GLRAST_INLINE float weight_of(const Args& a, const Blend& b, int k, float m) {
    return weighs(b.inner[k]) ? sigmoid(b.inner[k]) * expf((b.zhat[k] - m) / a.gamma) : 0.0f;
}

template <class Args>
GLRAST_INLINE float alpha_of(const Args& a, const Blend& b) {
    float clear = 1.0f, sum = 0.0f;
    for (int k = 0; k < b.count; ++k) {
        if (a.alpha == kAny) { if (b.inner[k] > 0.0f) return 1.0f; continue; }
        const float D = sigmoid(b.inner[k]);
        clear *= 1.0f - D;
        sum += D;
    }
    return a.alpha == kProduct ? 1.0f - clear : a.alpha == kSum ? a.share * sum : 0.0f;
}

GLRAST_INLINE void blend_pixel(const SoftrasArgs& a, int64 pixel) {
    const Blend b = blend_of(a, pixel);
    float* out = a.out + pixel * (a.C + 1);
    out[a.C] = alpha_of(a, b);
    for (int c = 0; c < a.C; ++c) out[c] = 0.0f;
    const float m = highest(a, b);
    float rest = a.color == kSoftmax ? expf((a.eps - m) / a.gamma) : 1.0f, total = rest;
    for (int k = 0; k < b.count; ++k) {
        float w;
        if (a.color == kSoftmax) {
            w = weight_of(a, b, k, m);
            total += w;
        } else {
            const float o = opacity(a.color, b.inner[k]);
            w = rest * o;
            rest *= 1.0f - o;
        }
        for (int c = 0; c < a.C; ++c) out[c] += w * b.colors[k * a.C + c];
    }
    const float scale = a.color == kSoftmax ? 1.0f / total : 1.0f;
    for (int c = 0; c < a.C; ++c) out[c] = (out[c] + rest * b.background[c]) * scale;
}

GLRAST_INLINE void softras_forward_element(const SoftrasArgs& a, int x, int count, Row row) {
    const int64 first = row.index * a.width;
    for (const int end = x + count; x < end; ++x) blend_pixel(a, first + x);
}
GLRAST_KERNEL(softras_forward, SoftrasArgs)

// ---- backward --------------------------------------------------------------------------------------------

struct SoftrasBackwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_BLEND_MEMBERS
    const float* out;       // [N,H,W,C+1]
    const float* grad_out;  // [N,H,W,C+1]
    float* grad_inner;      // [N,H,W,K]
    float* grad_zhat;       // [N,H,W,K]
    float* grad_colors;     // [N,H,W,K,C]
    float* grad_background; // [N,H,W,C]
    static constexpr int work = 64;
};

// Softmax: dL/dw_k = (g.c_k - g.out) / total.
GLRAST_INLINE void softmax_backward(const SoftrasBackwardArgs& a, const Blend& b, int64 pixel, const float* g) {
    const int64 first = pixel * a.K;
    const float* out = a.out + pixel * (a.C + 1);
    const float m = highest(a, b), rest = expf((a.eps - m) / a.gamma);
    float total = rest, mean = 0.0f;
    for (int k = 0; k < b.count; ++k) {
        a.grad_zhat[first + k] = weight_of(a, b, k, m);  // w, until it is used
        total += a.grad_zhat[first + k];
    }
    for (int c = 0; c < a.C; ++c) { mean += g[c] * out[c]; a.grad_background[pixel * a.C + c] = rest / total * g[c]; }
    for (int k = 0; k < b.count; ++k) {
        const float w = a.grad_zhat[first + k];
        float along = 0.0f;
        for (int c = 0; c < a.C; ++c) {
            along += g[c] * b.colors[k * a.C + c];
            a.grad_colors[(first + k) * a.C + c] = w / total * g[c];
        }
        const float by_log = w * (along - mean) / total;  // dL / d log w
        a.grad_zhat[first + k] = by_log / a.gamma;
        a.grad_inner[first + k] = by_log * (1.0f - sigmoid(b.inner[k]));
    }
}

// Over: dL/da_k = (what is left before k) g.(c_k - the colour behind k). Behind is summed from the back in g's product.
GLRAST_INLINE void over_backward(const SoftrasBackwardArgs& a, const Blend& b, int64 pixel, const float* g) {
    const int64 first = pixel * a.K;
    float rest = 1.0f, behind = 0.0f;
    for (int k = 0; k < b.count; ++k) {
        a.grad_zhat[first + k] = rest;  // until it is used
        rest *= 1.0f - opacity(a.color, b.inner[k]);
    }
    for (int c = 0; c < a.C; ++c) { behind += g[c] * b.background[c]; a.grad_background[pixel * a.C + c] = rest * g[c]; }
    for (int k = b.count - 1; k >= 0; --k) {
        const float o = opacity(a.color, b.inner[k]), before = a.grad_zhat[first + k];
        float along = 0.0f;
        for (int c = 0; c < a.C; ++c) {
            along += g[c] * b.colors[k * a.C + c];
            a.grad_colors[(first + k) * a.C + c] = o * before * g[c];
        }
        a.grad_inner[first + k] = a.color == kOver && b.inner[k] < 0.0f ? before * (along - behind) * o : 0.0f;
        a.grad_zhat[first + k] = 0.0f;
        behind = o * along + (1.0f - o) * behind;
    }
}

// grad_inner += dL of alpha: of the product by the products of what is before and behind.
GLRAST_INLINE void alpha_backward(const SoftrasBackwardArgs& a, const Blend& b, int64 pixel, float g) {
    if (a.alpha == kAny || g == 0.0f) return;
    float* grad = a.grad_inner + pixel * a.K;
    float before = 1.0f;
    for (int k = 0; k < b.count; ++k) {
        const float D = sigmoid(b.inner[k]);
        float others = 1.0f;
        if (a.alpha == kProduct) {
            others = before;
            for (int j = k + 1; j < b.count && others != 0.0f; ++j) others *= 1.0f - sigmoid(b.inner[j]);
            before *= 1.0f - D;
        }
        grad[k] += g * (a.alpha == kSum ? a.share : others) * D * (1.0f - D);
        if (before == 0.0f) return;
    }
}

GLRAST_INLINE void blend_backward(const SoftrasBackwardArgs& a, int64 pixel) {
    const Blend b = blend_of(a, pixel);
    const int64 first = pixel * a.K;
    for (int k = 0; k < a.K; ++k) a.grad_inner[first + k] = a.grad_zhat[first + k] = 0.0f;
    for (int64 i = (first + b.count) * a.C; i < (first + a.K) * a.C; ++i) a.grad_colors[i] = 0.0f;
    const float* g = a.grad_out + pixel * (a.C + 1);
    if (a.color == kSoftmax) softmax_backward(a, b, pixel, g);
    else if (a.color != kNone) over_backward(a, b, pixel, g);
    alpha_backward(a, b, pixel, g[a.C]);
}

GLRAST_INLINE void softras_backward_element(const SoftrasBackwardArgs& a, int x, int count, Row row) {
    const int64 first = row.index * a.width;
    for (const int end = x + count; x < end; ++x) blend_backward(a, first + x);
}
GLRAST_KERNEL(softras_backward, SoftrasBackwardArgs)
