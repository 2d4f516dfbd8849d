// texture: texels between which each sample lies, weighted; at one level of a pyramid or between two. One thread = one pixel.
//
//   linear     out = sum_k w_k A_k over the four texels around (u, v); mipmap modes do it at floor(level), and between
//   trilinear  out = (1-f) V0 + f V1 at the levels around log2 of the footprint's longer axis (texture_level.cuh)
// texture_backward writes grad_uv, grad_uv_da and grad_bias; texture_backward_tex accumulates grad (binned.cuh);
// texture_mip_down makes a level from the one below, texture_mip_pull returns a level's gradient to the one below.
// One, three and four channels are known to the compiler: `Fixed` is their number, or 0 for any.
#include "binned.cuh"
#include "texture_level.cuh"

struct TextureArgs {
    int width;                // W
    int H;
    int64 rows;               // N*H
    float* grad;              // [texels,C]: of tex and, after it, of mip
    int64 texels;
    const float* tex;         // [B,Ht,Wt,C] or [B,6,S,S,C]
    const float* mip;         // levels 1, 2, ... one after another, each [B,(6,)h,w,C]; null where last = 0
    const int64* levels;      // [last+1] texels before each level; level 0 has 0, level 1 all of tex
    int last;                 // the last level
    int many;                 // 1: an image has its own texture, 0: all share one
    int Ht;
    int Wt;
    int C;
    int filter;               // as enum Filter
    int boundary;             // as enum Boundary
    const float* uv;          // [N,H,W,2], cube: [N,H,W,3]
    const float* uv_da;       // [N,H,W,4], cube: [N,H,W,6], or null
    const float* bias;        // [N,H,W] or null
    float* out;               // [N,H,W,C]
    const float* grad_out;    // [N,H,W,C]
    float* grad_uv;           // like uv, or null: not asked for
    float* grad_uv_da;        // like uv_da, or null
    float* grad_bias;         // like bias, or null
};

// Where some pixels look: (u, v), or points on the cube; and at which level.
struct Samples {
    Floats u, v;
    bool found[GLRAST_LANES];
    CubePoint point[GLRAST_LANES];
    Level level[GLRAST_LANES];
    Floats width, height;  // of the level
};

GLRAST_INLINE Jacobian find_jacobian(const TextureArgs& a, int64 pixel, const CubePoint& point) {
    if (a.boundary != kCube) return flat_jacobian(a.uv_da + 4 * pixel, a.Wt, a.Ht);
    return cube_jacobian(point, cube_slopes(point, a.uv_da + 6 * pixel), a.Wt);
}

GLRAST_INLINE void find_levels(const TextureArgs& a, const int64* pixel, Samples* s) {
    Floats level = a.bias ? gather(a.bias, pixel, 1) : splat(0.0f);
    if (a.uv_da) {
        Rows rows;
        if (a.boundary == kCube) {
            for (int l = 0; l < GLRAST_LANES; ++l) {
                const Jacobian j = find_jacobian(a, pixel[l], s->point[l]);
                set_lane(rows.x, l, j.sx); set_lane(rows.y, l, j.sy); set_lane(rows.z, l, j.tx); set_lane(rows.w, l, j.ty);
            }
        } else {
            const float* da[GLRAST_LANES];
            for (int l = 0; l < GLRAST_LANES; ++l) da[l] = a.uv_da + 4 * pixel[l];
            const float w = (float)a.Wt, h = (float)a.Ht;
            rows = load_rows(da);
            rows = Rows{rows.x * w, rows.y * w, rows.z * h, rows.w * h};
        }
        level += level_of_detail(rows);
    }
    for (int l = 0; l < GLRAST_LANES; ++l) {
        s->level[l] = choose_level(lane(level, l), a.last, a.filter == kLinearMipmapLinear);
        const int base = s->level[l].base, w = a.Wt >> base, h = a.Ht >> base;
        set_lane(s->width, l, (float)(w ? w : 1));
        set_lane(s->height, l, (float)(h ? h : 1));
    }
}

GLRAST_INLINE void find_samples(const TextureArgs& a, const int64* pixel, Samples* s) {
    s->u = s->v = splat(0.0f);
    if (a.boundary == kCube) {
        for (int l = 0; l < GLRAST_LANES; ++l) {
            const float* d = a.uv + 3 * pixel[l];
            s->point[l] = CubePoint{0, 0.0f, 0.0f, 0.0f};
            s->found[l] = meet_cube(Vector{d[0], d[1], d[2]}, &s->point[l]);
        }
    } else {
        s->u = gather(a.uv, pixel, 2);
        s->v = gather(a.uv + 1, pixel, 2);
        for (int l = 0; l < GLRAST_LANES; ++l) s->found[l] = is_finite(lane(s->u, l)) && is_finite(lane(s->v, l));
    }
    s->width = splat((float)a.Wt);
    s->height = splat((float)a.Ht);
    for (int l = 0; l < GLRAST_LANES; ++l) s->level[l] = Level{0, 0.0f, false};
    if (a.filter >= kLinearMipmapNearest) find_levels(a, pixel, s);
}

// One image of one level.
struct Image { int64 first, size; int width, height; };  // texels before it, counted from tex, and of it

GLRAST_INLINE Image find_image(const TextureArgs& a, int64 pixel, int level) {
    const int w = a.Wt >> level, h = a.Ht >> level;
    Image image = {level ? a.levels[level] : 0, 0, w ? w : 1, h ? h : 1};
    image.size = (int64)image.width * image.height * (a.boundary == kCube ? 6 : 1);
    if (a.many) image.first += pixel / ((int64)a.width * a.H) * image.size;
    return image;
}

GLRAST_INLINE const float* image_texels(const TextureArgs& a, const Image& image, int level, int C) {
    return level ? a.mip + (image.first - a.levels[1]) * C : a.tex + image.first * C;
}

// The texels of every lane along both axes, on its level and, `above`, on the next one.
struct Axes { Axis x, y; };

GLRAST_INLINE Axes find_axes(const TextureArgs& a, const Samples& s, bool above) {
    if (a.boundary == kCube || a.filter == kNearest) return Axes{};
    if (!above) return Axes{texel_pair(s.u, s.width, a.boundary), texel_pair(s.v, s.height, a.boundary)};
    const Floats w = to_floats(to_ints(0.5f * s.width)), h = to_floats(to_ints(0.5f * s.height)), one = splat(1.0f);
    return Axes{texel_pair(s.u, higher(w, one), a.boundary), texel_pair(s.v, higher(h, one), a.boundary)};
}

GLRAST_INLINE Footprint find_footprint(const TextureArgs& a, const Samples& s, const Axes& axes, int l, const Image& image) {
    if (a.boundary == kCube) return cube_footprint(s.point[l], image.width);
    return flat_footprint(axes.x, axes.y, l, image.width, a.boundary);
}

GLRAST_INLINE int64 find_nearest(const TextureArgs& a, const Samples& s, int l, const Image& image) {
    if (a.boundary == kCube) return cube_nearest(s.point[l], image.width);
    const int x = nearest_texel(lane(s.u, l), image.width, a.boundary), y = nearest_texel(lane(s.v, l), image.height, a.boundary);
    return (x | y) < 0 ? -1 : (int64)y * image.width + x;
}

// Channel i of the four texels of a footprint.
struct Quad { float k00, k10, k01, k11; };

GLRAST_INLINE Quad fetch_whole(const float* const k[4], int i) { return Quad{k[0][i], k[1][i], k[2][i], k[3][i]}; }

// The same where some are missing.
GLRAST_INLINE Quad fetch_part(const float* texels, const Footprint& f, int C, int i) {
    float k[4], sum = 0.0f;
    for (int j = 0; j < 4; ++j) { k[j] = f.at[j] < 0 ? 0.0f : texels[f.at[j] * C + i]; sum += k[j]; }
    for (int j = 0; j < 4 && f.corner; ++j) if (f.at[j] < 0) k[j] = sum * (1.0f / 3.0f);
    return Quad{k[0], k[1], k[2], k[3]};
}

GLRAST_INLINE float blend(Quad q, float fx, float fy) {
    const float low = q.k00 + fx * (q.k10 - q.k00), high = q.k01 + fx * (q.k11 - q.k01);
    return low + fy * (high - low);
}

// ---- forward -----------------------------------------------------------------------------------------------

#ifndef __CUDACC__
// Three channels in one register; the fourth lane is read, never used, so the last texel of an image is not for this.
template <bool Mix>
GLRAST_INLINE void sample_three(const float* const k[4], const Footprint& f, float fraction, float* out) {
    const Floats k00 = load_unaligned(k[0]), k10 = load_unaligned(k[1]), k01 = load_unaligned(k[2]), k11 = load_unaligned(k[3]);
    const Floats low = k00 + f.fx * (k10 - k00), high = k01 + f.fx * (k11 - k01);
    Floats value = low + f.fy * (high - low);
    if (Mix) { const Floats was = {out[0], out[1], out[2], 0.0f}; value = was + fraction * (value - was); }
    std::memcpy(out, &value, 3 * sizeof(float));
}
#endif

// out = the footprint's value, or with `Mix` out += fraction (value - out). `size`: texels of the image.
template <int Fixed, bool Mix>
GLRAST_INLINE void sample_level(const float* __restrict__ texels, const Footprint& f, float fraction, float* __restrict__ out, int C,
                                [[maybe_unused]] int64 size) {
    if (f.whole) {
        const float* const k[4] = {texels + f.at[0] * C, texels + f.at[1] * C, texels + f.at[2] * C, texels + f.at[3] * C};
#ifndef __CUDACC__
        const int64 last = size - 1;
        if (Fixed == 3 && f.at[0] < last && f.at[1] < last && f.at[2] < last && f.at[3] < last) {
            sample_three<Mix>(k, f, fraction, out);
            return;
        }
#endif
        for (int i = 0; i < C; ++i) {
            const float value = blend(fetch_whole(k, i), f.fx, f.fy);
            out[i] = Mix ? out[i] + fraction * (value - out[i]) : value;
        }
    } else {
        for (int i = 0; i < C; ++i) {
            const float value = blend(fetch_part(texels, f, C, i), f.fx, f.fy);
            out[i] = Mix ? out[i] + fraction * (value - out[i]) : value;
        }
    }
}

// On the CPU the time goes into waiting for texels: ask for those of the pixels some way ahead, on the levels where
// these pixels look. A hint: it may miss.
GLRAST_INLINE void prefetch_ahead([[maybe_unused]] const TextureArgs& a, [[maybe_unused]] int64 pixel,
                                  [[maybe_unused]] const Samples& s) {
#ifndef __CUDACC__
    constexpr int64 kAhead = 24;
    if (a.boundary == kCube || a.many || pixel + kAhead + GLRAST_LANES > a.rows * a.width) return;
    const float* uv = a.uv + 2 * (pixel + kAhead);
    Floats u = {uv[0], uv[2], uv[4], uv[6]}, v = {uv[1], uv[3], uv[5], uv[7]};
    if (a.boundary == kWrap) { u -= floor_any(u); v -= floor_any(v); }
    const Floats none = splat(0.0f);
    const Ints x = to_ints(lower(higher(u * s.width - 0.5f, none), s.width - 1.0f));
    const Ints y = to_ints(lower(higher(v * s.height - 0.5f, none), s.height - 1.0f));
    for (int l = 0; l < GLRAST_LANES; ++l) {
        const Image image = find_image(a, pixel, s.level[l].base);
        const size_t row = (size_t)image.width * a.C * sizeof(float);
        const uintptr_t texels = (uintptr_t)image_texels(a, image, s.level[l].base, a.C);
        const uintptr_t at = texels + y[l] * row + (size_t)x[l] * a.C * sizeof(float);
        __builtin_prefetch((const void*)at);
        __builtin_prefetch((const void*)(at + row));
    }
#endif
}

template <int Fixed>
GLRAST_INLINE void texture_pixels(const TextureArgs& a, const int64* pixel, int count) {
    const int C = Fixed ? Fixed : a.C;
    Samples s;
    find_samples(a, pixel, &s);
    prefetch_ahead(a, pixel[0], s);
    const Axes axes = find_axes(a, s, false);
    bool any_above = false;
    for (int l = 0; l < count; ++l) {
        float* out = a.out + pixel[l] * C;
        if (!s.found[l]) {
            for (int i = 0; i < C; ++i) out[i] = 0.0f;
            continue;
        }
        const int base = s.level[l].base;
        const Image image = find_image(a, pixel[l], base);
        const float* texels = image_texels(a, image, base, C);
        if (a.filter == kNearest) {
            const int64 at = find_nearest(a, s, l, image);
            for (int i = 0; i < C; ++i) out[i] = at < 0 ? 0.0f : texels[at * C + i];
            continue;
        }
        any_above |= s.level[l].fraction > 0.0f;
        sample_level<Fixed, false>(texels, find_footprint(a, s, axes, l, image), 0.0f, out, C, image.size);
    }
    if (!any_above) return;
    const Axes above = find_axes(a, s, true);
    for (int l = 0; l < count; ++l) {
        const Level level = s.level[l];
        if (!s.found[l] || !(level.fraction > 0.0f)) continue;
        const Image image = find_image(a, pixel[l], level.base + 1);
        const Footprint f = find_footprint(a, s, above, l, image);
        sample_level<Fixed, true>(image_texels(a, image, level.base + 1, C), f, level.fraction, a.out + pixel[l] * C, C, image.size);
    }
}

// The pixels of a kernel that takes GLRAST_LANES of them from x on; those beyond the row repeat the first.
GLRAST_INLINE int find_pixels(const TextureArgs& a, int x, Row row, int64* pixel) {
    const int count = a.width - x < GLRAST_LANES ? a.width - x : GLRAST_LANES;
    for (int l = 0; l < GLRAST_LANES; ++l) pixel[l] = row.index * a.width + x + (l < count ? l : 0);
    return count;
}

GLRAST_INLINE void texture_forward_element(const TextureArgs& a, int x, Row row) {
    int64 pixel[GLRAST_LANES];
    const int count = find_pixels(a, x, row, pixel);
    if (a.C == 3) texture_pixels<3>(a, pixel, count);
    else if (a.C == 4) texture_pixels<4>(a, pixel, count);
    else if (a.C == 1) texture_pixels<1>(a, pixel, count);
    else texture_pixels<0>(a, pixel, count);
}
GLRAST_LANES_KERNEL(texture_forward, TextureArgs)

// ---- backward: where the sample was taken ------------------------------------------------------------------

// Sums over the channels, with the incoming gradient y: of the value, and of its slopes along u and v.
struct Sums { float value, u, v; };

GLRAST_INLINE void add_channel(Sums* sum, Quad q, const Footprint& f, float y) {
    const float low = q.k10 - q.k00, high = q.k11 - q.k01;
    sum->value += y * blend(q, f.fx, f.fy);
    sum->u += y * (low + f.fy * (high - low));
    sum->v += y * (q.k01 - q.k00 + f.fx * (high - low));
}

GLRAST_INLINE Sums find_sums(const float* texels, const Footprint& f, const float* y, int C) {
    Sums sum = {0.0f, 0.0f, 0.0f};
    if (f.whole) {
        const float* const k[4] = {texels + f.at[0] * C, texels + f.at[1] * C, texels + f.at[2] * C, texels + f.at[3] * C};
        for (int i = 0; i < C; ++i) add_channel(&sum, fetch_whole(k, i), f, y[i]);
    } else {
        for (int i = 0; i < C; ++i) add_channel(&sum, fetch_part(texels, f, C, i), f, y[i]);
    }
    sum.u *= f.du;
    sum.v *= f.dv;
    return sum;
}

// The gradient of the level, g, to uv_da and, on a cube, whose footprint depends on the direction, to that.
GLRAST_INLINE Vector backward_level(const TextureArgs& a, int64 pixel, const CubePoint& point, float g) {
    if (a.grad_bias) a.grad_bias[pixel] = g;
    Vector direction = {0.0f, 0.0f, 0.0f};
    if (!a.uv_da || !(a.grad_uv_da || a.boundary == kCube)) return direction;
    const int width = a.boundary == kCube ? 6 : 4;
    float* grad = a.grad_uv_da ? a.grad_uv_da + width * pixel : nullptr;
    if (grad) for (int i = 0; i < width; ++i) grad[i] = 0.0f;
    if (g == 0.0f) return direction;
    Jacobian j = level_gradient(find_jacobian(a, pixel, point));
    j = Jacobian{g * j.sx, g * j.sy, g * j.tx, g * j.ty};
    if (a.boundary == kCube) return cube_jacobian_gradient(point, cube_slopes(point, a.uv_da + 6 * pixel), j, a.Wt, grad);
    const float w = (float)a.Wt, h = (float)a.Ht;
    store4(grad, Float4{w * j.sx, w * j.sy, h * j.tx, h * j.ty});
    return direction;
}

GLRAST_INLINE void store_gradients(const TextureArgs& a, int64 pixel, bool found, const CubePoint& point, Sums sum, float of_level) {
    const Vector d = backward_level(a, pixel, point, of_level);
    if (!a.grad_uv) return;
    if (a.boundary != kCube) {
        a.grad_uv[2 * pixel] = sum.u;
        a.grad_uv[2 * pixel + 1] = sum.v;
        return;
    }
    float* grad = a.grad_uv + 3 * pixel;
    const Vector g = found ? cube_direction_gradient(point, sum.u, sum.v, 0.0f) : Vector{0.0f, 0.0f, 0.0f};
    grad[0] = g.x + d.x;
    grad[1] = g.y + d.y;
    grad[2] = g.z + d.z;
}

template <int Fixed>
GLRAST_INLINE void texture_pixels_backward(const TextureArgs& a, const int64* pixel, int count) {
    const int C = Fixed ? Fixed : a.C;
    Samples s;
    find_samples(a, pixel, &s);
    prefetch_ahead(a, pixel[0], s);
    const Axes axes = find_axes(a, s, false), above = a.filter == kLinearMipmapLinear ? find_axes(a, s, true) : Axes{};
    for (int l = 0; l < count; ++l) {
        Sums sum = {0.0f, 0.0f, 0.0f};
        float of_level = 0.0f;
        if (s.found[l] && a.filter != kNearest) {
            const float* y = a.grad_out + pixel[l] * C;
            const Level level = s.level[l];
            const Image image = find_image(a, pixel[l], level.base);
            sum = find_sums(image_texels(a, image, level.base, C), find_footprint(a, s, axes, l, image), y, C);
            if (level.sloped) {
                const Image higher = find_image(a, pixel[l], level.base + 1);
                const Footprint f = find_footprint(a, s, above, l, higher);
                const Sums next = find_sums(image_texels(a, higher, level.base + 1, C), f, y, C);
                of_level = next.value - sum.value;
                sum.u += level.fraction * (next.u - sum.u);
                sum.v += level.fraction * (next.v - sum.v);
            }
        }
        store_gradients(a, pixel[l], s.found[l], s.point[l], sum, of_level);
    }
}

GLRAST_INLINE void texture_backward_element(const TextureArgs& a, int x, Row row) {
    int64 pixel[GLRAST_LANES];
    const int count = find_pixels(a, x, row, pixel);
    if (a.C == 3) texture_pixels_backward<3>(a, pixel, count);
    else if (a.C == 4) texture_pixels_backward<4>(a, pixel, count);
    else if (a.C == 1) texture_pixels_backward<1>(a, pixel, count);
    else texture_pixels_backward<0>(a, pixel, count);
}
GLRAST_LANES_KERNEL(texture_backward, TextureArgs)

// ---- backward: the texels ----------------------------------------------------------------------------------

// gA_k += w_k y; at a cube corner each of the three texels also takes a third of the missing one's weight.
template <class Sink>
GLRAST_INLINE void scatter_footprint(const Footprint& f, int64 first, float weight, const float* y, int C, Sink& sink) {
    const float gx = 1.0f - f.fx, gy = 1.0f - f.fy;
    const float w[4] = {gx * gy * weight, f.fx * gy * weight, gx * f.fy * weight, f.fx * f.fy * weight};
    if (f.whole) {
        for (int k = 0; k < 4; ++k) sink(first + f.at[k], w[k], y, C);
        return;
    }
    float third = 0.0f;
    for (int k = 0; k < 4; ++k) if (f.corner && f.at[k] < 0) third = w[k] * (1.0f / 3.0f);
    for (int k = 0; k < 4; ++k) if (f.at[k] >= 0) sink(first + f.at[k], w[k] + third, y, C);
}

template <int Fixed, class Sink>
GLRAST_INLINE void scatter_pixels(const TextureArgs& a, const int64* pixel, int count, Sink& sink) {
    const int C = Fixed ? Fixed : a.C;
    Samples s;
    find_samples(a, pixel, &s);
    const Axes axes = find_axes(a, s, false), above = a.filter == kLinearMipmapLinear ? find_axes(a, s, true) : Axes{};
    for (int l = 0; l < count; ++l) {
        const float* y = a.grad_out + pixel[l] * C;
        bool asked = false;  // many pixels, the background, have nothing to give
        for (int i = 0; i < C; ++i) asked |= y[i] != 0.0f;
        if (!asked || !s.found[l]) continue;
        sink.pixel(pixel[l]);
        const Level level = s.level[l];
        const Image image = find_image(a, pixel[l], level.base);
        if (a.filter == kNearest) {
            const int64 at = find_nearest(a, s, l, image);
            if (at >= 0) sink(image.first + at, 1.0f, y, C);
            continue;
        }
        scatter_footprint(find_footprint(a, s, axes, l, image), image.first, 1.0f - level.fraction, y, C, sink);
        if (!(level.fraction > 0.0f)) continue;
        const Image higher = find_image(a, pixel[l], level.base + 1);
        scatter_footprint(find_footprint(a, s, above, l, higher), higher.first, level.fraction, y, C, sink);
    }
}

template <class Sink>
GLRAST_INLINE void texture_backward_tex_element(const TextureArgs& a, const int64* pixel, int count, Sink& sink) {
    if (a.C == 3) scatter_pixels<3>(a, pixel, count, sink);
    else if (a.C == 4) scatter_pixels<4>(a, pixel, count, sink);
    else if (a.C == 1) scatter_pixels<1>(a, pixel, count, sink);
    else scatter_pixels<0>(a, pixel, count, sink);
}
GLRAST_BINNED_KERNEL(texture_backward_tex, TextureArgs)

// ---- the pyramid -------------------------------------------------------------------------------------------

struct TextureMipArgs {
    int width;                // w, of the level below for texture_mip_pull
    int H;                    // h, likewise
    int64 rows;               // B*h or B*6*h
    float* below;             // [rows of the finer level, its width, C]
    float* above;             // [rows of the coarser level, its width, C]
    int C;
    int step_x;               // 2, or 1 where the finer level is one texel wide
    int step_y;
};

// above = mean of the step_y x step_x texels below. One thread = one texel of the coarser level.
template <int Fixed, int StepX>
GLRAST_INLINE void mip_texel(const TextureMipArgs& a, int x, Row row) {
    const int C = Fixed ? Fixed : a.C;
    const int64 line = (int64)a.width * StepX * C, right = StepX == 2 ? C : 0;
    const float* __restrict__ p = a.below + row.index * a.step_y * line + (int64)x * StepX * C;
    const float* __restrict__ q = a.step_y == 2 ? p + line : p;
    float* __restrict__ out = a.above + (row.index * a.width + x) * C;
    for (int i = 0; i < C; ++i) out[i] = 0.25f * ((p[i] + p[right + i]) + (q[i] + q[right + i]));
}

GLRAST_INLINE void texture_mip_down_element(const TextureMipArgs& a, int x, Row row) {
    if (a.step_x != 2) mip_texel<0, 1>(a, x, row);
    else if (a.C == 3) mip_texel<3, 2>(a, x, row);
    else if (a.C == 4) mip_texel<4, 2>(a, x, row);
    else if (a.C == 1) mip_texel<1, 2>(a, x, row);
    else mip_texel<0, 2>(a, x, row);
}
GLRAST_KERNEL(texture_mip_down, TextureMipArgs)

// below += above / (texels averaged). One thread = one texel of the finer level.
GLRAST_INLINE void texture_mip_pull_element(const TextureMipArgs& a, int x, Row row) {
    const int shift_x = a.step_x - 1, shift_y = a.step_y - 1;  // steps are 1 or 2
    const float share = 1.0f / (float)(a.step_x * a.step_y);
    const float* from = a.above + ((row.index >> shift_y) * (a.width >> shift_x) + (x >> shift_x)) * a.C;
    float* to = a.below + (row.index * a.width + x) * a.C;
    for (int i = 0; i < a.C; ++i) to[i] += share * from[i];
}
GLRAST_KERNEL(texture_mip_pull, TextureMipArgs)
