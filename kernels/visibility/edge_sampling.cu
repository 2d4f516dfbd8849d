// edge_sampling: the boundary integral of the image by points on edges (Li et al. 2018).
//
//   edge_sampling_lengths   how long each edge is in the image, in pixels       one thread = one edge
//   edge_sampling_backward  what one point of an edge gives to its ends         one thread = one sample
//
// Edge function of an edge (V0, V1) at a point f = (fx, fy, 1) of the image, -1 to 1:  a(f) = det(V0, V1, f) of the rows (X, Y, w)
//   da/dV0 = V1 x f,  da/dV1 = f x V0  (with w = 1 these are the paper's, in -1 to 1; so no vertex is divided by its w)
//   dI = integral over the edge of (I_in - I_out) da/|grad a| ds, I_in the colour where a > 0, s and grad in pixels
// A sample that was chosen with probability ds/L of all edges' length L gives L/samples of the integrand. Its colours are those
//   of two pixels in its row (flatter edges: its column), (1 + |ny/nx|)/2 to either side, n the edge's normal: as near as they can
//   be with their centres on the right side for sure. The edge is seen where one of them shows a triangle of the edge; there
//   the loss is that of the sample's own pixel.
// Accumulates grad [V,4] or [N,V,4]: x, y, w.
#include "visibility/surface.cuh"

#define GLRAST_BESIDE 1.001f  // a little more, so that rounding keeps the side

struct Point3 { float x, y, w; };

GLRAST_INLINE Point3 cross(Point3 a, Point3 b) { return Point3{a.y * b.w - a.w * b.y, a.w * b.x - a.x * b.w, a.x * b.y - a.y * b.x}; }
GLRAST_INLINE float dot(Point3 a, Point3 b) { return a.x * b.x + a.y * b.y + a.w * b.w; }

// The part of an edge that the image shows: from `begin` to `end` in pixels.
struct Segment { bool any; float x0, y0, x1, y1; };

// Keeps the part of p + t d, t in [*from, *to], where it is >= 0.
GLRAST_INLINE void keep_positive(float p, float d, float* from, float* to) {
    if (d == 0.0f) { if (p < 0.0f) *to = -1.0f; return; }
    const float t = -p / d;
    if (d > 0.0f) *from = maximum(*from, t);
    else *to = minimum(*to, t);
}

// Cut by the six planes of the clip volume, -w <= x, y, z <= w; then w > 0 but at the eye itself.
GLRAST_INLINE Segment visible_segment(Float4 p, Float4 q, int width, int height) {
    Segment none = {false, 0.0f, 0.0f, 0.0f, 0.0f};
    if (!is_finite4(p) || !is_finite4(q)) return none;
    const Float4 d = {q.x - p.x, q.y - p.y, q.z - p.z, q.w - p.w};
    float from = 0.0f, to = 1.0f;
    keep_positive(p.w + p.x, d.w + d.x, &from, &to);  keep_positive(p.w - p.x, d.w - d.x, &from, &to);
    keep_positive(p.w + p.y, d.w + d.y, &from, &to);  keep_positive(p.w - p.y, d.w - d.y, &from, &to);
    keep_positive(p.w + p.z, d.w + d.z, &from, &to);  keep_positive(p.w - p.z, d.w - d.z, &from, &to);
    const float w0 = p.w + from * d.w, w1 = p.w + to * d.w;
    if (!(from < to) || !(w0 > 0.0f && w1 > 0.0f)) return none;
    const float half_w = 0.5f * width, half_h = 0.5f * height;
    return Segment{true, ((p.x + from * d.x) / w0 + 1.0f) * half_w, ((p.y + from * d.y) / w0 + 1.0f) * half_h,
                   ((p.x + to * d.x) / w1 + 1.0f) * half_w, ((p.y + to * d.y) / w1 + 1.0f) * half_h};
}

struct EdgeSamplingLengthsArgs {
    int width;              // E
    int H;                  // 1
    int64 rows;             // 1 or N: sets of vertices
    const float* pos;       // [V,4] or [rows,V,4]
    const int* edges;       // [E,4]: two vertices, and the third of the one and the other triangle, -1: an open edge
    int V;
    int image_width;
    int image_height;
    int silhouettes_only;
    float* lengths;         // [rows,E]: 0 for edges that are not sampled
};

// The vertex at index v, or not.
GLRAST_INLINE bool fetch_vertex(const float* pos, int V, int v, Float4* out) {
    if ((unsigned)v >= (unsigned)V) return false;
    *out = load4(pos + 4 * (int64)v);
    return is_finite4(*out);
}

// Four points of one plane have no volume: clip space keeps that. Relative to the lengths of their differences.
#define GLRAST_FLAT 1e-6f
GLRAST_INLINE bool is_flat(Float4 a, Float4 b, Float4 c, Float4 d) {
    const Point3 u = {b.x - a.x, b.y - a.y, b.w - a.w}, v = {c.x - a.x, c.y - a.y, c.w - a.w}, w = {d.x - a.x, d.y - a.y, d.w - a.w};
    const float uz = b.z - a.z, vz = c.z - a.z, wz = d.z - a.z;
    // det(a, u, v, w) by the 3 x 3 minors of (x, y, w) and z
    const Point3 A = {a.x, a.y, a.w}, uv = cross(u, v), uw = cross(u, w), vw = cross(v, w);
    const float det = a.z * dot(u, vw) - uz * dot(A, vw) + vz * dot(A, uw) - wz * dot(A, uv);
    const float lengths = sqrtf((dot(A, A) + a.z * a.z) * (dot(u, u) + uz * uz)) * sqrtf((dot(v, v) + vz * vz) * (dot(w, w) + wz * wz));
    return fabsf(det) <= GLRAST_FLAT * lengths;
}

// Do both triangles of an edge lie on one side of it in the image? Signs of edge functions, for any signs of w.
GLRAST_INLINE bool folds_back(Float4 p, Float4 q, Float4 c, Float4 d) {
    const Point3 n = cross(Point3{p.x, p.y, p.w}, Point3{q.x, q.y, q.w});
    const float one = dot(n, Point3{c.x, c.y, c.w}), other = dot(n, Point3{d.x, d.y, d.w});
    return one > 0.0f ? other >= 0.0f : one < 0.0f ? other <= 0.0f : true;
}

GLRAST_INLINE float sampled_length(const EdgeSamplingLengthsArgs& a, const float* pos, const int* edge) {
    Float4 p, q, c, d;
    if (!fetch_vertex(pos, a.V, edge[0], &p) || !fetch_vertex(pos, a.V, edge[1], &q) || !fetch_vertex(pos, a.V, edge[2], &c)) return 0.0f;
    if (fetch_vertex(pos, a.V, edge[3], &d)) {
        if (a.silhouettes_only ? !folds_back(p, q, c, d) : is_flat(p, q, c, d) && !folds_back(p, q, c, d)) return 0.0f;
    }
    const Segment s = visible_segment(p, q, a.image_width, a.image_height);
    if (!s.any) return 0.0f;
    const float dx = s.x1 - s.x0, dy = s.y1 - s.y0;
    return sqrtf(dx * dx + dy * dy);
}

GLRAST_INLINE void edge_sampling_lengths_element(const EdgeSamplingLengthsArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x)
        a.lengths[row.index * a.width + x] = sampled_length(a, a.pos + row.n * a.V * 4, a.edges + 4 * (int64)x);
}
GLRAST_KERNEL(edge_sampling_lengths, EdgeSamplingLengthsArgs)

// ---- backward --------------------------------------------------------------------------------------------

struct EdgeSamplingBackwardArgs {
    int width;              // samples of one image, in rows
    int H;                  // so many rows
    int64 rows;             // N*H
    static constexpr int work = 8;
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    GLRAST_IMAGE_MEMBERS
    int image_width;
    int image_height;
    const int* edges;       // [E,4]: two vertices, and one triangle and the other, -1
    const int* edge;        // [rows,width]: which edge each sample is on
    const float* along;     // [rows,width]: where, 0 to 1 of its visible part
    const float* total;     // [1 or N]: L
    int64 total_stride;
};

// Floats to the pixel that holds a point, or -1 beyond the image.
GLRAST_INLINE int64 pixel_at(const EdgeSamplingBackwardArgs& a, int64 n, float x, float y) {
    const int px = (int)floorf(x), py = (int)floorf(y);
    if (px < 0 || py < 0 || px >= a.image_width || py >= a.image_height) return -1;
    return (n * a.image_height + py) * a.image_width + px;
}

GLRAST_INLINE bool shows_edge(const EdgeSamplingBackwardArgs& a, int64 pixel, const int* edge) {
    const int t = decode_id(a.rast[4 * pixel + 3]) - 1;
    return t >= 0 && (t == edge[2] || t == edge[3]);
}

GLRAST_INLINE void add_corner(const EdgeSamplingBackwardArgs& a, Row row, int v, Point3 g, float scale) {
    float* to = a.grad + row.n * a.pos_stride + 4 * (int64)v;
    GLRAST_ADD(to, scale * g.x);  GLRAST_ADD(to + 1, scale * g.y);  GLRAST_ADD(to + 3, scale * g.w);
}

GLRAST_INLINE void sample_gradient(const EdgeSamplingBackwardArgs& a, int x, Row row) {
    const int64 at = row.index * a.width + x;
    const int* edge = a.edges + 4 * (int64)a.edge[at];
    const float* pos = a.pos + row.n * a.pos_stride;
    Float4 p, q;
    if (!fetch_vertex(pos, a.V, edge[0], &p) || !fetch_vertex(pos, a.V, edge[1], &q)) return;
    const Segment s = visible_segment(p, q, a.image_width, a.image_height);
    if (!s.any) return;
    const float t = a.along[at], px = s.x0 + t * (s.x1 - s.x0), py = s.y0 + t * (s.y1 - s.y0);
    const Point3 V0 = {p.x, p.y, p.w}, V1 = {q.x, q.y, q.w}, f = {2.0f * px / a.image_width - 1.0f, 2.0f * py / a.image_height - 1.0f, 1.0f};
    const Point3 line = cross(V0, V1);
    const float gx = line.x * 2.0f / a.image_width, gy = line.y * 2.0f / a.image_height, size = sqrtf(gx * gx + gy * gy);
    if (!(size > 0.0f)) return;
    const bool steep = fabsf(gx) >= fabsf(gy);
    const float beside = GLRAST_BESIDE * 0.5f * (steep ? 1.0f + fabsf(gy / gx) : 1.0f + fabsf(gx / gy));
    const float dx = !steep ? 0.0f : gx > 0.0f ? beside : -beside, dy = steep ? 0.0f : gy > 0.0f ? beside : -beside;
    const int64 here = pixel_at(a, row.n, px, py), in = pixel_at(a, row.n, px + dx, py + dy), out = pixel_at(a, row.n, px - dx, py - dy);
    if (here < 0 || in < 0 || out < 0 || !(shows_edge(a, in, edge) || shows_edge(a, out, edge))) return;
    float step = 0.0f;
    for (int i = 0; i < a.C; ++i) step += a.grad_out[here * a.C + i] * (a.color[in * a.C + i] - a.color[out * a.C + i]);
    const float scale = step * a.total[row.n * a.total_stride] / ((float)a.width * a.H) / size;
    add_corner(a, row, edge[0], cross(V1, f), scale);
    add_corner(a, row, edge[1], cross(f, V0), scale);
}

GLRAST_INLINE void edge_sampling_backward_element(const EdgeSamplingBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) sample_gradient(a, x, row);
}
GLRAST_SCATTER(edge_sampling_backward, EdgeSamplingBackwardArgs)
