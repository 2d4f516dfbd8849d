// texture: texels between which each sample lies, weighted; at one level of a pyramid or between two. One thread = one pixel.
//
//   linear     out = sum_k w_k A_k over the four texels around (u, v); mipmap modes do it at floor(level), and between
//   trilinear  out = (1-f) V0 + f V1 at the levels around log2 of the footprint's longer axis (texture/level.cuh)
// Here the forward pass. Where a pixel looks is found in texture/samples.cuh; texture/backward.cuh has the gradients,
// texture/pyramid.cuh makes the levels.
#include "texture/backward.cuh"
#include "texture/pyramid.cuh"
#include "texture/samples.cuh"

template <class K, bool Roomy>
GLRAST_INLINE void sample_pixels(const TextureArgs& a, const Look& look) {
    const Samples& s = look.s;
    const Grid& g = look.at;
    const int C = K::channels ? K::channels : a.C;
    for (int l = 0; l < GLRAST_LANES && l < s.count; ++l) {
        float* __restrict__ out = a.out + (s.pixel + l) * C;
        if (!K::flat && a.filter == kNearest) {
            const int64 at = find_nearest(a, s, g, l);
            for (int i = 0; i < C; ++i) out[i] = at < 0 ? 0.0f : g.texel[l][at * C + i];
            continue;
        }
        const float fraction = K::levels ? lane(s.level.fraction, l) : 0.0f;
        const Footprint f = find_footprint<K>(a, s, g, l);
        if (K::levels && fraction > 0.0f) {
            const Footprint next = find_footprint<K>(a, s, look.above, l);
            for (int i = 0; i < C; i += GLRAST_LANES) {
                const Floats value = blend(fetch<K, Roomy>(g.texel[l], f, C, i), f.fx, f.fy);
                const Floats higher = blend(fetch<K, Roomy>(look.above.texel[l], next, C, i), next.fx, next.fy);
                store_channels(out + i, C - i, value + fraction * (higher - value));
            }
        } else {
            for (int i = 0; i < C; i += GLRAST_LANES)
                store_channels(out + i, C - i, blend(fetch<K, Roomy>(g.texel[l], f, C, i), f.fx, f.fy));
        }
    }
    if (!any(!s.found)) return;
    for (int l = 0; l < GLRAST_LANES && l < s.count; ++l)
        for (int i = 0; i < C && !lane_is_set(s.found, l); ++i) a.out[(s.pixel + l) * C + i] = 0.0f;
}

template <class K>
GLRAST_INLINE void texture_pixels(const TextureArgs& a, int64 pixel, int64 end) {
    while (pixel < end) {
        Look looks[GLRAST_GROUPS];
        int count = 0;
        for (int i = 0; i < GLRAST_GROUPS && pixel < end; ++i, ++count, pixel += GLRAST_LANES)
            find_look<K, true>(a, pixel, end, true, true, nullptr, &looks[i]);
        for (int i = 0; i < GLRAST_GROUPS && i < count; ++i) {
            if (three_in_one<K> && looks[i].roomy) sample_pixels<K, three_in_one<K>>(a, looks[i]);
            else sample_pixels<K, false>(a, looks[i]);
        }
    }
}

GLRAST_INLINE void texture_forward_element(const TextureArgs& a, int x, int count, Row row) {
    const int64 pixel = row.index * a.width + x;
    specialise(a, [&](auto kind) { texture_pixels<decltype(kind)>(a, pixel, pixel + count); });
}
GLRAST_KERNEL(texture_forward, TextureArgs)
