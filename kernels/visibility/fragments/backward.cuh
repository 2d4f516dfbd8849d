// The gradient of positions. A fragment is shaded at its centre of gravity, so three things move with the vertices:
// u and v at a fixed point, the point, and the areas. Points and areas move only with the runs.
//
// A strip of area dA that passes from the right fragment R to the left one L at point x changes
//   weight_L by dA, weight_L x_L by x dA        and the same of R with the other sign
// so with gw = dL/dweight and q = dL/dx of the centre of gravity it is worth D(x) dA,
//   D(x) = gw_L + q_L.(x - x_L) / weight_L - gw_R - q_R.(x - x_R) / weight_R
// D, and how fast the run moves with a vertex, are affine along the run: the mean of their product is
// product of their middles + product of their differences / 12.
#pragma once
#include "visibility/fragments/edges.cuh"
#include "visibility/fragments/place.cuh"

struct FragmentsBackwardPointsArgs {
    int width;              // fragments in a row
    int H;                  // 1
    int64 rows;
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    int64 count;            // of fragments
    const int* triangle;    // [count]: chosen ones, or -1
    const int* origin;      // [C,2]: image, and index in tri
    const double* points;   // [count,2]
    const double* weights;  // [count]
    const int* vertices;    // [C,3]: of tri as given
    int64 pos_stride;
    const double* planes;
    int columns;
    int lines;
    const float* grad_rast; // [count,4] or null
    const float* grad_db;   // [count,4] or null
    const float* grad_weight;  // [count] or null
    double* worth;          // [count,3]: what a unit of area at (x, y) is worth to it: c + x and y times dL/dx of its point by its weight
};

// Positions of 1e-30 have gradients that float32 cannot hold: they have none.
GLRAST_INLINE void add(float* p, double value) {
    if (fabs(value) < 1e37) GLRAST_ADD(p, (float)value);
}

// To x, y and w; z of `g` is 0.
GLRAST_INLINE void add_position(float* p, Doubles4 g) {
    if (!all_below(magnitude(g), 1e37)) { add(p, get(g, 0)); add(p + 1, get(g, 1)); add(p + 3, get(g, 3)); return; }
    add_four(p, g);
}

// Positions by u and v alone: with g_b the gradient by b_j, grad_M = -b (M^-1 g_b).
GLRAST_INLINE void add_point(const FragmentsBackwardPointsArgs& a, int64 t, const double* p, Doubles4 b, double gu, double gv, const Shading& s) {
    const double r = s.r, all = -(gu * s.u + gv * s.v);
    const double g[3] = {(gu + all) * r, (gv + all) * r, all * r};
    const double first = p[0] * g[0] + p[1] * g[1] + p[2] * g[2], second = p[4] * g[0] + p[5] * g[1] + p[6] * g[2];
    const double h_x = 0.5 * a.columns * first, h_y = 0.5 * a.lines * second;
    const double h_w = p[8] * g[0] + p[9] * g[1] + p[10] * g[2] + h_x + h_y;
    for (int k = 0; k < 3; ++k) {
        add_position(a.grad + a.origin[2 * t] * a.pos_stride + 4 * (int64)a.vertices[3 * t + k], four(h_x, h_y, 0.0, h_w) * -get(b, k));
    }
}

// grad_M of rows (X,Y,W): a change dM changes b by -b dM M^-1, and its slopes likewise.
GLRAST_INLINE void point_gradient(const FragmentsBackwardPointsArgs& a, int64 i) {
    double* worth = a.worth + 3 * i;
    worth[0] = a.grad_weight ? a.grad_weight[i] : 0.0;
    worth[1] = worth[2] = 0.0;
    const int64 t = a.triangle[i];
    if (t == GLRAST_NOTHING) return;
    double gu = 0.0, gv = 0.0, G[4] = {0.0, 0.0, 0.0, 0.0};
    if (a.grad_rast) { gu = a.grad_rast[4 * i]; gv = a.grad_rast[4 * i + 1]; }
    if (a.grad_db) for (int k = 0; k < 4; ++k) G[k] = a.grad_db[4 * i + k];
    if (gu == 0.0 && gv == 0.0 && !a.grad_db) return;
    const double *p = a.planes + GLRAST_PLANES * t, x = a.points[2 * i], y = a.points[2 * i + 1];
    const Doubles4 b = values_at(p, x, y);
    Shading s;
    if (!shading_at(p, b, &s)) return;
    const double by_weight = 1.0 / a.weights[i];
    if (!a.grad_db) {
        worth[1] = (gu * s.u_x + gv * s.v_x) * by_weight;
        worth[2] = (gu * s.u_y + gv * s.v_y) * by_weight;
        worth[0] -= worth[1] * x + worth[2] * y;
        add_point(a, t, p, b, gu, gv, s);
        return;
    }
    const double r = s.r, mixed_u = (s.u_y * s.sum_x + s.u_x * s.sum_y) * r, mixed_v = (s.v_y * s.sum_x + s.v_x * s.sum_y) * r;
    const double qx = gu * s.u_x + gv * s.v_x - 2.0 * r * s.sum_x * (G[0] * s.u_x + G[2] * s.v_x) - G[1] * mixed_u - G[3] * mixed_v;
    const double qy = gu * s.u_y + gv * s.v_y - 2.0 * r * s.sum_y * (G[1] * s.u_y + G[3] * s.v_y) - G[0] * mixed_u - G[2] * mixed_v;
    worth[1] = qx * by_weight;
    worth[2] = qy * by_weight;
    worth[0] -= worth[1] * x + worth[2] * y;

    // by b_j, and by its slopes A_j and B_j
    gu -= (G[0] * s.sum_x + G[1] * s.sum_y) * r;
    gv -= (G[2] * s.sum_x + G[3] * s.sum_y) * r;
    const double all = -(gu * s.u + gv * s.v) - (G[0] * s.u_x + G[1] * s.u_y + G[2] * s.v_x + G[3] * s.v_y);
    const double g_b[3] = {(gu + all) * r, (gv + all) * r, all * r};
    const double all_x = -(G[0] * s.u + G[2] * s.v), all_y = -(G[1] * s.u + G[3] * s.v);
    const double g_x[3] = {(G[0] + all_x) * r, (G[2] + all_x) * r, all_x * r};
    const double g_y[3] = {(G[1] + all_y) * r, (G[3] + all_y) * r, all_y * r};
    double h_b[3] = {0.0, 0.0, 0.0}, h_x[3] = {0.0, 0.0, 0.0}, h_y[3] = {0.0, 0.0, 0.0};
    for (int j = 0; j < 3; ++j) {
        const double first = 0.5 * a.columns * p[j], second = 0.5 * a.lines * p[4 + j];
        const double inverse[3] = {first, second, p[8 + j] + first + second};  // column j of M^-1
        for (int k = 0; k < 3; ++k) {
            h_b[k] += inverse[k] * g_b[j];
            h_x[k] += inverse[k] * g_x[j];
            h_y[k] += inverse[k] * g_y[j];
        }
    }
    const int* v = a.vertices + 3 * t;
    for (int k = 0; k < 3; ++k) {
        double g[3];
        for (int axis = 0; axis < 3; ++axis) g[axis] = -(get(b, k) * h_b[axis] + p[k] * h_x[axis] + p[4 + k] * h_y[axis]);
        add_position(a.grad + a.origin[2 * t] * a.pos_stride + 4 * (int64)v[k], four(g[0], g[1], 0.0, g[2]));
    }
}

GLRAST_INLINE void fragments_backward_points_element(const FragmentsBackwardPointsArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) {
        if (i + GLRAST_SOON < a.count && a.triangle[i + GLRAST_SOON] >= 0) {
            ask_for(a.planes + GLRAST_PLANES * (int64)a.triangle[i + GLRAST_SOON]);
            ask_for(a.planes + GLRAST_PLANES * (int64)a.triangle[i + GLRAST_SOON] + 8);
        }
        point_gradient(a, i);
    });
}
GLRAST_SCATTER(fragments_backward_points, FragmentsBackwardPointsArgs)

// ---- runs ------------------------------------------------------------------------------------------------

struct FragmentsBackwardRunsArgs {
    int width;              // runs in a row
    int H;                  // 1
    int64 rows;
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    int64 count;            // of runs
    const double* edges;
    const int* info;
    const int* run_edge;    // [count]
    const double* run_ends; // [count,2]
    const int64* run_parts; // [count,2]: fragments on the left and on the right, or -1
    const double* worth;    // [F,3]: of a unit of area, from fragments_backward_points
    const int* vertices;    // [C,3]: of tri as given
    const int* corners;     // [C,3]: vertices in one place under one name, as in info; null: vertices
    const double* planes;
    int64 C;
    int64 pos_stride;
    int columns;
    int lines;
};

// What a unit of area at a point is worth to the fragment that gets it.
GLRAST_INLINE double worth(const FragmentsBackwardRunsArgs& a, int64 f, double x, double y) {
    return f < 0 ? 0.0 : a.worth[3 * f] + a.worth[3 * f + 1] * x + a.worth[3 * f + 2] * y;
}

// A line's share for triangle t of its two: z_t = a fx + b fy + c rises with dZ - a dX - b dY - c dW of the vertices' b_k.
GLRAST_INLINE void add_line(const FragmentsBackwardRunsArgs& a, const int* info, int64 t, double q, const Spot ends[2], double middle, double slope) {
    if (t >= a.C) return;
    const int* v = a.vertices + 3 * t;
    const double *p = a.planes + GLRAST_PLANES * t, z_x = 0.5 * a.columns * p[3], z_y = 0.5 * a.lines * p[7];
    for (int k = 0; k < 3; ++k) {
        const double b0 = value_at(p, k, ends[0].x, ends[0].y), b1 = value_at(p, k, ends[1].x, ends[1].y);
        const double g = q * (middle * 0.5 * (b0 + b1) + slope * (b1 - b0) / 12.0);
        float* grad = a.grad + info[3] * a.pos_stride + 4 * (int64)v[k];
        add(grad, -z_x * g);
        add(grad + 1, -z_y * g);
        add(grad + 2, g);
        add(grad + 3, -(p[11] + z_x + z_y) * g);
    }
}

// An edge's end belongs to the vertices that its triangles name there, which are two where a seam parts them: half to each.
GLRAST_INLINE void add_end(const FragmentsBackwardRunsArgs& a, const int* info, int vertex, double x, double y, double w) {
    const double share = info[0] != GLRAST_NOTHING && info[1] != GLRAST_NOTHING && a.corners ? 0.5 : 1.0;
    for (int side = 0; side < 2; ++side) {
        if (info[side] == GLRAST_NOTHING) continue;
        int to = vertex;
        if (a.corners) {
            const int64 first = 3 * (int64)info[side];
            const int* v = a.corners + first;
            to = a.vertices[first + (v[0] == vertex ? 0 : v[1] == vertex ? 1 : 2)];
        }
        float* grad = a.grad + info[3] * a.pos_stride + 4 * (int64)to;
        add_position(grad, four(share * x, share * y, 0.0, share * w));
        if (!a.corners) return;
    }
}

GLRAST_INLINE void run_gradient(const FragmentsBackwardRunsArgs& a, int64 i) {
    const double* edge = a.edges + GLRAST_EDGE * (int64)a.run_edge[i];
    const int* info = a.info + GLRAST_EDGE_INFO * (int64)a.run_edge[i];
    const double s0 = a.run_ends[2 * i], s1 = a.run_ends[2 * i + 1], dx = edge[2] - edge[0], dy = edge[3] - edge[1];
    const Spot ends[2] = {{edge[0] + s0 * dx, edge[1] + s0 * dy}, {edge[0] + s1 * dx, edge[1] + s1 * dy}};
    double D[2];
    for (int k = 0; k < 2; ++k) {
        D[k] = worth(a, a.run_parts[2 * i], ends[k].x, ends[k].y) - worth(a, a.run_parts[2 * i + 1], ends[k].x, ends[k].y);
    }
    const double middle = 0.5 * (D[0] + D[1]), slope = D[1] - D[0], l = s1 - s0;
    if (middle == 0.0 && slope == 0.0) return;
    if (info[4] < 0) {
        const int64 t = -1 - (int64)info[4], other = -1 - (int64)info[5];
        const double* p = a.planes + GLRAST_PLANES * t;
        double gx = p[3], gy = p[7];
        if (other < a.C) { gx -= a.planes[GLRAST_PLANES * other + 3]; gy -= a.planes[GLRAST_PLANES * other + 7]; }
        const double q = -l * sqrt((dx * dx + dy * dy) / (gx * gx + gy * gy));
        add_line(a, info, t, q, ends, middle, slope);
        add_line(a, info, other, -q, ends, middle, slope);
        return;
    }
    // the right normal, as long as the run: moving to the right gives the left fragment more room
    const double n_x = 0.5 * a.columns * l * dy, n_y = -0.5 * a.lines * l * dx;
    const double fx = (ends[0].x + ends[1].x) / a.columns - 1.0, fy = (ends[0].y + ends[1].y) / a.lines - 1.0;
    for (int k = 0; k < 2; ++k) {
        const double b = edge[6 + 2 * k], rise = edge[7 + 2 * k] - b, b0 = b + s0 * rise, b1 = b + s1 * rise;
        const double g = middle * 0.5 * (b0 + b1) + slope * (b1 - b0) / 12.0;
        add_end(a, info, info[4 + k], g * n_x, g * n_y, -g * (n_x * fx + n_y * fy));
    }
}

GLRAST_INLINE void fragments_backward_runs_element(const FragmentsBackwardRunsArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) {
        if (i + GLRAST_SOON < a.count && a.run_parts[2 * (i + GLRAST_SOON)] >= 0) ask_for(a.worth + 3 * a.run_parts[2 * (i + GLRAST_SOON)]);
        run_gradient(a, i);
    });
}
GLRAST_SCATTER(fragments_backward_runs, FragmentsBackwardRunsArgs)
