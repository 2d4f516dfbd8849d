// A face on the screen: what each pixel asks of it, made once.
#pragma once
#include "common.cuh"

// Where a face's numbers lie among its GLRAST_FACE doubles.
enum {
    kEdges = 0,      // [3,3] A, B, C of the distance to edge k in pixels, positive inside: of two faces with a common edge
                     // exactly opposite numbers
    kScale = 9,      // [3] b_k is so many times that
    kCorners = 12,   // [3,2] x, y of the corners in pixels; of a face that is cut X, Y in clip space
    kZ = 18,         // [3]
    kW = 21,         // [3]
    kBox = 24,       // left, right, low, high of what is within reach, in pixels; left > right: nowhere
    kCut = 28,       // 1: a part of it lies before the near or behind the far plane
    kLeast = 29      // no z/w within the face is below this
};
#define GLRAST_FACE 30

#define GLRAST_NO_AREA 1e-14     // of the product of its rows' lengths: three vertices on a line
#define GLRAST_EYE 1e-7          // of the largest |w|: a face that reaches the camera ends so much before it
#define GLRAST_SLACK 1e-6        // pixels: boxes are so much larger than what they hold

#define GLRAST_ROUNDED 1e-12     // of a depth: more than its arithmetic errs

// A loop for few faces, which is not to take the registers of all.
#ifdef __CUDACC__
#define GLRAST_ROLLED _Pragma("unroll 1")
#else
#define GLRAST_ROLLED
#endif

// fmin and fmax, which mind NaN, are calls on the CPU.
GLRAST_INLINE double minimum(double a, double b) { return a < b ? a : b; }
GLRAST_INLINE double maximum(double a, double b) { return a > b ? a : b; }

struct ClipPoint { double x, y, z, w; };
struct ScreenPoint { double x, y; };
struct Coefficients { double x, y, w; };
GLRAST_INLINE Coefficients cross_of(Coefficients p, Coefficients q) { return Coefficients{p.y * q.w - p.w * q.y, p.w * q.x - p.x * q.w, p.x * q.y - p.y * q.x}; }
GLRAST_INLINE double length(Coefficients p) { return sqrt(p.x * p.x + p.y * p.y + p.w * p.w); }
GLRAST_INLINE double least(const double* v) { return minimum(v[0], minimum(v[1], v[2])); }
GLRAST_INLINE double most(const double* v) { return maximum(v[0], maximum(v[1], v[2])); }

GLRAST_INLINE double edge_at(const double* f, int k, ScreenPoint s) { return f[3 * k] * s.x + f[3 * k + 1] * s.y + f[3 * k + 2]; }

GLRAST_INLINE ScreenPoint on_screen(double x, double y, double w, int columns, int lines) {
    return ScreenPoint{(x / w + 1.0) * 0.5 * columns, (y / w + 1.0) * 0.5 * lines};
}

// ---- near and far plane ----------------------------------------------------------------------------------

// Before the near plane, or behind the far one, where this is negative. A face that reaches the camera is cut a little
// before it, so that nothing that is seen has w = 0.
GLRAST_INLINE double eye_of(const double* w) {
    const double eye = GLRAST_EYE * maximum(fabs(w[0]), maximum(fabs(w[1]), fabs(w[2])));
    return least(w) <= eye ? eye : 0.0;
}
GLRAST_INLINE double before(ClipPoint p, int plane, double eye) { return plane == 0 ? p.z + p.w - eye : p.w - p.z; }

GLRAST_INLINE ClipPoint between(ClipPoint p, ClipPoint q, double t) {
    const double r = 1.0 - t;
    return ClipPoint{r * p.x + t * q.x, r * p.y + t * q.y, r * p.z + t * q.z, r * p.w + t * q.w};
}

// One straight part of the outline of a face that is cut: from a to b on the way from p to q, which a plane may have cut
// (-1: none). Parts 0 to 2 lie on the edges opposite vertex 0 to 2; 3 and 4 in the near and the far plane, p and q being
// where that plane meets the edges `of`.
struct Part { ClipPoint p, q; double a, b; int plane_a, plane_b; int of[2]; };

GLRAST_INLINE ClipPoint corner(const double* f, int k) { return ClipPoint{f[kCorners + 2 * k], f[kCorners + 2 * k + 1], f[kZ + k], f[kW + k]}; }
GLRAST_INLINE int next(int k) { return k == 2 ? 0 : k + 1; }

GLRAST_INLINE bool part_of_cut(const double* f, int number, Part* part) {
    const double eye = eye_of(f + kW);
    if (number < 3) {
        part->p = corner(f, next(number));
        part->q = corner(f, next(next(number)));
    } else {
        int met = 0;
        part->q = ClipPoint{0.0, 0.0, 0.0, 0.0};
        GLRAST_ROLLED for (int k = 0; k < 3; ++k) {
            const ClipPoint p = corner(f, next(k)), q = corner(f, next(next(k)));
            const double dp = before(p, number - 3, eye), dq = before(q, number - 3, eye);
            if ((dp < 0.0) == (dq < 0.0)) continue;
            (met ? part->q : part->p) = between(p, q, dp / (dp - dq));
            part->of[met ? 1 : 0] = k;
            ++met;
        }
        if (met != 2) return false;
    }
    part->a = 0.0;
    part->b = 1.0;
    part->plane_a = part->plane_b = -1;
    GLRAST_ROLLED for (int plane = 0; plane < 2; ++plane) {
        if (plane == number - 3) continue;
        const double dp = before(part->p, plane, eye), dq = before(part->q, plane, eye);
        if (dp < 0.0 && dq < 0.0) return false;
        const double t = dp / (dp - dq);
        if (dp < 0.0 && t > part->a) { part->a = t; part->plane_a = plane; }
        if (dq < 0.0 && t < part->b) { part->b = t; part->plane_b = plane; }
    }
    return part->a <= part->b;
}

// ---- setting up ------------------------------------------------------------------------------------------

// The faces of all images: pos [V,4] or [N,V,4]; pos_stride: floats from one image's vertices to the next; tri [T,3];
// images [N,3]: an image's first triangle, their number, and the place of the first among all images'.
#define GLRAST_FACES_MEMBERS const float* pos; int64 pos_stride; const int* tri; const int64* images; int V; int T;

// columns, lines: W and H of the image; reach: in pixels; faces [M,GLRAST_FACE]
#define GLRAST_SCREEN_MEMBERS int columns; int lines; double reach; double* faces;

struct NearestFacesSetUpArgs {
    int width;              // faces of an image, at most
    int H;                  // 1
    int64 rows;             // N
    GLRAST_FACES_MEMBERS
    GLRAST_SCREEN_MEMBERS
    int cull;               // 1: clockwise faces, -1: counter-clockwise ones, 0: none
    double box_x;           // more than 0: a face is its box, grown by so many pixels, at the same depth as all others
    double box_y;
    int cuts;               // 0: no near and far plane; faces with some w <= 0 are nowhere
    int* counts;            // [M]: tiles it may touch; or null
    static constexpr int work = 16;
};

GLRAST_INLINE void grow(double* box, ScreenPoint s) {
    box[0] = minimum(box[0], s.x);
    box[1] = maximum(box[1], s.x);
    box[2] = minimum(box[2], s.y);
    box[3] = maximum(box[3], s.y);
}

// Left, right, low and high of what is seen of a face; false: nothing is.
GLRAST_INLINE bool find_box(const NearestFacesSetUpArgs& a, double* f, double* box) {
    box[0] = box[2] = 1e300;
    box[1] = box[3] = -1e300;
    if (!f[kCut]) {
        for (int k = 0; k < 3; ++k) {
            const ScreenPoint s = on_screen(f[kCorners + 2 * k], f[kCorners + 2 * k + 1], f[kW + k], a.columns, a.lines);
            f[kCorners + 2 * k] = s.x;
            f[kCorners + 2 * k + 1] = s.y;
            grow(box, s);
        }
        return true;
    }
    GLRAST_ROLLED for (int number = 0; number < 5; ++number) {
        Part part;
        if (!part_of_cut(f, number, &part)) continue;
        const ClipPoint p = between(part.p, part.q, part.a), q = between(part.p, part.q, part.b);
        grow(box, on_screen(p.x, p.y, p.w, a.columns, a.lines));
        grow(box, on_screen(q.x, q.y, q.w, a.columns, a.lines));
    }
    return box[0] <= box[1];
}

// A face's numbers; its box is nowhere unless it is drawn.
GLRAST_INLINE void set_up_face(const NearestFacesSetUpArgs& a, const float* pos, int t, double* f) {
    f[kBox] = 1.0;
    f[kBox + 1] = f[kBox + 2] = f[kBox + 3] = 0.0;
    Int3 v;
    if (!fetch_triangle(a.tri, a.T, a.V, t, &v)) return;
    const Float4 p[3] = {load4(pos + 4 * (int64)v.x), load4(pos + 4 * (int64)v.y), load4(pos + 4 * (int64)v.z)};
    if (!(is_finite4(p[0]) && is_finite4(p[1]) && is_finite4(p[2]))) return;
    const Coefficients r[3] = {{p[0].x, p[0].y, p[0].w}, {p[1].x, p[1].y, p[1].w}, {p[2].x, p[2].y, p[2].w}};
    const Coefficients c[3] = {cross_of(r[1], r[2]), cross_of(r[2], r[0]), cross_of(r[0], r[1])};
    const double D = r[0].x * c[0].x + r[0].y * c[0].y + r[0].w * c[0].w, sign = D < 0.0 ? -1.0 : 1.0;
    if (!(fabs(D) > GLRAST_NO_AREA * length(r[0]) * length(r[1]) * length(r[2]))) return;
    if (a.cull * D < 0.0) return;
    for (int k = 0; k < 3; ++k) {
        const double A = 2.0 / a.columns * c[k].x, B = 2.0 / a.lines * c[k].y, slope = sqrt(A * A + B * B);
        const double unit = slope > 0.0 ? sign / slope : sign;  // an edge at infinity has no distance, but sides
        f[3 * k] = unit * A;
        f[3 * k + 1] = unit * B;
        f[3 * k + 2] = unit * (c[k].w - c[k].x - c[k].y);
        f[kScale + k] = (slope > 0.0 ? slope : 1.0) / fabs(D);
        f[kCorners + 2 * k] = r[k].x;
        f[kCorners + 2 * k + 1] = r[k].y;
        f[kZ + k] = p[k].z;
        f[kW + k] = p[k].w;
    }
    double near[3], far[3];
    const double eye = eye_of(f + kW);
    for (int k = 0; k < 3; ++k) {
        near[k] = before(corner(f, k), 0, eye);
        far[k] = before(corner(f, k), 1, eye);
    }
    if (a.cuts ? most(near) < 0.0 || most(far) < 0.0 : least(f + kW) <= 0.0) return;
    f[kCut] = a.cuts && (least(near) < 0.0 || least(far) < 0.0);
    double box[4];
    if (!find_box(a, f, box)) return;
    const double least_z = minimum(f[kZ] / f[kW], minimum(f[kZ + 1] / f[kW + 1], f[kZ + 2] / f[kW + 2]));
    f[kLeast] = f[kCut] ? -1.0 : least_z - GLRAST_ROUNDED * fabs(least_z);
    const bool boxes = a.box_x > 0.0;
    const double by_x = (boxes ? a.box_x : a.reach) + GLRAST_SLACK, by_y = (boxes ? a.box_y : a.reach) + GLRAST_SLACK;
    f[kBox] = box[0] - by_x;
    f[kBox + 1] = box[1] + by_x;
    f[kBox + 2] = box[2] - by_y;
    f[kBox + 3] = box[3] + by_y;
    for (int k = 0; k < 3 && boxes; ++k) {
        f[3 * k] = f[3 * k + 1] = f[kZ + k] = f[kCut] = f[kLeast] = 0.0;
        f[3 * k + 2] = 1.0;
    }
}
