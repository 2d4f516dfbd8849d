// A face seen from one pixel centre: whether it is within reach, its depth, barycentrics and distance.
#pragma once
#include "visibility/nearest_faces/bins.cuh"

// perspective: perspective-correct barycentrics, else affine ones
// clip: what happens to those of a pixel outside: 0 nothing, 1 each into [0,1], 2 each to 0 or more; then their sum to 1
// strict: a centre on an edge is not inside; else one of the two faces with that edge has it
#define GLRAST_LOOK_MEMBERS int perspective; int clip; int strict;

// Of a centre exactly on edge k: the face has it that lies on the right, or above.
GLRAST_INLINE bool has_edge(const double* f, int k) { return f[3 * k] > 0.0 || (f[3 * k] == 0.0 && f[3 * k + 1] > 0.0); }

// Does a point of a face that is cut lie between the near and the far plane?
GLRAST_INLINE bool lies_between(const double* f, const double e[3]) {
    const double eye = eye_of(f + kW);
    double near = 0.0, far = 0.0;
    for (int k = 0; k < 3; ++k) {
        near += e[k] * f[kScale + k] * before(corner(f, k), 0, eye);
        far += e[k] * f[kScale + k] * before(corner(f, k), 1, eye);
    }
    return near >= 0.0 && far >= 0.0;
}

// Whether a point at distances e inside the edges is seen through the face.
GLRAST_INLINE bool covers(const double* f, const double e[3], bool strict) {
    const double inner = least(e);
    if (inner < 0.0 || (strict && inner == 0.0)) return false;
    if (inner == 0.0) {
        for (int k = 0; k < 3; ++k) if (e[k] == 0.0 && !has_edge(f, k)) return false;
    }
    return !f[kCut] || lies_between(f, e);
}

// ---- distance --------------------------------------------------------------------------------------------

// The nearest point of the outline: on which part, and where from its begin (0) to its end (1).
struct Nearest { double distance2; int part; double t; ScreenPoint at, begin, end; };

GLRAST_INLINE void look_at_part(Nearest* best, ScreenPoint s, int part, ScreenPoint p, ScreenPoint q) {
    const double ex = q.x - p.x, ey = q.y - p.y, length2 = ex * ex + ey * ey;
    const double along = length2 > 0.0 ? ((s.x - p.x) * ex + (s.y - p.y) * ey) / length2 : 0.0;
    const double t = minimum(maximum(along, 0.0), 1.0);
    const ScreenPoint at = {p.x + t * ex, p.y + t * ey};
    const double distance2 = (s.x - at.x) * (s.x - at.x) + (s.y - at.y) * (s.y - at.y);
    if (distance2 < best->distance2) *best = Nearest{distance2, part, t, at, p, q};
}

GLRAST_INLINE Nearest nearest_of_cut(const double* f, ScreenPoint s, int columns, int lines) {
    Nearest best = {1e300, -1, 0.0, s, s, s};
    GLRAST_ROLLED for (int number = 0; number < 5; ++number) {
        Part part;
        if (!part_of_cut(f, number, &part)) continue;
        const ClipPoint p = between(part.p, part.q, part.a), q = between(part.p, part.q, part.b);
        look_at_part(&best, s, number, on_screen(p.x, p.y, p.w, columns, lines), on_screen(q.x, q.y, q.w, columns, lines));
    }
    return best;
}

// Of a point at distances e inside the edges. Inside, the nearest edge has the nearest point; outside it lies on an edge that
// the point is beyond.
GLRAST_INLINE Nearest nearest_point(const double* f, ScreenPoint s, const double e[3], bool inside, int columns, int lines) {
    if (f[kCut]) return nearest_of_cut(f, s, columns, lines);
    Nearest best = {1e300, -1, 0.0, s, s, s};
    const double inner = least(e);
    GLRAST_ROLLED for (int k = 0; k < 3; ++k) {
        if (inside ? e[k] > inner : e[k] > 0.0) continue;
        const double *p = f + kCorners + 2 * next(k), *q = f + kCorners + 2 * next(next(k));
        look_at_part(&best, s, k, ScreenPoint{p[0], p[1]}, ScreenPoint{q[0], q[1]});
    }
    return best;
}

// Its squared distance alone. On an edge, between its ends, that is the distance inside the edge's line: nothing is divided.
GLRAST_INLINE double outline_distance2(const double* f, ScreenPoint s, const double e[3], bool inside, int columns, int lines) {
    if (f[kCut]) return nearest_of_cut(f, s, columns, lines).distance2;
    if (inside) { const double inner = least(e); return inner * inner; }
    double best = 1e300;
    GLRAST_ROLLED for (int k = 0; k < 3; ++k) {
        if (e[k] > 0.0) continue;
        const double *p = f + kCorners + 2 * next(k), *q = f + kCorners + 2 * next(next(k));
        const double ex = q[0] - p[0], ey = q[1] - p[1], px = s.x - p[0], py = s.y - p[1], qx = s.x - q[0], qy = s.y - q[1];
        const double past_p = px * ex + py * ey, past_q = qx * ex + qy * ey;
        best = minimum(best, past_p <= 0.0 ? px * px + py * py : past_q >= 0.0 ? qx * qx + qy * qy : e[k] * e[k]);
    }
    return best;
}

// ---- barycentrics and depth ------------------------------------------------------------------------------

// u: before clipping; c: after it; sum of b; what b is multiplied by for u
struct Weights { double b[3], u[3], c[3], sum, scale, z; };

GLRAST_INLINE double clipped(double u, int clip) { return clip == 1 ? minimum(maximum(u, 0.0), 1.0) : maximum(u, 0.0); }

// `clip` is 0 for a point inside, which rounding alone could take out.
GLRAST_INLINE Weights weights_at(const double* f, const double e[3], bool perspective, int clip) {
    Weights w;
    const double *Z = f + kZ, *W = f + kW;
    for (int k = 0; k < 3; ++k) w.b[k] = e[k] * f[kScale + k];
    w.sum = w.b[0] + w.b[1] + w.b[2];
    // Beyond the horizon of the face's plane, where the sum is not positive, clipped weights keep the signs of b: they are
    // those of the corners on that side.
    const double positive = maximum(w.sum, 1e-30 * (fabs(w.b[0]) + fabs(w.b[1]) + fabs(w.b[2])));
    w.scale = 1.0 / (clip || w.sum == 0.0 ? positive : w.sum);
    for (int k = 0; k < 3; ++k) w.c[k] = w.u[k] = perspective ? w.b[k] * w.scale : w.b[k] * W[k];
    w.z = Z[0] * w.b[0] + Z[1] * w.b[1] + Z[2] * w.b[2];
    if (!clip) return w;
    // Of perspective-correct ones the common factor goes last, so that depth does not wait for it.
    for (int k = 0; k < 3; ++k) {
        if (perspective) w.c[k] = clip == 1 ? minimum(maximum(w.b[k], 0.0), positive) : maximum(w.b[k], 0.0);
        else w.c[k] = clipped(w.u[k], clip);
    }
    const double scale = 1.0 / (w.c[0] + w.c[1] + w.c[2]);
    if (perspective) {
        w.z = (w.c[0] * Z[0] + w.c[1] * Z[1] + w.c[2] * Z[2]) / (w.c[0] * W[0] + w.c[1] * W[1] + w.c[2] * W[2]);
    } else {
        w.z = scale * (w.c[0] * Z[0] / W[0] + w.c[1] * Z[1] / W[1] + w.c[2] * Z[2] / W[2]);
    }
    for (int k = 0; k < 3; ++k) w.c[k] *= scale;
    return w;
}

GLRAST_INLINE void distances_at(const double* f, ScreenPoint s, double e[3]) {
    for (int k = 0; k < 3; ++k) e[k] = edge_at(f, k, s);
}

// What a pixel sees of a face: the barycentrics of a pixel outside a face that is cut are those of the nearest point of its
// outline, since corners beyond the plane are not seen.
GLRAST_INLINE Weights weights_of(const double* f, ScreenPoint s, const double e[3], bool inside, int columns, int lines, bool perspective, int clip) {
    if (inside || !clip) return weights_at(f, e, perspective, 0);
    if (!f[kCut]) return weights_at(f, e, perspective, clip);
    double at[3];
    distances_at(f, nearest_of_cut(f, s, columns, lines).at, at);
    return weights_at(f, at, perspective, 0);
}
