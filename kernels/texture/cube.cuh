// Cube maps: six faces +x, -x, +y, -y, +z, -z with OpenGL's s, t on each, and the neighbours across the edges.
#pragma once
#include "texture/boundary.cuh"

// OpenGL 4.6, table 8.19: with m the coordinate along the face's axis, s = (sc/|m| + 1)/2, t = (tc/|m| + 1)/2.
//   face   +x   -x   +y   -y   +z   -z
//   sc     -z   +z   +x   +x   +x   -x
//   tc     -y   -y   +z   -z   -y   -y
struct Face { int m, s, t; int sign_m, sign_s, sign_t; };  // which coordinate, and its sign

GLRAST_INLINE Face cube_face(int face) {
    const int axis = face >> 1;
    return Face{axis, axis == 0 ? 2 : 0, axis == 1 ? 2 : 1, face & 1 ? -1 : 1, face == 0 || face == 5 ? -1 : 1, face == 2 ? 1 : -1};
}

struct Vector { float x, y, z; };
GLRAST_INLINE float coordinate(Vector d, int axis) { return axis == 0 ? d.x : axis == 1 ? d.y : d.z; }

// Where a direction meets the cube.
struct CubePoint {
    int face;
    float p, q;  // sc/|m|, tc/|m| in [-1,1]
    float r;     // 1/|m|
};

// False for a zero or non-finite direction.
GLRAST_INLINE bool meet_cube(Vector d, CubePoint* out) {
    const float x = fabsf(d.x), y = fabsf(d.y), z = fabsf(d.z);
    const int axis = x >= y && x >= z ? 0 : y >= z ? 1 : 2;
    const float m = coordinate(d, axis), r = 1.0f / fabsf(m);
    if (!(is_finite(x) && is_finite(y) && is_finite(z) && is_finite(r))) return false;
    const int face = 2 * axis + (m < 0.0f);
    const Face f = cube_face(face);
    *out = CubePoint{face, (float)f.sign_s * coordinate(d, f.s) * r, (float)f.sign_t * coordinate(d, f.t) * r, r};
    return true;
}

// Texel (x, y) of a face, one of which may lie one step outside: then it is the texel across that edge.
// In units of half a texel the face's texel centres are whole numbers: 2x+1-S along s, S along the axis. A texel
// that hangs over the edge folds down onto the neighbour, half a texel below its rim: S-1.
GLRAST_INLINE int64 cube_texel(int face, int x, int y, int S) {
    if ((unsigned)x < (unsigned)S && (unsigned)y < (unsigned)S) return ((int64)face * S + y) * S + x;
    const Face f = cube_face(face);
    const bool over_s = (unsigned)x >= (unsigned)S;
    const int s = over_s ? (x < 0 ? -S : S) : 2 * x + 1 - S, t = over_s ? 2 * y + 1 - S : (y < 0 ? -S : S);
    // by coordinate: the face's own axis, s and t are a permutation of 0, 1, 2
    const int m = f.sign_m * (S - 1), vs = f.sign_s * s, vt = f.sign_t * t;
    const int px = f.m == 0 ? m : vs;  // s is coordinate 0 unless m is
    const int py = f.m == 1 ? m : vt;  // t is coordinate 1 unless m is
    const int pz = f.m == 2 ? m : f.m == 0 ? vs : vt;
    const int axis = over_s ? f.s : f.t;
    const int next = 2 * axis + ((over_s ? vs : vt) < 0);
    const Face g = cube_face(next);
    const int gs = g.sign_s * (g.s == 0 ? px : pz), gt = g.sign_t * (g.t == 1 ? py : pz);
    return ((int64)next * S + (gt + S - 1) / 2) * S + (gs + S - 1) / 2;
}

GLRAST_INLINE Footprint cube_footprint(const CubePoint& c, int S) {
    const float n = (float)S;
    const float u = (0.5f * c.p + 0.5f) * n - 0.5f, v = (0.5f * c.q + 0.5f) * n - 0.5f;
    const int x = floor_int(u), y = floor_int(v);
    Footprint f = {{0, 0, 0, 0}, u - (float)x, v - (float)y, true, false};
    if (x >= 0 && y >= 0 && x + 1 < S && y + 1 < S) {
        const int64 at = ((int64)c.face * S + y) * S + x;
        f.at[0] = at; f.at[1] = at + 1; f.at[2] = at + S; f.at[3] = at + S + 1;
        return f;
    }
    for (int k = 0; k < 4; ++k) {
        const int i = x + (k & 1), j = y + (k >> 1);
        const bool missing = (unsigned)i >= (unsigned)S && (unsigned)j >= (unsigned)S;
        f.at[k] = missing ? -1 : cube_texel(c.face, i, j, S);
        if (missing) { f.whole = false; f.corner = true; }
    }
    return f;
}

GLRAST_INLINE int64 cube_nearest(const CubePoint& c, int S) {
    const int x = nearest_texel(0.5f * c.p + 0.5f, S, kClamp), y = nearest_texel(0.5f * c.q + 0.5f, S, kClamp);
    return ((int64)c.face * S + y) * S + x;
}

// The gradient of the direction from those of s, t and of r = 1/|m|: s = (sc r + 1)/2, dr/dm = -sign r^2.
// With p = sc r: ds/dsc = r/2, ds/d|m| = -p r/2.
GLRAST_INLINE Vector cube_direction_gradient(const CubePoint& c, float gs, float gt, float gr) {
    const Face f = cube_face(c.face);
    const float s = (float)f.sign_s * 0.5f * c.r * gs, t = (float)f.sign_t * 0.5f * c.r * gt;
    const float m = (float)f.sign_m * c.r * (-0.5f * (c.p * gs + c.q * gt) - c.r * gr);
    return Vector{f.m == 0 ? m : s, f.m == 1 ? m : t, f.m == 2 ? m : f.m == 0 ? s : t};
}
