// Level of detail: log2 of the longer axis of the pixel's footprint in the texture, and its gradient.
//
//   J = [sx sy]   texels per pixel; a = sx^2 + tx^2, b = sy^2 + ty^2, c = sx sy + tx ty
//       [tx ty]   M^2 = (a+b)/2 + sqrt((a-b)^2/4 + c^2), the squared larger singular value of J; level = log2 M
#pragma once
#include "texture/cube.cuh"

struct Jacobian { float sx, sy, tx, ty; };

// Of each of several pixels.
struct Levels {
    Floats held;      // between the first and the last; what follows is found from it
    Ints base;        // the finer level
    Floats fraction;  // weight of the next
    Mask sloped;      // strictly between the first and the last level, and blended: the level has a gradient
};

// From (sx, sy, tx, ty) of each lane.
GLRAST_INLINE Floats level_of_detail(Rows j) {
    const Floats a = j.x * j.x + j.z * j.z, b = j.y * j.y + j.w * j.w, c = j.x * j.y + j.z * j.w;
    const Floats d = 0.5f * (a - b);
    return 0.5f * log2_lanes(0.5f * (a + b) + square_root(d * d + c * c));
}

// d level/dJ. With s = sqrt((a-b)^2/4 + c^2), M^2 = m + s: k s = h/M^2, e = k (a-b)/2, f = k c for k = h/(s M^2), h = 1/(2 ln 2).
// The quotients (a-b)/(2s) and c/s are taken first, so that small footprints do not underflow; s = 0, a round
// footprint, is the kink where the axes change places: not finite, hence 0.
GLRAST_INLINE Rows level_gradient(Rows j) {
    const Floats a = j.x * j.x + j.z * j.z, b = j.y * j.y + j.w * j.w, c = j.x * j.y + j.z * j.w;
    const Floats d = 0.5f * (a - b), s = square_root(d * d + c * c);
    const Floats ks = 0.72134752f / (0.5f * (a + b) + s), e = ks * (d / s), f = ks * (c / s), none = splat(0.0f);
    const Rows g = {j.x * (ks + e) + j.y * f, j.y * (ks - e) + j.x * f, j.z * (ks + e) + j.w * f, j.w * (ks - e) + j.z * f};
    return Rows{select(are_finite(g.x), g.x, none), select(are_finite(g.y), g.y, none),
                select(are_finite(g.z), g.z, none), select(are_finite(g.w), g.w, none)};
}

GLRAST_INLINE Levels no_levels() {
    const Floats none = splat(0.0f);
    return Levels{none, to_ints(none), none, none < none};
}

GLRAST_INLINE Floats hold_level(Floats level, int last) {  // NaN: 0
    return lower(higher(level, splat(0.0f)), splat((float)last));
}

GLRAST_INLINE Levels choose_levels(Floats held, int last, bool blend) {
    const Floats none = splat(0.0f), end = splat((float)last);
    const Ints base = to_ints(held);
    if (!blend) return Levels{held, base, none, none < none};
    return Levels{held, base, held - to_floats(base), (Mask)((held > none) & (held < end))};
}

// uv_da (ds/dX, ds/dY, dt/dX, dt/dY) of a face, in texels, from the derivatives of a direction: with r = 1/|m|, p = sc r: ds/dX = r (dsc/dX - p d|m|/dX) / 2.
struct CubeSlopes { float s[2], t[2], m[2]; };  // of sc, tc and |m|, along X and Y

GLRAST_INLINE CubeSlopes cube_slopes(const CubePoint& c, const float* da) {
    const Face f = cube_face(c.face);
    CubeSlopes k;
    for (int i = 0; i < 2; ++i) {
        k.s[i] = (float)f.sign_s * da[2 * f.s + i];
        k.t[i] = (float)f.sign_t * da[2 * f.t + i];
        k.m[i] = (float)f.sign_m * da[2 * f.m + i];
    }
    return k;
}

GLRAST_INLINE Jacobian cube_jacobian(const CubePoint& c, const CubeSlopes& k, int S) {
    const float h = 0.5f * c.r * (float)S;
    return Jacobian{h * (k.s[0] - c.p * k.m[0]), h * (k.s[1] - c.p * k.m[1]),
                    h * (k.t[0] - c.q * k.m[0]), h * (k.t[1] - c.q * k.m[1])};
}

// From g, the gradient of the Jacobian (texels), to uv_da [6] and to the direction it was taken at. With
// J = S r (k - p m)/2: dJ/dk = S r/2, dJ/dm = -S r p/2, dJ/dp = -S r m/2 (p = 2s - 1), dJ/dr = J/r.
GLRAST_INLINE Vector cube_jacobian_gradient(const CubePoint& c, const CubeSlopes& k, Jacobian g, int S, float* grad_da) {
    const Face f = cube_face(c.face);
    const float h = 0.5f * c.r * (float)S;
    const float gs[2] = {g.sx, g.sy}, gt[2] = {g.tx, g.ty};
    float gp = 0.0f, gq = 0.0f, gr = 0.0f;
    for (int i = 0; i < 2; ++i) {
        if (grad_da) {
            grad_da[2 * f.s + i] = (float)f.sign_s * h * gs[i];
            grad_da[2 * f.t + i] = (float)f.sign_t * h * gt[i];
            grad_da[2 * f.m + i] = (float)f.sign_m * -h * (c.p * gs[i] + c.q * gt[i]);
        }
        gp -= h * k.m[i] * gs[i];
        gq -= h * k.m[i] * gt[i];
        gr += 0.5f * (float)S * ((k.s[i] - c.p * k.m[i]) * gs[i] + (k.t[i] - c.q * k.m[i]) * gt[i]);
    }
    return cube_direction_gradient(c, 2.0f * gp, 2.0f * gq, gr);
}
