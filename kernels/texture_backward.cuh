// The gradients of texture: to what was looked up (grad), and to where (grad_uv, grad_uv_da, grad_bias).
//
//   texels       gA_k += w_k y
//   coordinates  g_u = Wt sum_c y (dV/dx), likewise v; between two levels both, weighted
//   level        g = sum_c y (V1 - V0), times d level/dJ (texture_level.cuh), to uv_da and bias
// One visit may be for one of these only: a sink says what it takes (binned.cuh).
#pragma once
#include "texture_samples.cuh"

// Sums over the channels, with the incoming gradient y: of the value, and of its slopes along x and y in texels.
struct Sums { Floats value[GLRAST_LANES], x[GLRAST_LANES], y[GLRAST_LANES]; };

GLRAST_INLINE void clear(Sums* sum) {
    for (int l = 0; l < GLRAST_LANES; ++l) sum->value[l] = sum->x[l] = sum->y[l] = splat(0.0f);
}

template <class K, bool Roomy>
GLRAST_INLINE void add_sums(const float* texels, const Footprint& f, const float* grad_out, int C, int l, Sums* sum) {
    for (int i = 0; i < C; i += GLRAST_LANES) {
        const Quad q = fetch<K, Roomy>(texels, f, C, i);
        const Floats y = load_channels(grad_out + i, Roomy ? GLRAST_LANES : C - i);
        const Floats low = q.k10 - q.k00, high = q.k11 - q.k01, up = q.k01 - q.k00, turn = high - low;
        if (K::levels) sum->value[l] += y * (q.k00 + f.fx * low + f.fy * (up + f.fx * turn));
        sum->x[l] += y * (low + f.fy * turn);
        sum->y[l] += y * (up + f.fx * turn);
    }
}

// Adds weight y to the texels that are the sink's; at a cube corner each of the three texels also takes a third of the
// missing one's weight.
template <class K, bool Roomy, class Sink>
GLRAST_INLINE void scatter(const Footprint& f, int64 first, float weight, const float* grad_out, int C, Sink& sink) {
    const float gx = 1.0f - f.fx, gy = (1.0f - f.fy) * weight, fy = f.fy * weight;
    float w[4] = {gx * gy, f.fx * gy, gx * fy, f.fx * fy};
    float* to[4];
    const bool whole = K::flat || f.whole;
    bool all = whole;
    if (whole) {
        all = sink.place_four(first, f.at, C, to);
    } else {
        for (int k = 0; k < 4; ++k) to[k] = f.at[k] >= 0 ? sink.place(first + f.at[k], C) : nullptr;
    }
    if (!Sink::adds) return;
    if (!whole && f.corner) {
        float third = 0.0f;
        for (int k = 0; k < 4; ++k) if (f.at[k] < 0) third = w[k] * (1.0f / 3.0f);
        for (int k = 0; k < 4; ++k) w[k] += third;
    }
    for (int i = 0; i < C; i += GLRAST_LANES) {
        const Floats y = load_channels(grad_out + i, Roomy ? GLRAST_LANES : C - i);
        const int count = sink.room(C - i, Roomy);
        if (all) for (int k = 0; k < 4; ++k) add_channels(to[k] + i, count, w[k] * y);
        else for (int k = 0; k < 4; ++k) if (to[k]) add_channels(to[k] + i, count, w[k] * y);
    }
}

GLRAST_INLINE bool is_asked(const float* y, int C) {  // many pixels, the background, have nothing to give
    for (int i = 0; i < C; ++i) if (y[i] != 0.0f) return true;
    return false;
}

// Stores the gradients of u, v (texels seen from the face on a cube) and of the level.
template <class K>
GLRAST_INLINE void store_gradients(const TextureArgs& a, const Samples& s, Floats u, Floats v, Floats level) {
    const bool cube = !K::flat && a.boundary == kCube, by_footprint = K::levels && a.uv_da && a.filter == kLinearMipmapLinear;
    if (K::levels && a.grad_bias) store_floats(a.grad_bias + s.pixel, s.count, level);
    Rows j = {level, level, level, level};
    if (by_footprint && (a.grad_uv_da || cube)) {
        const Rows by = level_gradient(s.jacobian);
        j = Rows{level * by.x, level * by.y, level * by.z, level * by.w};
    }
    if (!cube) {
        const float w = (float)a.Wt, h = (float)a.Ht;
        if (by_footprint && a.grad_uv_da) store_rows(a.grad_uv_da + 4 * s.pixel, s.count, Rows{w * j.x, w * j.y, h * j.z, h * j.w});
        if (a.grad_uv) store_pairs(a.grad_uv + 2 * s.pixel, s.count, Pair{u, v});
        return;
    }
    for (int l = 0; l < s.count; ++l) {
        const CubePoint& point = s.point[l];
        float* grad_da = a.grad_uv_da ? a.grad_uv_da + 6 * (s.pixel + l) : nullptr;
        for (int i = 0; grad_da && i < 6; ++i) grad_da[i] = 0.0f;
        Vector g = {0.0f, 0.0f, 0.0f}, d = g;
        if (lane_is_set(s.found, l)) g = cube_direction_gradient(point, lane(u, l), lane(v, l), 0.0f);
        if (by_footprint && lane(level, l) != 0.0f) {  // the footprint depends on the direction too
            const CubeSlopes slopes = cube_slopes(point, a.uv_da + 6 * (s.pixel + l));
            d = cube_jacobian_gradient(point, slopes, Jacobian{lane(j.x, l), lane(j.y, l), lane(j.z, l), lane(j.w, l)}, a.Wt, grad_da);
        }
        float* grad = a.grad_uv ? a.grad_uv + 3 * (s.pixel + l) : nullptr;
        if (grad) { grad[0] = g.x + d.x; grad[1] = g.y + d.y; grad[2] = g.z + d.z; }
    }
}

// On one level, of the pixels in `lanes`; `second`: the coarser of two.
template <class K, bool Roomy, class Sink>
GLRAST_INLINE void backward_level(const TextureArgs& a, const Look& look, bool second, int lanes, bool where, Sums* sum, Sink& sink) {
    const int C = K::channels ? K::channels : a.C;
    const Samples& s = look.s;
    const Grid& g = second ? look.above : look.at;
    for (int l = 0; l < GLRAST_LANES; ++l) {
        if (!(lanes >> l & 1)) continue;
        const float* y = a.grad_out + (s.pixel + l) * C;
        const float fraction = K::levels ? lane(s.level.fraction, l) : 0.0f;
        sink.pixel(l, second);
        if (!K::flat && a.filter == kNearest) {
            const int64 at = sink.takes_texels() ? find_nearest(a, s, g, l) : -1;
            float* to = at >= 0 ? sink.place(g.at[l] + at, C) : nullptr;
            for (int i = 0; to && i < C; i += GLRAST_LANES) add_channels(to + i, C - i, load_channels(y + i, C - i));
            continue;
        }
        const Footprint f = find_footprint<K>(a, s, g, l);
        if (where) add_sums<K, Roomy>(g.texel[l], f, y, C, l, sum);
        if (sink.takes_texels()) scatter<K, Roomy>(f, g.at[l], second ? fraction : 1.0f - fraction, y, C, sink);
    }
}

template <class K, bool Roomy, class Sink>
GLRAST_INLINE void backward_pixels(const TextureArgs& a, const Look& look, int lanes, Sink& sink) {
    const int C = K::channels ? K::channels : a.C;
    const Samples& s = look.s;
    const Grid& g = look.at;
    const Grid& above = look.above;
    const bool where = Sink::gradients && (a.grad_uv || a.grad_uv_da || a.grad_bias);
    int asked = lane_bits(s.found), more = lanes >> GLRAST_LANES;
    for (int l = 0; Sink::gradients && l < GLRAST_LANES; ++l)
        if (l >= s.count || !is_asked(a.grad_out + (s.pixel + l) * C, C)) asked &= ~(1 << l);
    Sums low, high;
    if (Sink::gradients) clear(&low);
    backward_level<K, Roomy>(a, look, false, lanes & asked, where, &low, sink);
    if (K::levels && look.mixed) {
        if (Sink::gradients) clear(&high);
        backward_level<K, Roomy>(a, look, true, more & asked & lane_bits(s.level.sloped), where, &high, sink);
    }
    if (!where) return;
    Floats u = g.x.slope * sum_channels(low.x, K::channels), v = g.y.slope * sum_channels(low.y, K::channels), level = splat(0.0f);
    if (K::levels && look.mixed) {
        level = select(s.level.sloped, sum_channels(high.value, K::channels) - sum_channels(low.value, K::channels), level);
        u += select(s.level.sloped, s.level.fraction * (above.x.slope * sum_channels(high.x, K::channels) - u), splat(0.0f));
        v += select(s.level.sloped, s.level.fraction * (above.y.slope * sum_channels(high.y, K::channels) - v), splat(0.0f));
    }
    store_gradients<K>(a, s, u, v, level);
}

template <class K, class Sink>
GLRAST_INLINE void texture_pixels_backward(const TextureArgs& a, const Groups& groups, Sink& sink) {
    const int C = K::channels ? K::channels : a.C;
    Look looks[GLRAST_GROUPS];
    for (int i = 0; i < groups.count; ++i) {
        const int lanes = groups.lanes[i];
        find_look<K, Sink::gradients>(a, groups.pixel[i], groups.end, lanes & kAllLanes, lanes >> GLRAST_LANES & kAllLanes, &looks[i]);
        if (!Sink::gradients) prefetch(a.grad_out + groups.pixel[i] * C);
    }
    const int64 last = a.rows * a.width - GLRAST_LANES;
    for (int i = 0; i < groups.count; ++i) {
        sink.group(i);
        if (three_in_one<K> && looks[i].roomy && groups.pixel[i] < last)
            backward_pixels<K, three_in_one<K>>(a, looks[i], groups.lanes[i], sink);
        else backward_pixels<K, false>(a, looks[i], groups.lanes[i], sink);
    }
}

template <class Sink>
GLRAST_INLINE void texture_backward_element(const TextureArgs& a, const Groups& groups, Sink& sink) {
    specialise(a, [&](auto kind) { texture_pixels_backward<decltype(kind)>(a, groups, sink); });
}
GLRAST_BINNED_KERNEL(texture_backward, TextureArgs)
