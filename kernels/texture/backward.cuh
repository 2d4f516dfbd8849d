// The gradients of texture: to what was looked up (grad), and to where (grad_uv, grad_uv_da, grad_bias).
//
//   texels       gA_k += w_k y
//   coordinates  g_u = Wt sum_c y (dV/dx), likewise v; between two levels both, weighted
//   level        g = sum_c y (V1 - V0), times d level/dJ (texture/level.cuh), to uv_da and bias
// One visit may be for one of these only: a sink says what it takes (binned.cuh).
#pragma once
#include "binned.cuh"
#include "texture/samples.cuh"

// Sums over the channels, with the incoming gradient y: of k00, and of the differences k10 - k00, k01 - k00 and, of the
// one between the rows and the other, k11 - k01 - k10 + k00. The weights come after the sums.
struct Sums {
    Floats value[GLRAST_LANES], right[GLRAST_LANES], up[GLRAST_LANES], turn[GLRAST_LANES];
    Floats fx, fy;
};

GLRAST_INLINE void clear(Sums* sum) {
    for (int l = 0; l < GLRAST_LANES; ++l) sum->value[l] = sum->right[l] = sum->up[l] = sum->turn[l] = splat(0.0f);
    sum->fx = sum->fy = splat(0.0f);
}

template <class K, bool Roomy>
GLRAST_INLINE void add_sums(const float* texels, const Footprint& f, const float* grad_out, int C, int l, Sums* sum) {
    const bool one = K::channels && K::channels <= GLRAST_LANES;
    for (int i = 0; i < C; i += GLRAST_LANES) {
        const Quad q = fetch<K, Roomy>(texels, f, C, i);
        const Floats y = load_channels(grad_out + i, Roomy ? GLRAST_LANES : C - i);
        const Floats right = q.k10 - q.k00, turn = y * ((q.k11 - q.k01) - right), up = y * (q.k01 - q.k00);
        if (K::levels) sum->value[l] = one ? y * q.k00 : sum->value[l] + y * q.k00;
        sum->right[l] = one ? y * right : sum->right[l] + y * right;
        sum->up[l] = one ? up : sum->up[l] + up;
        sum->turn[l] = one ? turn : sum->turn[l] + turn;
    }
}

// y times the value, and times its slopes along x and y in texels.
struct Weighed { Floats value, x, y; };

template <class K>
GLRAST_INLINE Weighed weigh(const Sums& sum) {
    const int count = K::channels;
    const Floats right = sum_channels(sum.right, count), up = sum_channels(sum.up, count), turn = sum_channels(sum.turn, count);
    const Floats y = up + sum.fx * turn;
    return Weighed{K::levels ? sum_channels(sum.value, count) + sum.fx * right + sum.fy * y : y, right + sum.fy * turn, y};
}

// Adds weight y to the texels that are the sink's; at a cube corner each of the three texels also takes a third of the
// missing one's weight.
template <class K, bool Roomy, class Sink>
GLRAST_INLINE void scatter(const Footprint& f, int64 first, int width, float weight, const float* grad_out, int C, Sink& sink) {
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
    add_texels<K::channels, Roomy>(to, all, width, w, grad_out, C, sink.room(C, Roomy));
}

// The same for the four lanes of a flat grid at once: their weights in registers, and where the four texels are.
template <class K, bool Roomy, class Sink>
GLRAST_INLINE void scatter_lanes(const TextureArgs& a, const Look& look, const Grid& g, bool second, int lanes, Sink& sink) {
    const int C = K::channels ? K::channels : a.C;
    const Floats fraction = look.s.level.fraction, fx = g.x.f, gx = 1.0f - fx;
    const Floats weight = second ? fraction : 1.0f - fraction, fy = K::levels ? g.y.f * weight : g.y.f;
    const Floats gy = K::levels ? (1.0f - g.y.f) * weight : 1.0f - g.y.f;
    const Floats w[4] = {gx * gy, fx * gy, gx * fy, fx * fy};
    GLRAST_UNROLL
    for (int l = 0; l < GLRAST_LANES; ++l) {
        if (!(lanes >> l & 1)) continue;
        const int64 right = lane(g.right, l), up = lane(g.up, l), at[4] = {0, right, up, up + right};
        const float* y = a.grad_out + (look.s.pixel + l) * C;
        const int count = sink.room(C, Roomy);
        float* to[4];
        const bool all = sink.place_four(lane(g.first, l), at, C, to);
        for (int i = 0; i < C; i += GLRAST_LANES) {
            const Floats value = load_channels(y + i, Roomy ? GLRAST_LANES : C - i);
            if (all) for (int k = 0; k < 4; ++k) add_channels(to[k] + i, count - i, splat(lane(w[k], l)) * value);
            else for (int k = 0; k < 4; ++k) if (to[k]) add_channels(to[k] + i, count - i, splat(lane(w[k], l)) * value);
        }
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
    for (int l = 0; l < GLRAST_LANES && l < s.count; ++l) {
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
    if (!lanes) return;
    const int C = K::channels ? K::channels : a.C;
    const Samples& s = look.s;
    const Grid& g = second ? look.above : look.at;
    if (K::flat && sink.takes_texels()) {
        sink.visit(second);
        if (Sink::adds) scatter_lanes<K, Roomy>(a, look, g, second, lanes, sink);
        else sink.place_lanes(g.first, g.right, g.up, lanes, second);
        if (!where) return;
    }
    if (K::flat && where) { sum->fx = g.x.f; sum->fy = g.y.f; }
    for (int l = 0; l < GLRAST_LANES; ++l) {
        if (!(lanes >> l & 1)) continue;
        const float* y = a.grad_out + (s.pixel + l) * C;
        const float fraction = K::levels ? lane(s.level.fraction, l) : 0.0f;
        sink.pixel(l, second);
        if (!K::flat && a.filter == kNearest) {
            const int64 at = sink.takes_texels() ? find_nearest(a, s, g, l) : -1;
            float* to = at >= 0 ? sink.place(g.image[l] + at, C) : nullptr;
            if (to) add_texel<K::channels>(to, 1.0f, y, C);
            continue;
        }
        const Footprint f = find_footprint<K>(a, s, g, l);
        if (where) add_sums<K, Roomy>(g.texel[l], f, y, C, l, sum);
        if (where && !K::flat) { set_lane(sum->fx, l, f.fx); set_lane(sum->fy, l, f.fy); }
        if (!K::flat && sink.takes_texels()) scatter<K, Roomy>(f, g.image[l], lane(g.w, l), second ? fraction : 1.0f - fraction, y, C, sink);
    }
}

template <class K, bool Roomy, class Sink>
GLRAST_INLINE void backward_pixels(const TextureArgs& a, const Look& look, int lanes, Sink& sink) {
    const int C = K::channels ? K::channels : a.C;
    const Samples& s = look.s;
    const Grid& g = look.at;
    const Grid& above = look.above;
    const bool where = Sink::gradients && (a.grad_uv || a.grad_uv_da || a.grad_bias);
    int asked = Sink::gradients ? lane_bits(s.found) : kAllLanes;
    const int more = lanes >> GLRAST_LANES;
    for (int l = 0; Sink::gradients && l < GLRAST_LANES; ++l)
        if (l >= s.count || !is_asked(a.grad_out + (s.pixel + l) * C, C)) asked &= ~(1 << l);
    Sums low, high;
    high.fx = high.fy = splat(0.0f);
    if (Sink::gradients) clear(&low);
    backward_level<K, Roomy>(a, look, false, lanes & asked, where, &low, sink);
    if (K::levels && look.mixed) {
        if (Sink::gradients) clear(&high);
        backward_level<K, Roomy>(a, look, true, more & asked & lane_bits(s.level.sloped), where, &high, sink);
    }
    if (!where) return;
    const Weighed at = weigh<K>(low);
    Floats u = g.x.slope * at.x, v = g.y.slope * at.y, level = splat(0.0f);
    if (K::levels && look.mixed) {
        const Weighed next = weigh<K>(high);
        level = select(s.level.sloped, next.value - at.value, level);
        u += select(s.level.sloped, s.level.fraction * (above.x.slope * next.x - u), splat(0.0f));
        v += select(s.level.sloped, s.level.fraction * (above.y.slope * next.y - v), splat(0.0f));
    }
    store_gradients<K>(a, s, u, v, level);
}

// A visit that only adds: what it adds to is in a cache already, so the groups go one by one.
template <class K, class Sink>
GLRAST_INLINE void add_pixels(const TextureArgs& a, const Groups& groups, Sink& sink) {
    const int C = K::channels ? K::channels : a.C;
    const int64 last = a.rows * a.width - GLRAST_LANES;
    for (int i = 0; i < GLRAST_GROUPS && i < groups.count; ++i) {
        for (int k = 0; k < GLRAST_LANES * C; k += 16) prefetch(a.grad_out + groups.pixel[i] * C + k);
        prefetch(a.grad_out + (groups.pixel[i] + GLRAST_LANES) * C - 1);
        prefetch(a.uv + groups.pixel[i] * 2);
    }
    for (int i = 0; i < GLRAST_GROUPS && i < groups.count; ++i) {
        const int lanes = groups.lanes[i];
        const int64 pixel = groups.pixel[i];
        Look look;
        find_look<K, false>(a, pixel, groups.end, lanes & kAllLanes, lanes >> GLRAST_LANES & kAllLanes, sink.keeps(pixel), &look);
        sink.group(i);
        if (three_in_one<K> && pixel < last) backward_pixels<K, three_in_one<K>>(a, look, lanes, sink);
        else backward_pixels<K, false>(a, look, lanes, sink);
    }
}

template <class K, class Sink>
GLRAST_INLINE void find_pixels(const TextureArgs& a, const Groups& groups, Sink& sink) {
    const int64 last = a.rows * a.width - GLRAST_LANES;
    Look looks[GLRAST_GROUPS];
    for (int i = 0; i < GLRAST_GROUPS && i < groups.count; ++i) {
        const int64 pixel = groups.pixel[i];
        find_look<K, true>(a, pixel, groups.end, true, true, nullptr, &looks[i]);
        const Samples& s = looks[i].s;
        if (float* kept = K::levels ? sink.keeps(pixel) : nullptr) store_floats(kept, s.count, s.level.held);
    }
    for (int i = 0; i < GLRAST_GROUPS && i < groups.count; ++i) {
        sink.group(i);
        if (three_in_one<K> && looks[i].roomy && groups.pixel[i] < last)
            backward_pixels<K, three_in_one<K>>(a, looks[i], groups.lanes[i], sink);
        else backward_pixels<K, false>(a, looks[i], groups.lanes[i], sink);
    }
}

template <class Sink>
GLRAST_INLINE void texture_backward_element(const TextureArgs& a, const Groups& groups, Sink& sink) {
    specialise(a, [&](auto kind) {
        if constexpr (Sink::gradients) find_pixels<decltype(kind)>(a, groups, sink);
        else add_pixels<decltype(kind)>(a, groups, sink);
    });
}
GLRAST_BINNED(texture_backward, TextureArgs)
