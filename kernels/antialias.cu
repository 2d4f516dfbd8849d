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

GLRAST_INLINE void antialias_silhouettes_element(const AntialiasSilhouettesArgs& a, int t, Row row) {
    char* flags = a.flags + row.n * a.width + t;
    *flags = 0;
    Int3 index;
    if (!fetch_triangle(a.tri, a.width, a.V, t, &index)) return;
    const float* pos = a.pos + row.n * a.pos_stride;
    const Float4 p0 = load4(pos + 4 * (int64)index.x), p1 = load4(pos + 4 * (int64)index.y), p2 = load4(pos + 4 * (int64)index.z);
    if (!(p0.w > 0.0f && p1.w > 0.0f && p2.w > 0.0f)) return;
    const float r0 = 1.0f / p0.w, r1 = 1.0f / p1.w, r2 = 1.0f / p2.w;
    const Point q0 = {p0.x * r0, p0.y * r0}, q1 = {p1.x * r1, p1.y * r1}, q2 = {p2.x * r2, p2.y * r2};
    const int* opposite = a.opposite + 3 * (int64)t;
    *flags = (char)((is_silhouette(q1, q2, q0, pos, opposite[0], a.V) ? 1 : 0) |
                    (is_silhouette(q2, q0, q1, pos, opposite[1], a.V) ? 2 : 0) |
                    (is_silhouette(q0, q1, q2, pos, opposite[2], a.V) ? 4 : 0));
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
};

GLRAST_INLINE bool is_crossed(float alpha) { return float_bits(alpha) != 0; }  // +0: no; -0: yes

GLRAST_INLINE float pick(float a, float b, float c, int k) { return k == 0 ? a : k == 1 ? b : c; }
GLRAST_INLINE int pick(int a, int b, int c, int k) { return k == 0 ? a : k == 1 ? b : c; }

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
    const float l0 = (vertical ? p0.y : p0.x) / p0.w * half_l - cl, m0 = (vertical ? p0.x : p0.y) / p0.w * half_m - cm;
    const float l1 = (vertical ? p1.y : p1.x) / p1.w * half_l - cl, m1 = (vertical ? p1.x : p1.y) / p1.w * half_m - cm;
    const float l2 = (vertical ? p2.y : p2.x) / p2.w * half_l - cl, m2 = (vertical ? p2.x : p2.y) / p2.w * half_m - cm;

    // The last edge crossed on the way to the other pixel (the largest d); edge k is opposite vertex k.
    const float s = first ? 1.0f : -1.0f;
    int edge = -1;
    float d = -3.402823466e38f;
    const bool n0 = m0 < 0.0f, n1 = m1 < 0.0f, n2 = m2 < 0.0f;
    if (n1 != n2) { const float e = s * (l1 * m2 - m1 * l2) / (m2 - m1); if (e > d) { d = e; edge = 0; } }
    if (n2 != n0) { const float e = s * (l2 * m0 - m2 * l0) / (m0 - m2); if (e > d) { d = e; edge = 1; } }
    if (n0 != n1) { const float e = s * (l0 * m1 - m0 * l1) / (m1 - m0); if (e > d) { d = e; edge = 2; } }
    if (edge < 0 || !(silhouettes >> edge & 1) || !(d > -GLRAST_CROSSING_SLACK && d < 1.0f + GLRAST_CROSSING_SLACK)) return c;
    c.x1 = pick(l1, l2, l0, edge);  c.y1 = pick(m1, m2, m0, edge);  c.w1 = pick(p1.w, p2.w, p0.w, edge);
    c.x2 = pick(l2, l0, l1, edge);  c.y2 = pick(m2, m0, m1, edge);  c.w2 = pick(p2.w, p0.w, p1.w, edge);
    const float dx = c.x2 - c.x1, dy = c.y2 - c.y1;
    if (fabsf(dy) < fabsf(dx)) return c;

    c.v1 = pick(index.y, index.z, index.x, edge);
    c.v2 = pick(index.z, index.x, index.y, edge);
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

GLRAST_INLINE void antialias_pairs_element(const AntialiasPairsArgs& a, int x, Row row) {
    const int count = span_count(a.width, x);
    if (is_uniform(a, x, count, row)) {
        float* alpha = a.alpha + 2 * (row.index * a.width + x);
        for (int i = 0; i < 2 * count; ++i) alpha[i] = 0.0f;
        return;
    }
    PairsRun run = {};
    for (int end = x + count; x < end; ++x) pixel_pairs(a, x, row, run);
}
GLRAST_SPAN_KERNEL(antialias_pairs, AntialiasPairsArgs)

// ---- colours ---------------------------------------------------------------------------------------------

struct AntialiasBlendArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    const float* color;     // [N,H,W,C]; backward: the incoming gradient
    const float* alpha;     // [N,H,W,2]
    int C;
    float* out;             // [N,H,W,C]
};

// The alphas of the four pairs that a pixel takes part in; 0 outside the image.
struct PairAlphas { float right, upper, left, lower; };

GLRAST_INLINE PairAlphas pair_alphas(const float* alpha, int width, int x, Row row) {
    const int64 pixel = row.index * width + x;
    return PairAlphas{alpha[2 * pixel], alpha[2 * pixel + 1], x > 0 ? alpha[2 * (pixel - 1)] : 0.0f,
                      row.y > 0 ? alpha[2 * (pixel - width) + 1] : 0.0f};
}

// Copies up to GLRAST_SPAN pixels from x on if none of their pairs has an alpha; silhouettes are rare.
GLRAST_INLINE bool copy_span(const AntialiasBlendArgs& a, int x, int count, Row row) {
    const int64 pixel = row.index * a.width + x;
    const int left = x > 0;
    if (!are_zero(a.alpha + 2 * (pixel - left), 2 * (count + left))) return false;
    if (row.y > 0 && !are_zero(a.alpha + 2 * (pixel - a.width), 2 * count)) return false;
    const float* c = a.color + pixel * a.C;
    float* out = a.out + pixel * a.C;
    for (int i = 0; i < count * a.C; ++i) out[i] = c[i];
    return true;
}

template <int Fixed>
GLRAST_INLINE void blend(const AntialiasBlendArgs& a, int x, Row row) {
    const int C = Fixed ? Fixed : a.C;
    const int64 pixel = row.index * a.width + x, up = (int64)a.width * C;
    const PairAlphas p = pair_alphas(a.alpha, a.width, x, row);
    const float* c = a.color + pixel * C;
    float* out = a.out + pixel * C;
    for (int i = 0; i < C; ++i) {
        float value = c[i];
        if (p.right > 0.0f) value += p.right * (c[i + C] - c[i]);
        if (p.upper > 0.0f) value += p.upper * (c[i + up] - c[i]);
        if (p.left < 0.0f) value += p.left * (c[i] - c[i - C]);
        if (p.lower < 0.0f) value += p.lower * (c[i] - c[i - up]);
        out[i] = value;
    }
}
GLRAST_INLINE void antialias_blend_element(const AntialiasBlendArgs& a, int x, Row row) {
    const int count = span_count(a.width, x);
    if (copy_span(a, x, count, row)) return;
    for (int end = x + count; x < end; ++x) {
        if (a.C == 3) blend<3>(a, x, row);
        else blend<0>(a, x, row);
    }
}
GLRAST_SPAN_KERNEL(antialias_blend, AntialiasBlendArgs)

// With y the incoming gradient of the pixel that the pair changed: g_p -= alpha y, g_q += alpha y.
template <int Fixed>
GLRAST_INLINE void blend_backward(const AntialiasBlendArgs& a, int x, Row row) {
    const int C = Fixed ? Fixed : a.C;
    const int64 pixel = row.index * a.width + x, up = (int64)a.width * C;
    const PairAlphas p = pair_alphas(a.alpha, a.width, x, row);
    const float* g = a.color + pixel * C;
    float* out = a.out + pixel * C;
    for (int i = 0; i < C; ++i) {
        float value = g[i];
        if (p.right != 0.0f) value -= p.right * (p.right > 0.0f ? g[i] : g[i + C]);
        if (p.upper != 0.0f) value -= p.upper * (p.upper > 0.0f ? g[i] : g[i + up]);
        if (p.left != 0.0f) value += p.left * (p.left > 0.0f ? g[i - C] : g[i]);
        if (p.lower != 0.0f) value += p.lower * (p.lower > 0.0f ? g[i - up] : g[i]);
        out[i] = value;
    }
}
GLRAST_INLINE void antialias_backward_color_element(const AntialiasBlendArgs& a, int x, Row row) {
    const int count = span_count(a.width, x);
    if (copy_span(a, x, count, row)) return;
    for (int end = x + count; x < end; ++x) {
        if (a.C == 3) blend_backward<3>(a, x, row);
        else blend_backward<0>(a, x, row);
    }
}
GLRAST_SPAN_KERNEL(antialias_backward_color, AntialiasBlendArgs)

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

// D = sum_c y_c (c_q - c_p); alpha = s/2 - x_c while d is inside (0, 1), so d alpha/d x_c = -1 and with i = 1/dy
//   gx1 = -D y2 i, gx2 = D y1 i, gy1 = -D (x_c - x2) i, gy2 = D (x_c - x1) i  in pixels; then the viewport and
//   x = X/w: gX = gx (W/2)/w, gw = -(X gX + Y gY)/w. All four factors are at most 1: y1, y2 differ in sign, |dx| <= |dy|.
GLRAST_INLINE void antialias_pair_gradient(const AntialiasBackwardPosArgs& a, int x, Row row, bool vertical) {
    const int64 pixel = row.index * a.width + x;
    const float alpha = a.alpha[2 * pixel + vertical];
    if (!is_crossed(alpha) || fabsf(alpha) >= 0.5f) return;
    const int64 other = vertical ? (int64)a.width * a.C : a.C;
    const float* c = a.color + pixel * a.C;
    const float* y = a.grad_out + pixel * a.C + (alpha > 0.0f ? 0 : other);
    float D = 0.0f;
    for (int i = 0; i < a.C; ++i) D += y[i] * (c[i + other] - c[i]);
    if (D == 0.0f) return;
    const Crossing e = find_crossing(a, x, row, vertical);
    if (!is_crossed(e.alpha)) return;
    D *= a.boost;
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

GLRAST_INLINE void antialias_backward_pos_element(const AntialiasBackwardPosArgs& a, int x, Row row) {
    const int count = span_count(a.width, x);
    if (are_zero(a.alpha + 2 * (row.index * a.width + x), 2 * count)) return;
    for (int end = x + count; x < end; ++x) {
        antialias_pair_gradient(a, x, row, false);
        antialias_pair_gradient(a, x, row, true);
    }
}
GLRAST_SCATTER_SPAN_KERNEL(antialias_backward_pos, AntialiasBackwardPosArgs)

#include "antialias_inner.cuh"
