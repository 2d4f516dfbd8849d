// antialias: blend the two pixels beside a silhouette edge by where the edge crosses between their centres.
//
//   antialias_silhouettes  which edges of each triangle are silhouettes     one thread = one triangle
//   antialias_pairs        alpha of every pixel's pair with its right and its upper neighbour
//   antialias_blend        colours from alphas
//   antialias_backward_color, antialias_backward_pos                        one thread = one pixel
// Few triangles have a silhouette edge: one byte read settles most pairs. Alphas are stored, so that colours and their gradients are gathered, never scattered:
// the result does not depend on the order of threads. Only the few pixels with an alpha touch positions again.
//
// Pair (p, q), q to the right of or above p. Its triangle is the nearer one; s = +1 if p shows it, -1 if q does.
// In pixels relative to the centre of the triangle's own pixel (axes swapped for the upper neighbour), its edge
// (x1,y1)-(x2,y2) crosses the line y = 0 through both centres at x_c = (x1 dy - y1 dx)/dy.
//   d = s x_c in [0,1] (how far from the own centre towards the other), alpha = s (1/2 - d)
//   alpha > 0: out_p += alpha (c_q - c_p);  alpha < 0: out_q += alpha (c_q - c_p)
//
// Behind the camera (w <= 0) a vertex has no place in the image. Its edge to a vertex in front, at a = (x,y), is seen as the
// ray from a in the direction (X - x w, Y - y w) of its clip position (X,Y,w): a ray instead of (x1,y1)-(x2,y2), the rest is
// as above. An edge with both ends behind is not seen.
//
// A pixel that small triangles cut on three or four sides would give away S = sum |alpha| > 1 of itself. Its pairs then
// take |alpha|/S: colours stay between those of the neighbours, and coverage in [0,1].
#include "common.cuh"

// ---- silhouettes -----------------------------------------------------------------------------------------

struct AntialiasSilhouettesArgs {
    int width;              // T
    int H;                  // 1
    int64 rows;             // 1 or N
    const float* pos;       // [V,4] or [N,V,4]
    int64 pos_stride;       // floats from one image's vertices to the next
    const int* tri;         // [T,3]
    const int* opposite;    // [T,3]: across the edge opposite vertex k, the neighbour's apex; -1 if the edge is open
    int V;
    char* flags;            // [rows,T]: bit k set where the edge opposite vertex k is a silhouette
};

struct Point { float x, y; };

// Is a vertex in front of the camera, and not a million images to its side, where squares of its place would overflow? If
// not, its edges are rays: the same lines.
#define GLRAST_FAR 1e-6f
GLRAST_INLINE bool is_in_front(Float4 p) { return p.w > GLRAST_FAR * maximum(fabsf(p.x), fabsf(p.y)); }

// Edge (a, b) of a triangle with third vertex c: is `apex` on c's side of it, or is there no apex? The side of a
// homogeneous point needs no division, so an apex behind the camera is judged right. A neighbour seen exactly
// edge-on is invisible: its edge is a silhouette.
GLRAST_INLINE bool is_silhouette(Point a, Point b, Point c, const float* pos, int apex, int V) {
    if ((unsigned)apex >= (unsigned)V) return true;
    const Float4 p = load4(pos + 4 * (int64)apex);
    if (!(is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w))) return true;  // the neighbour is not drawn
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float own = dx * (c.y - a.y) - dy * (c.x - a.x);
    const float side = dx * (p.y - a.y * p.w) - dy * (p.x - a.x * p.w);
    return own > 0.0f ? side >= 0.0f : side <= 0.0f;
}

// The same for a triangle that reaches behind the camera; edge (a, b), of which one end may be behind.
GLRAST_INLINE bool is_silhouette_behind(Float4 a, Float4 b, Float4 c, const float* pos, int apex, int V) {
    if (!is_in_front(a)) { const Float4 t = a; a = b; b = t; }
    if (!is_in_front(a)) return false;
    if ((unsigned)apex >= (unsigned)V) return true;
    const Float4 p = load4(pos + 4 * (int64)apex);
    if (!(is_finite(p.x) && is_finite(p.y) && is_finite(p.z) && is_finite(p.w))) return true;
    const float x = a.x / a.w, y = a.y / a.w, dx = b.x - x * b.w, dy = b.y - y * b.w;
    const float own = dx * (c.y - y * c.w) - dy * (c.x - x * c.w), side = dx * (p.y - y * p.w) - dy * (p.x - x * p.w);
    return own > 0.0f ? side >= 0.0f : side <= 0.0f;
}

GLRAST_INLINE void find_silhouettes(const AntialiasSilhouettesArgs& a, int t, Row row) {
    char* flags = a.flags + row.n * a.width + t;
    *flags = 0;
    Int3 index;
    if (!fetch_triangle(a.tri, a.width, a.V, t, &index)) return;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 p0 = load4(pos + 4 * (int64)index.x), p1 = load4(pos + 4 * (int64)index.y), p2 = load4(pos + 4 * (int64)index.z);
    const int* opposite = a.opposite + 3 * (int64)t;
    if (!(is_in_front(p0) && is_in_front(p1) && is_in_front(p2))) {
        *flags = (char)((is_silhouette_behind(p1, p2, p0, pos, opposite[0], a.V) ? 1 : 0) |
                        (is_silhouette_behind(p2, p0, p1, pos, opposite[1], a.V) ? 2 : 0) |
                        (is_silhouette_behind(p0, p1, p2, pos, opposite[2], a.V) ? 4 : 0));
        return;
    }
    const float r0 = 1.0f / p0.w, r1 = 1.0f / p1.w, r2 = 1.0f / p2.w;
    const Point q0 = {p0.x * r0, p0.y * r0}, q1 = {p1.x * r1, p1.y * r1}, q2 = {p2.x * r2, p2.y * r2};
    *flags = (char)((is_silhouette(q1, q2, q0, pos, opposite[0], a.V) ? 1 : 0) |
                    (is_silhouette(q2, q0, q1, pos, opposite[1], a.V) ? 2 : 0) |
                    (is_silhouette(q0, q1, q2, pos, opposite[2], a.V) ? 4 : 0));
}

GLRAST_INLINE void antialias_silhouettes_element(const AntialiasSilhouettesArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) find_silhouettes(a, x, row);
}
GLRAST_KERNEL(antialias_silhouettes, AntialiasSilhouettesArgs)

// ---- pairs -----------------------------------------------------------------------------------------------

#define GLRAST_CROSSING_SLACK 0.0625f  // a crossing up to 1/16 pixel outside [0,1] counts: OpenGL snaps vertices

struct AntialiasPairsArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    const float* rast;      // [N,H,W,4]
    const float* pos;       // [V,4] or [N,V,4]
    int64 pos_stride;       // floats from one image's vertices to the next: 0 or V*4
    const int* tri;         // [T,3]
    const char* flags;      // [T] or [N,T] from antialias_silhouettes
    int64 flags_stride;     // 0 or T
    int V;
    int T;
    float* alpha;           // [N,H,W,2]: right, upper
};

struct Crossing {
    float alpha;                    // +0: there is no crossing
    int v1, v2;                     // vertex indices of the edge
    float x1, y1, x2, y2, w1, w2;   // its ends in pixels, axes swapped for vertical pairs; and their w
    float cx, cy;                   // the centre they are relative to, in pixels from the image's; axes swapped likewise
    bool ray;                       // end 2 is not in front: x2 and y2 are not divided by w2
};

GLRAST_INLINE bool is_crossed(float alpha) { return float_bits(alpha) != 0; }  // +0: no; -0: yes

GLRAST_INLINE float pick(float a, float b, float c, int k) { return k == 0 ? a : k == 1 ? b : c; }
GLRAST_INLINE int pick(int a, int b, int c, int k) { return k == 0 ? a : k == 1 ? b : c; }

// One end of an edge in pixels; not divided by w where it is not in front.
struct End { float l, m, w; bool front; };

GLRAST_INLINE End edge_end(Float4 p, bool vertical, float half_l, float half_m, float cl, float cm) {
    const float l = vertical ? p.y : p.x, m = vertical ? p.x : p.y;
    if (is_in_front(p)) return End{l / p.w * half_l - cl, m / p.w * half_m - cm, p.w, true};
    return End{l * half_l - cl * p.w, m * half_m - cm * p.w, p.w, false};
}

// A step from end 1 of an edge to its other end, or along the ray.
GLRAST_INLINE float edge_step(float from, float to, float w, bool ray) { return ray ? to - from * w : to - from; }

// Distance s x_c at which the edge crosses the line m = 0, with the end in front first; false if it does not.
GLRAST_INLINE bool edge_crosses(End a, End b, float s, float* d) {
    if (!a.front) { const End t = a; a = b; b = t; }
    if (!a.front) return false;
    const float dm = edge_step(a.m, b.m, b.w, !b.front), dl = edge_step(a.l, b.l, b.w, !b.front), end = b.front ? b.m : dm;
    if (dm == 0.0f || (a.m < 0.0f) == (end < 0.0f)) return false;
    *d = s * (a.l - a.m * dl / dm);
    return true;
}

// The crossed edge with the largest d of a triangle that reaches behind the camera; -1: none.
GLRAST_INLINE int farthest_edge_behind(End e0, End e1, End e2, float s, float* d) {
    int edge = -1;
    float e;
    if (edge_crosses(e1, e2, s, &e) && e > *d) { *d = e; edge = 0; }
    if (edge_crosses(e2, e0, s, &e) && e > *d) { *d = e; edge = 1; }
    if (edge_crosses(e0, e1, s, &e) && e > *d) { *d = e; edge = 2; }
    return edge;
}

// The crossing of pixel (x, row) with its right (vertical = false) or upper neighbour; alpha = 0 if there is none.
template <class Args>
GLRAST_INLINE Crossing find_crossing(const Args& a, int x, Row row, bool vertical) {
    Crossing c;
    c.alpha = 0.0f;
    const int y = row.y;
    const float* rast_p = a.rast + 4 * (row.index * a.width + x);
    const float* rast_q = rast_p + 4 * (vertical ? (int64)a.width : 1);
    if (rast_p[3] == rast_q[3]) return c;
    const int id_p = decode_id(rast_p[3]), id_q = decode_id(rast_q[3]);
    const bool first = id_q <= 0 || (id_p > 0 && rast_p[2] < rast_q[2]);  // p shows the pair's triangle
    const int t = (first ? id_p : id_q) - 1;
    if ((unsigned)t >= (unsigned)a.T) return c;
    const int silhouettes = a.flags[row.n * a.flags_stride + t];
    Int3 index;
    if (!silhouettes || !fetch_triangle(a.tri, a.T, a.V, t, &index)) return c;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 p0 = load4(pos + 4 * (int64)index.x), p1 = load4(pos + 4 * (int64)index.y), p2 = load4(pos + 4 * (int64)index.z);

    // Pixels along the pair (l) and across it (m), relative to the centre of the triangle's own pixel.
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float cx = x + (!vertical && !first ? 1.5f : 0.5f) - half_w, cy = y + (vertical && !first ? 1.5f : 0.5f) - half_h;
    const float half_l = vertical ? half_h : half_w, half_m = vertical ? half_w : half_h;
    const float cl = vertical ? cy : cx, cm = vertical ? cx : cy;
    const End e0 = edge_end(p0, vertical, half_l, half_m, cl, cm), e1 = edge_end(p1, vertical, half_l, half_m, cl, cm);
    const End e2 = edge_end(p2, vertical, half_l, half_m, cl, cm);

    // The last edge crossed on the way to the other pixel (the largest d); edge k is opposite vertex k.
    const float s = first ? 1.0f : -1.0f;
    int edge = -1;
    float d = -3.402823466e38f;
    if (e0.front && e1.front && e2.front) {
        const bool n0 = e0.m < 0.0f, n1 = e1.m < 0.0f, n2 = e2.m < 0.0f;
        if (n1 != n2) { const float e = s * (e1.l * e2.m - e1.m * e2.l) / (e2.m - e1.m); if (e > d) { d = e; edge = 0; } }
        if (n2 != n0) { const float e = s * (e2.l * e0.m - e2.m * e0.l) / (e0.m - e2.m); if (e > d) { d = e; edge = 1; } }
        if (n0 != n1) { const float e = s * (e0.l * e1.m - e0.m * e1.l) / (e1.m - e0.m); if (e > d) { d = e; edge = 2; } }
    } else {
        edge = farthest_edge_behind(e0, e1, e2, s, &d);
    }
    if (edge < 0 || !(silhouettes >> edge & 1) || !(d > -GLRAST_CROSSING_SLACK && d < 1.0f + GLRAST_CROSSING_SLACK)) return c;
    const int k1 = pick(1, 2, 0, edge), k2 = pick(2, 0, 1, edge);
    const bool turned = !pick(e0.front, e1.front, e2.front, k1);  // the end in front comes first
    const int one = turned ? k2 : k1, two = turned ? k1 : k2;
    c.x1 = pick(e0.l, e1.l, e2.l, one);  c.y1 = pick(e0.m, e1.m, e2.m, one);  c.w1 = pick(e0.w, e1.w, e2.w, one);
    c.x2 = pick(e0.l, e1.l, e2.l, two);  c.y2 = pick(e0.m, e1.m, e2.m, two);  c.w2 = pick(e0.w, e1.w, e2.w, two);
    c.cx = cl;
    c.cy = cm;
    c.ray = !pick(e0.front, e1.front, e2.front, two);
    const float dx = edge_step(c.x1, c.x2, c.w2, c.ray), dy = edge_step(c.y1, c.y2, c.w2, c.ray);
    if (fabsf(dy) < fabsf(dx)) return c;

    c.v1 = pick(index.x, index.y, index.z, one);
    c.v2 = pick(index.x, index.y, index.z, two);
    c.alpha = s * (0.5f - minimum(maximum(d, 0.0f), 1.0f));
    if (c.alpha == 0.0f) c.alpha = -0.0f;  // an edge on the pixels' border: no colour moves, but it has a gradient
    return c;
}

// What the pixel to the left found out about this one.
struct PairsRun {
    bool known;
    float id;
    int silhouette;  // its triangle has a silhouette edge
};

// Does the triangle that this rast value names have a silhouette edge?
template <class Args>
GLRAST_INLINE int has_silhouette(const Args& a, float id, int64 n) {
    const unsigned t = (unsigned)(decode_id(id) - 1);
    return t < (unsigned)a.T ? a.flags[n * a.flags_stride + t] : 0;
}

GLRAST_INLINE void pixel_pairs(const AntialiasPairsArgs& a, int x, Row row, PairsRun& run) {
    const int64 pixel = row.index * a.width + x;
    const float* id = a.rast + 4 * pixel + 3;
    if (!run.known) run = PairsRun{true, *id, has_silhouette(a, *id, row.n)};
    const PairsRun own = run;
    float right = own.id, upper = own.id;
    if (x + 1 < a.width) right = id[4];
    if (row.y + 1 < a.H) upper = id[4 * (int64)a.width];
    run = PairsRun{true, right, has_silhouette(a, right, row.n)};
    const int above = has_silhouette(a, upper, row.n);
    // Bitwise on purpose: neighbours differ too irregularly to be predicted, silhouettes are rare.
    const bool try_right = (right != own.id) & ((own.silhouette | run.silhouette) != 0);
    const bool try_upper = (upper != own.id) & ((own.silhouette | above) != 0);
    a.alpha[2 * pixel] = try_right ? find_crossing(a, x, row, false).alpha : 0.0f;
    a.alpha[2 * pixel + 1] = try_upper ? find_crossing(a, x, row, true).alpha : 0.0f;
}

// Do `count` pixels from x on, their right and their upper neighbours all show the same?
GLRAST_INLINE bool is_uniform(const AntialiasPairsArgs& a, int x, int count, Row row) {
    const float* id = a.rast + 4 * (row.index * a.width + x) + 3;
    const float* upper = row.y + 1 < a.H ? id + 4 * (int64)a.width : id;
    const int last = x + count < a.width ? count : count - 1, own = float_bits(id[0]);
    if (float_bits(id[4 * last]) != own || float_bits(upper[0]) != own) return false;  // most often
    int other = 0;
    for (int i = 0; i < count; ++i) other |= (float_bits(id[4 * i]) ^ own) | (float_bits(upper[4 * i]) ^ own);
    return other == 0;
}

GLRAST_INLINE void span_pairs(const AntialiasPairsArgs& a, int x, int count, Row row) {
    if (is_uniform(a, x, count, row)) {
        float* alpha = a.alpha + 2 * (row.index * a.width + x);
        for (int i = 0; i < 2 * count; ++i) alpha[i] = 0.0f;
        return;
    }
    PairsRun run = {};
    for (int end = x + count; x < end; ++x) pixel_pairs(a, x, row, run);
}

GLRAST_INLINE void antialias_pairs_element(const AntialiasPairsArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_SPAN) span_pairs(a, x, lesser(end - x, GLRAST_SPAN), row);
}
GLRAST_KERNEL(antialias_pairs, AntialiasPairsArgs)

#include "antialias_blend.cuh"

// ---- positions -------------------------------------------------------------------------------------------

struct AntialiasBackwardPosArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    float* grad;            // [V,4] or [N,V,4], accumulated
    float* spare;
    int64 slot_size;        // V*4
    int slots;              // 1 or N
    int pieces;
    const float* rast;      // as antialias_pairs
    const float* pos;
    int64 pos_stride;
    const int* tri;
    const char* flags;
    int64 flags_stride;
    int V;
    int T;
    int C;
    const float* alpha;     // [N,H,W,2]
    const float* color;     // [N,H,W,C]
    const float* grad_out;  // [N,H,W,C]
    float boost;            // pos_gradient_boost
};

// dL/dalpha of a pair of pixel (x, row): sum_c y_c (c_q - c_p), y the incoming gradient of the pixel that it changed.
// Where that one gives away S > 1 of itself: sum_c y_c (c_other - out_c) / S, out its new colour, which is a mean of others.
GLRAST_INLINE float step_of_pair(const AntialiasBackwardPosArgs& a, int x, Row row, bool vertical, float alpha) {
    const int64 right = a.C, up = (int64)a.width * a.C, other = vertical ? up : right;
    const float* c = a.color + (row.index * a.width + x) * a.C;
    const float* y = a.grad_out + (row.index * a.width + x) * a.C;
    const int ahead = alpha > 0.0f ? 0 : 1;  // is it the pair's second pixel?
    const int along = vertical ? 0 : ahead, above = vertical ? ahead : 0;
    const PairAlphas p = pair_alphas(a.alpha, a.width, x + along, Row{row.index + above, row.n, row.y + above});
    const float all = given_away(p);
    y += ahead * other;
    float D = 0.0f;
    if (!(all > 1.0f)) {
        for (int i = 0; i < a.C; ++i) D += y[i] * (c[i + other] - c[i]);
        return D;
    }
    const float* changed = c + ahead * other;
    const float* taken = c + (1 - ahead) * other;
    for (int i = 0; i < a.C; ++i) D += y[i] * (taken[i] - blend_all(p, all, changed + i, right, up));
    return ahead ? -D / all : D / all;
}

// d loss/d x_c of a ray's two ends; x_c = l1 - m1 dl/dm, (dl, dm) = (l2 - l1 w2, m2 - m1 w2) its direction, end 2 behind:
//   d/dl1 = m2/dm, d/dm1 = (x_c w2 - l2)/dm; d/dl2 = -m1/dm, d/dm2 = (l1 - x_c)/dm, and d/dw2 = x_c m1/dm at fixed l2, m2
GLRAST_INLINE void add_ray(const AntialiasBackwardPosArgs& a, Row row, bool vertical, const Crossing& e, float g) {
    const float dl = e.x2 - e.x1 * e.w2, dm = e.y2 - e.y1 * e.w2, i = g / dm, xc = e.x1 - e.y1 * dl / dm;
    const float gl1 = e.y2 * i, gm1 = (xc * e.w2 - e.x2) * i, gl2 = -e.y1 * i, gm2 = (e.x1 - xc) * i;
    const float gw2 = xc * e.y1 * i - e.cx * gl2 - e.cy * gm2;
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float gX1 = (vertical ? gm1 : gl1) * half_w / e.w1, gY1 = (vertical ? gl1 : gm1) * half_h / e.w1;
    const float* p1 = a.pos + row.n * a.pos_stride + 4 * (int64)e.v1;
    float *g1 = a.grad + row.n * a.pos_stride + 4 * (int64)e.v1, *g2 = a.grad + row.n * a.pos_stride + 4 * (int64)e.v2;
    GLRAST_ADD(g1, gX1);  GLRAST_ADD(g1 + 1, gY1);  GLRAST_ADD(g1 + 3, -(p1[0] * gX1 + p1[1] * gY1) / e.w1);
    GLRAST_ADD(g2, (vertical ? gm2 : gl2) * half_w);  GLRAST_ADD(g2 + 1, (vertical ? gl2 : gm2) * half_h);
    GLRAST_ADD(g2 + 3, gw2);
}

// alpha = s/2 - x_c while d is inside (0, 1), so d alpha/d x_c = -1 and with D = dL/dalpha and i = 1/dy
//   gx1 = -D y2 i, gx2 = D y1 i, gy1 = -D (x_c - x2) i, gy2 = D (x_c - x1) i  in pixels; then the viewport and
//   x = X/w: gX = gx (W/2)/w, gw = -(X gX + Y gY)/w. All four factors are at most 1: y1, y2 differ in sign, |dx| <= |dy|.
GLRAST_INLINE void antialias_pair_gradient(const AntialiasBackwardPosArgs& a, int x, Row row, bool vertical) {
    const float alpha = a.alpha[2 * (row.index * a.width + x) + vertical];
    if (!is_crossed(alpha) || fabsf(alpha) >= 0.5f) return;
    float D = step_of_pair(a, x, row, vertical, alpha);
    if (D == 0.0f) return;
    const Crossing e = find_crossing(a, x, row, vertical);
    if (!is_crossed(e.alpha)) return;
    D *= a.boost;
    if (e.ray) { add_ray(a, row, vertical, e, -D); return; }
    const float dx = e.x2 - e.x1, dy = e.y2 - e.y1;
    const float i = 1.0f / (dy + (dy < 0.0f ? -1e-20f : 1e-20f));
    const float xc = (e.x1 * dy - e.y1 * dx) * i;
    const float gl1 = -D * e.y2 * i, gl2 = D * e.y1 * i, gm1 = -D * (xc - e.x2) * i, gm2 = D * (xc - e.x1) * i;
    const float half_w = 0.5f * a.width, half_h = 0.5f * a.H;
    const float gX1 = (vertical ? gm1 : gl1) * half_w / e.w1, gY1 = (vertical ? gl1 : gm1) * half_h / e.w1;
    const float gX2 = (vertical ? gm2 : gl2) * half_w / e.w2, gY2 = (vertical ? gl2 : gm2) * half_h / e.w2;
    const float *p1 = a.pos + row.n * a.pos_stride + 4 * (int64)e.v1, *p2 = a.pos + row.n * a.pos_stride + 4 * (int64)e.v2;
    float *g1 = a.grad + row.n * a.pos_stride + 4 * (int64)e.v1, *g2 = a.grad + row.n * a.pos_stride + 4 * (int64)e.v2;
    GLRAST_ADD(g1, gX1);  GLRAST_ADD(g1 + 1, gY1);  GLRAST_ADD(g1 + 3, -(p1[0] * gX1 + p1[1] * gY1) / e.w1);
    GLRAST_ADD(g2, gX2);  GLRAST_ADD(g2 + 1, gY2);  GLRAST_ADD(g2 + 3, -(p2[0] * gX2 + p2[1] * gY2) / e.w2);
}

GLRAST_INLINE void span_gradient(const AntialiasBackwardPosArgs& a, int x, int count, Row row) {
    if (are_zero(a.alpha + 2 * (row.index * a.width + x), 2 * count)) return;
    for (int end = x + count; x < end; ++x) {
        antialias_pair_gradient(a, x, row, false);
        antialias_pair_gradient(a, x, row, true);
    }
}

GLRAST_INLINE void antialias_backward_pos_element(const AntialiasBackwardPosArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; x += GLRAST_SPAN) span_gradient(a, x, lesser(end - x, GLRAST_SPAN), row);
}
GLRAST_SCATTER(antialias_backward_pos, AntialiasBackwardPosArgs)

#include "antialias_inner.cuh"
