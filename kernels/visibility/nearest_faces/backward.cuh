// The gradient of what was found to the clip positions.
//
// Barycentrics and depth are functions of b and, in part, of Z and W; a change dM of the rows M changes b by -b dM M^-1.
// The distance changes with the two ends of the part of the outline that is nearest: d (distance^2) = -2 (s - at) . d at,
// at = (1 - t) begin + t end, for t need not be differentiated: it is a minimum, or a corner.
#pragma once
#include "visibility/nearest_faces/walk.cuh"

struct NearestFacesBackwardArgs {
    int width;              // W*K
    int H;
    int64 rows;             // N*H
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    GLRAST_LOOK_MEMBERS
    GLRAST_FOUND_MEMBERS
    const int* tri;         // [T,3]
    int64 pos_stride;
    const float* grad_z;    // [N,H,W,K] or null
    const float* grad_bary; // [N,H,W,K,3] or null
    const float* grad_dist2;  // [N,H,W,K] or null
};

// dL/d(X,Y,Z,W) of the three vertices.
struct CornerGradients { double g[3][4]; };

// ---- barycentrics and depth ------------------------------------------------------------------------------

// Through clipping: dL/du_k by that of the weights and of z.
GLRAST_INLINE void by_clipping(const double* f, const Weights& w, bool perspective, int clip, double grad_z, double by_u[3], CornerGradients* out) {
    const double *Z = f + kZ, *W = f + kW;
    if (perspective) {
        const double r = grad_z / (w.c[0] * W[0] + w.c[1] * W[1] + w.c[2] * W[2]);
        for (int k = 0; k < 3; ++k) {
            by_u[k] += r * (Z[k] - w.z * W[k]);
            out->g[k][2] += r * w.c[k];
            out->g[k][3] -= r * w.c[k] * w.z;
        }
    } else {
        for (int k = 0; k < 3; ++k) {
            const double r = grad_z / W[k];
            by_u[k] += r * Z[k];
            out->g[k][2] += r * w.c[k];
            out->g[k][3] -= r * w.c[k] * Z[k] / W[k];
        }
    }
    const double mean = by_u[0] * w.c[0] + by_u[1] * w.c[1] + by_u[2] * w.c[2];
    const double scale = 1.0 / (clipped(w.u[0], clip) + clipped(w.u[1], clip) + clipped(w.u[2], clip));
    for (int k = 0; k < 3; ++k) by_u[k] = w.u[k] > 0.0 && (clip == 2 || w.u[k] < 1.0) ? (by_u[k] - mean) * scale : 0.0;
}

// dL/db_k by grad, of the weights, and of z; adds what Z and W get without b.
GLRAST_INLINE void by_weights(const double* f, const Weights& w, bool perspective, int clip, double grad_z, const double grad[3], double by_b[3], CornerGradients* out) {
    double by_u[3] = {grad[0], grad[1], grad[2]};
    for (int k = 0; k < 3; ++k) by_b[k] = 0.0;
    if (clip) {
        by_clipping(f, w, perspective, clip, grad_z, by_u, out);
    } else {
        for (int k = 0; k < 3; ++k) { by_b[k] = grad_z * f[kZ + k]; out->g[k][2] = grad_z * w.b[k]; }
    }
    if (!perspective) {
        for (int k = 0; k < 3; ++k) { by_b[k] += by_u[k] * f[kW + k]; out->g[k][3] += by_u[k] * w.b[k]; }
    } else if (clip == 2) {  // what is clipped below alone does not depend on the scale
        for (int k = 0; k < 3; ++k) by_b[k] += by_u[k] * w.scale;
    } else if (clip ? w.sum > 0.0 : w.sum != 0.0) {
        const double mean = by_u[0] * w.u[0] + by_u[1] * w.u[1] + by_u[2] * w.u[2], r = 1.0 / w.sum;
        for (int k = 0; k < 3; ++k) by_b[k] += (by_u[k] - mean) * r;
    }
}

GLRAST_INLINE void by_rows(const double* f, const double b[3], const double by_b[3], int columns, int lines, CornerGradients* out) {
    double h[3] = {0.0, 0.0, 0.0};
    for (int j = 0; j < 3; ++j) {  // column j of M^-1
        const double first = 0.5 * columns * f[3 * j], second = 0.5 * lines * f[3 * j + 1], g = by_b[j] * f[kScale + j];
        h[0] += g * first;
        h[1] += g * second;
        h[2] += g * (f[3 * j + 2] + first + second);
    }
    for (int k = 0; k < 3; ++k) {
        out->g[k][0] -= b[k] * h[0];
        out->g[k][1] -= b[k] * h[1];
        out->g[k][3] -= b[k] * h[2];
    }
}

// ---- distance --------------------------------------------------------------------------------------------

// dL/d(X,Y,Z,W) of a point by its place on the screen.
GLRAST_INLINE ClipPoint by_place(ClipPoint p, ScreenPoint g, int columns, int lines) {
    const double gx = 0.5 * columns * g.x / p.w, gy = 0.5 * lines * g.y / p.w;
    return ClipPoint{gx, gy, 0.0, -(gx * p.x + gy * p.y) / p.w};
}

// Of a point from p to q, where a plane cuts (-1: it stays where it is), to both.
GLRAST_INLINE void by_ends(ClipPoint g, ClipPoint p, ClipPoint q, double t, int plane, double eye, ClipPoint* to_p, ClipPoint* to_q) {
    *to_p = ClipPoint{(1.0 - t) * g.x, (1.0 - t) * g.y, (1.0 - t) * g.z, (1.0 - t) * g.w};
    *to_q = ClipPoint{t * g.x, t * g.y, t * g.z, t * g.w};
    if (plane < 0) return;
    const double dp = before(p, plane, eye), dq = before(q, plane, eye), r = 1.0 / ((dp - dq) * (dp - dq));
    const double by_t = g.x * (q.x - p.x) + g.y * (q.y - p.y) + g.z * (q.z - p.z) + g.w * (q.w - p.w);
    const double by_p = -by_t * dq * r, by_q = by_t * dp * r, sign = plane == 0 ? 1.0 : -1.0;
    to_p->z += sign * by_p;
    to_p->w += by_p;
    to_q->z += sign * by_q;
    to_q->w += by_q;
}

GLRAST_INLINE void add_corner(CornerGradients* out, int k, ClipPoint g) {
    out->g[k][0] += g.x;
    out->g[k][1] += g.y;
    out->g[k][2] += g.z;
    out->g[k][3] += g.w;
}

// dL of the ends of a part of a face that is cut, by their places.
GLRAST_INLINE CornerGradients by_cut(const double* f, int number, ScreenPoint to_begin, ScreenPoint to_end, int columns, int lines) {
    CornerGradients out = {};
    Part part;
    if (!part_of_cut(f, number, &part)) return out;
    const double eye = eye_of(f + kW);
    ClipPoint g[2] = {{0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}};  // of p and q
    GLRAST_ROLLED for (int end = 0; end < 2; ++end) {
        const double t = end ? part.b : part.a;
        const ClipPoint by = by_place(between(part.p, part.q, t), end ? to_end : to_begin, columns, lines);
        ClipPoint to_p, to_q;
        by_ends(by, part.p, part.q, t, end ? part.plane_b : part.plane_a, eye, &to_p, &to_q);
        g[0] = ClipPoint{g[0].x + to_p.x, g[0].y + to_p.y, g[0].z + to_p.z, g[0].w + to_p.w};
        g[1] = ClipPoint{g[1].x + to_q.x, g[1].y + to_q.y, g[1].z + to_q.z, g[1].w + to_q.w};
    }
    GLRAST_ROLLED for (int end = 0; end < 2; ++end) {
        if (number < 3) { add_corner(&out, end ? next(next(number)) : next(number), g[end]); continue; }
        const int k = part.of[end];
        const ClipPoint p = corner(f, next(k)), q = corner(f, next(next(k)));
        const double dp = before(p, number - 3, eye), dq = before(q, number - 3, eye);
        ClipPoint to_p, to_q;
        by_ends(g[end], p, q, dp / (dp - dq), number - 3, eye, &to_p, &to_q);
        add_corner(&out, next(k), to_p);
        add_corner(&out, next(next(k)), to_q);
    }
    return out;
}

GLRAST_INLINE void by_outline(const double* f, const Nearest& near, ScreenPoint to_begin, ScreenPoint to_end, int columns, int lines, CornerGradients* out) {
    if (near.part < 0) return;
    if (f[kCut]) {
        const CornerGradients cut = by_cut(f, near.part, to_begin, to_end, columns, lines);
        for (int k = 0; k < 3; ++k) for (int axis = 0; axis < 4; ++axis) out->g[k][axis] += cut.g[k][axis];
        return;
    }
    for (int k = 0; k < 3; ++k) {
        if (k == near.part) continue;
        const ScreenPoint to = k == next(near.part) ? to_begin : to_end, s = {f[kCorners + 2 * k], f[kCorners + 2 * k + 1]};
        const double r = 1.0 / f[kW + k];
        out->g[k][0] += 0.5 * columns * to.x * r;
        out->g[k][1] += 0.5 * lines * to.y * r;
        out->g[k][3] -= ((s.x - 0.5 * columns) * to.x + (s.y - 0.5 * lines) * to.y) * r;
    }
}

// dL of the ends by that of the nearest point itself, which moves along the part as well.
GLRAST_INLINE void by_nearest(const Nearest& near, ScreenPoint s, ScreenPoint g, ScreenPoint* to_begin, ScreenPoint* to_end) {
    const ScreenPoint e = {near.end.x - near.begin.x, near.end.y - near.begin.y}, d = {s.x - near.begin.x, s.y - near.begin.y};
    const double length2 = e.x * e.x + e.y * e.y, t = near.t;
    const double by_t = t > 0.0 && t < 1.0 ? (g.x * e.x + g.y * e.y) / length2 : 0.0;
    *to_begin = ScreenPoint{(1.0 - t) * g.x + by_t * ((2.0 * t - 1.0) * e.x - d.x), (1.0 - t) * g.y + by_t * ((2.0 * t - 1.0) * e.y - d.y)};
    *to_end = ScreenPoint{t * g.x + by_t * (d.x - 2.0 * t * e.x), t * g.y + by_t * (d.y - 2.0 * t * e.y)};
}

// ---- both ------------------------------------------------------------------------------------------------

GLRAST_INLINE CornerGradients corner_gradients(const NearestFacesBackwardArgs& a, int64 at, const Found& found) {
    CornerGradients out = {{{0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}}};
    const double *f = found.f, grad_z = a.grad_z ? a.grad_z[at] : 0.0, grad_d = a.grad_dist2 ? a.grad_dist2[at] : 0.0;
    double grad[3] = {0.0, 0.0, 0.0};
    for (int k = 0; k < 3 && a.grad_bary; ++k) grad[k] = a.grad_bary[3 * at + k];
    const bool weighs = grad_z != 0.0 || grad[0] != 0.0 || grad[1] != 0.0 || grad[2] != 0.0;
    const bool at_outline = !found.inside && a.clip && f[kCut];
    if (weighs) {
        const int clip = found.inside || at_outline ? 0 : a.clip;
        Nearest near;
        if (at_outline) near = nearest_of_cut(f, found.s, a.columns, a.H);
        double e[3] = {found.e[0], found.e[1], found.e[2]};
        if (at_outline) distances_at(f, near.at, e);
        const Weights w = weights_at(f, e, a.perspective, clip);
        double by_b[3];
        by_weights(f, w, a.perspective, clip, grad_z, grad, by_b, &out);
        by_rows(f, w.b, by_b, a.columns, a.H, &out);
        if (at_outline) {
            ScreenPoint g = {0.0, 0.0}, to_begin, to_end;
            for (int k = 0; k < 3; ++k) { g.x += by_b[k] * f[kScale + k] * f[3 * k]; g.y += by_b[k] * f[kScale + k] * f[3 * k + 1]; }
            by_nearest(near, found.s, g, &to_begin, &to_end);
            by_outline(f, near, to_begin, to_end, a.columns, a.H, &out);
        }
    }
    if (grad_d != 0.0) {
        const Nearest near = nearest_point(f, found.s, found.e, found.inside, a.columns, a.H);
        const double r = (found.inside ? 2.0 : -2.0) * grad_d;
        const ScreenPoint g = {r * (found.s.x - near.at.x), r * (found.s.y - near.at.y)};
        const ScreenPoint to_begin = {(1.0 - near.t) * g.x, (1.0 - near.t) * g.y}, to_end = {near.t * g.x, near.t * g.y};
        by_outline(f, near, to_begin, to_end, a.columns, a.H, &out);
    }
    return out;
}

GLRAST_INLINE void nearest_faces_backward_element(const NearestFacesBackwardArgs& a, int x, int count, Row row) {
    for (const int end = x + count; x < end; ++x) {
        const int64 at = row.index * a.width + x;
        Found found;
        if (!find_face(a, x, row, &found)) continue;
        const CornerGradients g = corner_gradients(a, at, found);
        const int* v = a.tri + 3 * (int64)a.id[at];
        for (int k = 0; k < 3; ++k) {
            float* grad = a.grad + row.n * a.pos_stride + 4 * (int64)v[k];
            // What float32 cannot hold, of positions of 1e-30, is no gradient.
            for (int axis = 0; axis < 4; ++axis) {
                if (fabs(g.g[k][axis]) < 1e37) GLRAST_ADD(grad + axis, (float)g.g[k][axis]);
            }
        }
    }
}
GLRAST_SCATTER(nearest_faces_backward, NearestFacesBackwardArgs)
