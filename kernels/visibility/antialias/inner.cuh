// antialias, discontinuities = 'all': the boundaries between two visible surfaces that are no silhouette.
//
//   antialias_inner_pairs            where the boundary of each pixel's right and upper pair passes   one thread = one pixel
//   antialias_inner_blend            what that changes in the image
//   antialias_inner_backward_color, antialias_inner_backward_pos
//
// Only pairs without a silhouette crossing, whose pixels p and q (right of or above p) show two triangles P and Q. Along
// the line through both centres, in pixels from p, axes swapped for the upper neighbour, the boundary is at x_c:
//   crease         P and Q share an edge (by vertex index) and lie on its two sides: x_c = (x1 dy - y1 dx)/dy, as for
//                  silhouettes, steep (|dy| >= |dx|) and near (-1/16 < x_c < 17/16, then clamped).
//   intersection   they share no edge. z/w of a triangle is affine in the image: (fx,fy) -> a fx + b fy + g, its plane.
//                  gap = z/w of P - z/w of Q is then affine too; x_c = -gap(p)/slope, where slope is the change of gap from p
//                  to q: positive (P lies in front at p), not less than its change across the pair, and both triangles
//                  cover the point at x_c.
//
// The step. Beside a silhouette the colours' own slopes are small against the step; here the step may be 0 (a smooth
// surface) and c_q - c_p nothing but slope. So each side's colour is continued linearly to the boundary:
//   J(x) = (c_q - c_p) - x s_p - (1 - x) s_q,   s_p = c_p - c_(p-1), s_q = c_(q+1) - c_q:  Q's colour minus P's at x
// where p-1 shows P and q+1 shows Q. If only one does, its slope stands for both, which is right for flat colours and wrong
// at a kink: so only where it is at most 1/16 of the difference, summed over channels. Otherwise nothing is done.
// The pixel that the boundary cuts gets the mean over its width, exact for linear colours:
//   alpha = 1/2 - x_c > 0: out_p += I, else out_q += I,   I = integral of J from x_c to 1/2 = alpha J((x_c + 1/2)/2)
// and dI/dx_c = -J(x_c): the gradient of this very image is the step at the boundary times the boundary's motion.
// Colours: I is linear in the four of them. Positions: with D = sum_c y_c J_c(x_c), y the gradient of the changed pixel,
//   crease         the two ends of the edge get what antialias_backward_pos gives them.
//   intersection   dx_c = -d gap/slope at the fixed image point of x_c. A vertex i of weight b_i there (sum b_i W_i = 1)
//                  moves z/w by b_i (dZ - a dX - b dY - g dW), so P's three get D/slope b_i (-a, -b, 1, -g), Q's the opposite.
// Z takes a gradient here: depth moves the boundary.
#pragma once
#include "visibility/antialias/crossing.cuh"
#include "visibility/antialias/silhouettes.cuh"

// gap must change by this much per pixel: 16 steps of a 24-bit depth buffer, so that x_c is known to 1/16 pixel.
#define GLRAST_LEAST_DEPTH_SLOPE 1e-6f
// A side whose colour changes by this part of |c_q - c_p| per pixel, or less, is flat.
#define GLRAST_FLAT 0.0625f

struct AntialiasInnerPairsArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_SEEN_MEMBERS
    int C;
    const float* color;     // [N,H,W,C]
    float* alpha;           // [N,H,W,2]: right, upper; +0 where there is no boundary, -0 where it passes halfway
};

// One triangle's z/w as an affine function of the image, and its vertices' weights where the boundary passes.
struct DepthPlane {
    float b[3];
    float a_x, a_y, g;   // z/w = a_x fx + a_y fy + g
};

struct Inner {
    float alpha;
    bool crease;
    Crossing edge;          // of a crease; from p's centre
    float slope;            // of an intersection
    DepthPlane plane_p, plane_q;
};

// ---- where the boundary passes ---------------------------------------------------------------------------

// How J(x) weighs the two slopes.
struct SlopeWeights { float p, q; };

template <class Args>
GLRAST_INLINE SlopeWeights slope_weights(const Args& a, int x, Row row, bool vertical, float at) {
    const int64 step = 4 * (vertical ? (int64)a.width : 1);
    const float* id = a.rast + 4 * (row.index * a.width + x) + 3;
    const int place = vertical ? row.y : x, extent = vertical ? a.H : a.width;
    const bool p = place > 0 && id[-step] == id[0], q = place + 2 < extent && id[2 * step] == id[step];
    if (p && q) return SlopeWeights{at, 1.0f - at};
    return SlopeWeights{p ? 1.0f : 0.0f, q ? 1.0f : 0.0f};
}

GLRAST_INLINE bool names(Int3 t, int v) { return t.x == v || t.y == v || t.z == v; }

// Which vertex of t is the only one that `other` does not name? -1 if they share no edge.
GLRAST_INLINE int apex_of(Int3 t, Int3 other) {
    const bool x = names(other, t.x), y = names(other, t.y), z = names(other, t.z);
    return x + y + z != 2 ? -1 : !x ? 0 : !y ? 1 : 2;
}

GLRAST_INLINE bool near_enough(float xc) { return xc > -GLRAST_CROSSING_SLACK && xc < 1.0f + GLRAST_CROSSING_SLACK; }

// +0 says that there is no boundary.
GLRAST_INLINE float inner_alpha(float xc) {
    const float alpha = 0.5f - minimum(maximum(xc, 0.0f), 1.0f);
    return alpha == 0.0f ? -0.0f : alpha;
}

template <class Args>
GLRAST_INLINE void find_crease(const Args& a, int x, Row row, bool vertical, Int3 P, int apex, int other_apex, Inner& found) {
    const float* pos = a.pos + row.n * a.pos_stride;
    Crossing& c = found.edge;
    c.v1 = pick(P.y, P.z, P.x, apex);
    c.v2 = pick(P.z, P.x, P.y, apex);
    const Float4 p0 = load4(pos + 4 * (int64)pick(P.x, P.y, P.z, apex)), p1 = load4(pos + 4 * (int64)c.v1), p2 = load4(pos + 4 * (int64)c.v2);
    if (!(p0.w > 0.0f && p1.w > 0.0f && p2.w > 0.0f)) return;
    const Point q0 = {p0.x / p0.w, p0.y / p0.w}, q1 = {p1.x / p1.w, p1.y / p1.w}, q2 = {p2.x / p2.w, p2.y / p2.w};
    if (is_silhouette(q1, q2, q0, pos, other_apex, a.V)) return;
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H, cx = x + 0.5f - half_w, cy = row.y + 0.5f - half_h;
    const float X1 = q1.x * half_w - cx, Y1 = q1.y * half_h - cy, X2 = q2.x * half_w - cx, Y2 = q2.y * half_h - cy;
    c.x1 = vertical ? Y1 : X1;  c.y1 = vertical ? X1 : Y1;  c.w1 = p1.w;
    c.x2 = vertical ? Y2 : X2;  c.y2 = vertical ? X2 : Y2;  c.w2 = p2.w;
    const float dx = c.x2 - c.x1, dy = c.y2 - c.y1;
    if ((c.y1 < 0.0f) == (c.y2 < 0.0f) || fabsf(dy) < fabsf(dx)) return;
    const float xc = (c.x1 * dy - c.y1 * dx) / dy;
    if (!near_enough(xc)) return;
    found.crease = true;
    found.alpha = inner_alpha(xc);
}

// Edge functions at a point and their change per unit of fx and fy; D = sum W_i a_i. Depths are relative to z0.
struct DepthTriangle {
    float a[3], a_fx[3], a_fy[3], D;
    float z, z_fx, z_fy;    // z/w - z0 at the point, and its change
};

GLRAST_INLINE DepthTriangle depth_triangle(const float* pos, Int3 t, float fx, float fy, float z0) {
    DepthTriangle d;
    const int v[3] = {t.x, t.y, t.z};
    float x[3], y[3], z[3], w[3];
    for (int i = 0; i < 3; ++i) {
        const Float4 p = load4(pos + 4 * (int64)v[i]);
        x[i] = p.x - fx * p.w;  y[i] = p.y - fy * p.w;  z[i] = p.z - z0 * p.w;  w[i] = p.w;
    }
    d.D = d.z = d.z_fx = d.z_fy = 0.0f;
    for (int i = 0; i < 3; ++i) {
        const int j = i == 2 ? 0 : i + 1, k = i == 0 ? 2 : i - 1;
        d.a[i] = x[j] * y[k] - y[j] * x[k];
        d.a_fx[i] = y[j] * w[k] - y[k] * w[j];
        d.a_fy[i] = x[k] * w[j] - x[j] * w[k];
        d.D += w[i] * d.a[i];
        d.z += z[i] * d.a[i];
        d.z_fx += z[i] * d.a_fx[i];
        d.z_fy += z[i] * d.a_fy[i];
    }
    d.z /= d.D;  d.z_fx /= d.D;  d.z_fy /= d.D;
    return d;
}

// The plane of a triangle that covers the point `along` (fx, fy) from where it was set up; false if it does not cover it.
GLRAST_INLINE bool depth_plane(const DepthTriangle& d, float fx, float fy, float along_fx, float along_fy, float z0, DepthPlane* out) {
    bool covers = true;
    for (int i = 0; i < 3; ++i) {
        out->b[i] = (d.a[i] + along_fx * d.a_fx[i] + along_fy * d.a_fy[i]) / d.D;
        covers = covers && out->b[i] >= 0.0f;
    }
    out->a_x = d.z_fx;
    out->a_y = d.z_fy;
    out->g = z0 + d.z - d.z_fx * fx - d.z_fy * fy;
    return covers;
}

template <class Args>
GLRAST_INLINE void find_intersection(const Args& a, int x, Row row, bool vertical, Int3 P, Int3 Q, Inner& found) {
    const float* pos = a.pos + row.n * a.pos_stride;
    const float per_x = 2.0f / a.width, per_y = 2.0f / a.H;
    const float fx = (x + 0.5f) * per_x - 1.0f, fy = (row.y + 0.5f) * per_y - 1.0f;
    const float z0 = a.rast[4 * (row.index * a.width + x) + 2];
    const DepthTriangle p = depth_triangle(pos, P, fx, fy, z0), q = depth_triangle(pos, Q, fx, fy, z0);
    const float slope_x = (p.z_fx - q.z_fx) * per_x, slope_y = (p.z_fy - q.z_fy) * per_y;
    const float slope = vertical ? slope_y : slope_x, across = vertical ? slope_x : slope_y;
    if (!(slope >= GLRAST_LEAST_DEPTH_SLOPE && slope >= fabsf(across))) return;
    const float xc = (q.z - p.z) / slope;
    if (!near_enough(xc)) return;
    const float along_fx = vertical ? 0.0f : xc * per_x, along_fy = vertical ? xc * per_y : 0.0f;
    if (!depth_plane(p, fx, fy, along_fx, along_fy, z0, &found.plane_p)) return;
    if (!depth_plane(q, fx, fy, along_fx, along_fy, z0, &found.plane_q)) return;
    found.slope = slope;
    found.alpha = inner_alpha(xc);
}

// The boundary of pixel (x, row) with its right or upper neighbour; alpha = +0 if there is none.
template <class Args>
GLRAST_INLINE Inner find_inner(const Args& a, int x, Row row, bool vertical) {
    Inner found;
    found.alpha = 0.0f;
    found.crease = false;
    const float* id = a.rast + 4 * (row.index * a.width + x) + 3;
    const int id_p = decode_id(id[0]), id_q = decode_id(id[4 * (vertical ? (int64)a.width : 1)]);
    if (id_p == id_q || id_p <= 0 || id_q <= 0) return found;
    Int3 P, Q;
    if (!fetch_triangle(a.tri, a.T, a.V, id_p - 1, &P) || !fetch_triangle(a.tri, a.T, a.V, id_q - 1, &Q)) return found;
    const SlopeWeights known = slope_weights(a, x, row, vertical, 0.5f);
    if (known.p == 0.0f && known.q == 0.0f) return found;
    if (float_bits(find_crossing(a, x, row, vertical).alpha) != 0) return found;
    const int apex_p = apex_of(P, Q), apex_q = apex_of(Q, P);
    if (apex_p < 0) find_intersection(a, x, row, vertical, P, Q, found);
    else if (apex_q >= 0) find_crease(a, x, row, vertical, P, apex_p, pick(Q.x, Q.y, Q.z, apex_q), found);
    return found;
}

// May the slope of one side stand for both?
GLRAST_INLINE bool is_flat(const AntialiasInnerPairsArgs& a, int x, Row row, bool vertical, SlopeWeights known) {
    if (known.p != 0.0f && known.q != 0.0f) return true;
    const int64 step = a.C * (vertical ? (int64)a.width : 1);
    const float* c = a.color + (row.index * a.width + x) * a.C;
    float difference = 0.0f, slope = 0.0f;
    for (int i = 0; i < a.C; ++i) {
        difference += fabsf(c[i + step] - c[i]);
        slope += fabsf(known.p != 0.0f ? c[i] - c[i - step] : c[i + 2 * step] - c[i + step]);
    }
    return slope <= GLRAST_FLAT * difference;
}

GLRAST_INLINE float pair_alpha(const AntialiasInnerPairsArgs& a, int x, Row row, bool vertical) {
    const float alpha = find_inner(a, x, row, vertical).alpha;
    if (float_bits(alpha) == 0 || is_flat(a, x, row, vertical, slope_weights(a, x, row, vertical, 0.5f))) return alpha;
    return 0.0f;
}

GLRAST_INLINE void inner_pairs(const AntialiasInnerPairsArgs& a, int x, Row row) {
    float* alpha = a.alpha + 2 * (row.index * a.width + x);
    alpha[0] = x + 1 < a.width ? pair_alpha(a, x, row, false) : 0.0f;
    alpha[1] = row.y + 1 < a.H ? pair_alpha(a, x, row, true) : 0.0f;
}

GLRAST_INLINE void antialias_inner_pairs_element(const AntialiasInnerPairsArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) inner_pairs(a, x, row);
}
GLRAST_KERNEL(antialias_inner_pairs, AntialiasInnerPairsArgs)
