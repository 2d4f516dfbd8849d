// Where some neighbouring pixels look: coordinates, level, and on that level the texels around.
#pragma once
#include "texture/level.cuh"

// What the compiler knows about a call: the number of channels (0: any); that no texel is missing, none on a cube, and an
// int counts them all; whether there are levels. On CUDA only the channels: one thread finds out the rest for itself,
// and compiling is slow.
template <int Channels, bool Flat, bool Levels>
struct Kind {
    static constexpr int channels = Channels;
    static constexpr bool flat = Flat, levels = Levels;
};

// Three channels lie in one register, with a fourth that nobody uses, where reading it is allowed.
template <class K>
constexpr bool three_in_one = K::flat && K::channels == 3;

constexpr int64 kMostFlatTexels = 2147483647;

// body(Kind<...>{}) with what is known of `a`.
template <class Body>
GLRAST_INLINE void specialise(const TextureArgs& a, Body body) {
    if constexpr (GLRAST_LANES == 1) {
        if (a.C == 3) body(Kind<3, false, true>{});
        else if (a.C == 4) body(Kind<4, false, true>{});
        else if (a.C == 1) body(Kind<1, false, true>{});
        else body(Kind<0, false, true>{});
    } else {
        const bool flat = a.filter != kNearest && (a.boundary == kWrap || a.boundary == kClamp || a.boundary == kMirror)
            && a.levels[a.last + 1] <= kMostFlatTexels;
        const bool levels = a.filter >= kLinearMipmapNearest;
        if (flat && a.C == 3) levels ? body(Kind<3, true, true>{}) : body(Kind<3, true, false>{});
        else if (flat && a.C == 4) levels ? body(Kind<4, true, true>{}) : body(Kind<4, true, false>{});
        else if (flat && a.C == 1) levels ? body(Kind<1, true, true>{}) : body(Kind<1, true, false>{});
        else if (flat) levels ? body(Kind<0, true, true>{}) : body(Kind<0, true, false>{});
        else body(Kind<0, false, true>{});
    }
}

// (u, v), or points on the cube; and the levels. Of pixels [pixel, pixel + count).
struct Samples {
    int64 pixel;
    int count;
    Floats u, v;
    Mask found;                     // false: not finite, or no direction
    CubePoint point[GLRAST_LANES];
    Levels level;
    Rows jacobian;                  // (sx, sy, tx, ty), where there is a level to find from uv_da
};

template <class K>
GLRAST_INLINE void find_levels(const TextureArgs& a, Samples* s) {
    Floats level = a.bias ? load_floats(a.bias + s->pixel, s->count) : splat(0.0f);
    if (a.uv_da) {
        Rows& j = s->jacobian;
        if (!K::flat && a.boundary == kCube) {
            j = Rows{splat(0.0f), splat(0.0f), splat(0.0f), splat(0.0f)};
            for (int l = 0; l < s->count; ++l) {
                const Jacobian k = cube_jacobian(s->point[l], cube_slopes(s->point[l], a.uv_da + 6 * (s->pixel + l)), a.Wt);
                set_lane(j.x, l, k.sx); set_lane(j.y, l, k.sy); set_lane(j.z, l, k.tx); set_lane(j.w, l, k.ty);
            }
        } else {
            const float w = (float)a.Wt, h = (float)a.Ht;
            j = load_pixels(a.uv_da + 4 * s->pixel, s->count);
            j = Rows{j.x * w, j.y * w, j.z * h, j.w * h};
        }
        level += level_of_detail(j);
    }
    s->level = choose_levels(hold_level(level, a.last), a.last, a.filter == kLinearMipmapLinear);
}

// `known`: the levels that a visit before this one found (held), or null.
template <class K>
GLRAST_INLINE void find_samples(const TextureArgs& a, int64 pixel, int count, const float* known, Samples* s) {
    s->pixel = pixel;
    s->count = count;
    for (int l = 0; !K::flat && l < GLRAST_LANES; ++l) s->point[l] = CubePoint{0, 0.0f, 0.0f, 0.0f};
    if (!K::flat && a.boundary == kCube) {
        s->u = s->v = splat(0.0f);
        s->found = s->u < s->u;
        for (int l = 0; l < GLRAST_LANES && l < count; ++l) {
            const float* d = a.uv + 3 * (pixel + l);
            set_mask(s->found, l, meet_cube(Vector{d[0], d[1], d[2]}, &s->point[l]));
        }
    } else {
        const Pair uv = load_pairs(a.uv + 2 * pixel, count);
        s->found = are_finite(uv.x) & are_finite(uv.y);
        s->u = select(s->found, uv.x, splat(0.0f));
        s->v = select(s->found, uv.y, splat(0.0f));
    }
    if (!K::levels || a.filter < kLinearMipmapNearest) s->level = no_levels();
    else if (known) s->level = choose_levels(load_floats(known, count), a.last, a.filter == kLinearMipmapLinear);
    else find_levels<K>(a, s);
}

// Of one level: the images in which the pixels look, and the texels there. A footprint's texels are counted from `at`.
struct Grid {
    Ints w, h;
    Axis x, y;
    Ints first;                         // flat: texels, from tex on, before (x0, y0)
    Ints right, up;                     // flat: from there to x1, and to y1: a texel, a row, or none at a clamp, or back to the start
    int64 image[GLRAST_LANES];          // else: texels before the image
    const float* texel[GLRAST_LANES];   // the first texel, or the image
    bool roomy;                         // CPU: behind every texel asked for there is at least one more
};

// Texels before each pixel's image on its level; flat: as Ints.
template <class K>
GLRAST_INLINE void find_images(const TextureArgs& a, const Samples& s, Ints level, Grid* g) {
    for (int l = 0; l < GLRAST_LANES; ++l) g->image[l] = K::levels ? a.levels[lane(level, l)] : 0;
    if (a.many) {
        const int64 pixels = (int64)a.width * a.H, n = s.pixel / pixels, left = (n + 1) * pixels - s.pixel;
        for (int l = 0; l < GLRAST_LANES; ++l) {
            const int64 size = (int64)lane(g->w, l) * lane(g->h, l) * (!K::flat && a.boundary == kCube ? 6 : 1);
            g->image[l] += (l < left ? n : (s.pixel + l) / pixels) * size;
        }
    }
}

// Texels, from tex on, before the one from which a footprint counts.
template <class K>
GLRAST_INLINE int64 first_texel(const Grid& g, int l) { return K::flat ? lane(g.first, l) : g.image[l]; }

// The level of each pixel, or with `above` the one after it.
template <class K, bool Read>
GLRAST_INLINE void find_grid(const TextureArgs& a, const Samples& s, bool above, Grid* g) {
    const int C = K::channels ? K::channels : a.C;
    const Ints level = above ? s.level.base + 1 : s.level.base;
    g->w = K::levels ? halved(a.Wt, level) : splat_int(a.Wt);
    g->h = K::levels ? halved(a.Ht, level) : splat_int(a.Ht);
    const bool same = !K::levels || !any(level != splat_int(lane(level, 0)));
    if (K::flat && same && !a.many) {
        g->first = splat_int(K::levels ? (int)a.levels[lane(level, 0)] : 0);
    } else {
        find_images<K>(a, s, level, g);
        g->first = narrow(g->image);
    }
    g->roomy = false;
    if (!K::flat && (a.boundary == kCube || a.filter == kNearest)) {  // the rest is found for each pixel
        g->x.slope = g->y.slope = to_floats(g->w);
    } else {
        g->x = texel_pair(s.u, to_floats(g->w), a.boundary);
        g->y = texel_pair(s.v, to_floats(g->h), a.boundary);
    }
    if (K::flat) {
        g->right = g->x.i1 - g->x.i0;
        const Ints row = g->y.i0 * g->w;
        g->up = g->y.i1 * g->w - row;
        g->first += row + g->x.i0;
    }
    if (!Read) return;
    if (K::flat) g->roomy = !any((g->y.i0 == g->h - 1) | (g->y.i1 == g->h - 1));
    const float* const mip = K::levels && a.last ? a.mip - a.levels[1] * C : a.tex;  // as if it followed tex
    if (same) {
        const float* const base = K::levels && lane(level, 0) ? mip : a.tex;
        for (int l = 0; l < GLRAST_LANES; ++l) g->texel[l] = base + first_texel<K>(*g, l) * C;
    } else {
        for (int l = 0; l < GLRAST_LANES; ++l) g->texel[l] = (lane(level, l) ? mip : a.tex) + first_texel<K>(*g, l) * C;
    }
}

// Asks for the texels of a grid, since the next pixels' addresses are still to be found.
template <class K>
GLRAST_INLINE void prefetch_texels(const TextureArgs& a, const Grid& g) {
    const int C = K::channels ? K::channels : a.C;
    for (int l = 0; K::flat && l < GLRAST_LANES; ++l) {
        prefetch(g.texel[l]);
        prefetch(g.texel[l] + lane(g.up, l) * (int64)C);
    }
}

template <class K>
GLRAST_INLINE Footprint find_footprint(const TextureArgs& a, const Samples& s, const Grid& g, int l) {
    if (K::flat) {
        const int64 right = lane(g.right, l), up = lane(g.up, l);
        return Footprint{{0, right, up, up + right}, lane(g.x.f, l), lane(g.y.f, l), true, false};
    }
    if (a.boundary == kCube) return cube_footprint(s.point[l], lane(g.w, l));
    return flat_footprint(g.x, g.y, l, lane(g.w, l));
}

GLRAST_INLINE int64 find_nearest(const TextureArgs& a, const Samples& s, const Grid& g, int l) {
    const int w = lane(g.w, l), h = lane(g.h, l);
    if (a.boundary == kCube) return cube_nearest(s.point[l], w);
    const int x = nearest_texel(lane(s.u, l), w, a.boundary), y = nearest_texel(lane(s.v, l), h, a.boundary);
    return (x | y) < 0 ? -1 : (int64)y * w + x;
}

// Up to GLRAST_LANES channels, from `i` on, of the four texels of a footprint. `Roomy`: reading past the last one is allowed.
struct Quad { Floats k00, k10, k01, k11; };

template <class K, bool Roomy>
GLRAST_INLINE Quad fetch(const float* texels, const Footprint& f, int C, int i) {
    const int count = Roomy ? GLRAST_LANES : C - i;
    if (K::flat || f.whole) {
        return Quad{load_channels(texels + f.at[0] * C + i, count), load_channels(texels + f.at[1] * C + i, count),
                    load_channels(texels + f.at[2] * C + i, count), load_channels(texels + f.at[3] * C + i, count)};
    }
    Floats k[4], sum = splat(0.0f);
    for (int j = 0; j < 4; ++j) {
        k[j] = f.at[j] < 0 ? splat(0.0f) : load_channels(texels + f.at[j] * C + i, count);
        sum += k[j];
    }
    for (int j = 0; j < 4 && f.corner; ++j) if (f.at[j] < 0) k[j] = sum * (1.0f / 3.0f);
    return Quad{k[0], k[1], k[2], k[3]};
}

GLRAST_INLINE Floats blend(const Quad& q, float fx, float fy) {
    const Floats low = q.k00 + fx * (q.k10 - q.k00), high = q.k01 + fx * (q.k11 - q.k01);
    return low + fy * (high - low);
}

// All that is found before the first texel is read.
struct Look {
    Samples s;
    Grid at, above;
    bool mixed;   // some pixel needs `above`
    bool roomy;
};

// With `low` and `high`: the level of each pixel, and the one after it, are asked for; with Read their texels, too.
// `known` as find_samples has it.
template <class K, bool Read>
GLRAST_INLINE void find_look(const TextureArgs& a, int64 pixel, int64 end, bool low, bool high, const float* known, Look* look) {
    find_samples<K>(a, pixel, end - pixel < GLRAST_LANES ? (int)(end - pixel) : GLRAST_LANES, known, &look->s);
    look->roomy = three_in_one<K>;
    if (low) {
        find_grid<K, Read>(a, look->s, false, &look->at);
        if (Read) prefetch_texels<K>(a, look->at);
        if (Read) look->roomy &= look->at.roomy;
    } else {
        look->at.x = look->at.y = Axis{};
    }
    look->mixed = K::levels && high && any(look->s.level.sloped);
    if (!look->mixed) return;
    find_grid<K, Read>(a, look->s, true, &look->above);
    if (Read) prefetch_texels<K>(a, look->above);
    if (Read) look->roomy &= look->above.roomy;
}
