// dirt: the gradient of positions by a Scharr filter of the image (Henderson and Ferrari 2018).    one thread = one pixel
//
//   S_x = sum of weights (3, 10, 3)/32 over three rows times (I(x-1) - I(x+1)), S_y likewise; beyond the border the nearest
//         pixel stands
//   d loss/d place of the point = (sum_c g S_x, sum_c g S_y)
// The point is that of the pixel's own triangle. Off the image's border, of the two neighbours along the axis with the larger
// sum_c |S| (equal: y) the first that shows another triangle, nearer by clip w, takes the pixel with its own barycentrics: an
// occluder reaches one pixel over what it hides, and over the background. Which of the two is asked first alternates like a
// chessboard. Accumulates grad [V,4] or [N,V,4]: x, y, w.
#include "visibility/surface.cuh"

struct DirtBackwardArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_SCATTER_MEMBERS  // [V,4] or [N,V,4], accumulated
    GLRAST_IMAGE_MEMBERS
};

struct Scharr { float x, y; };

// Of channel c at a pixel whose neighbours are `left` and `right` pixels, `down` and `up` rows away: -1 and 1, or 0 at the border.
GLRAST_INLINE Scharr scharr(const float* c, int64 left, int64 right, int64 down, int64 up) {
    const float lower_left = c[down + left], lower_right = c[down + right], upper_left = c[up + left], upper_right = c[up + right];
    return Scharr{3.0f / 32.0f * (lower_left + upper_left - lower_right - upper_right) + 10.0f / 32.0f * (c[left] - c[right]),
                  3.0f / 32.0f * (lower_left + lower_right - upper_left - upper_right) + 10.0f / 32.0f * (c[down] - c[up])};
}

// What a pixel shows.
struct Shown { int id; float w; Barycentrics b; Corners3 corners; };

// w is infinite where nothing is shown.
GLRAST_INLINE Shown shown_at(const DirtBackwardArgs& a, Row row, const float* rast) {
    Shown s;
    s.id = decode_id(rast[3]);
    s.w = 3.402823466e38f;
    if (s.id <= 0) return s;
    if (!fetch_corners(a, row, s.id, &s.corners)) { s.id = 0; return s; }
    s.b = weights_of(rast);
    s.w = clip_position(s.corners, s.b).w;
    return s;
}

// The neighbour at `step`, if it is nearer.
GLRAST_INLINE bool is_taken(const DirtBackwardArgs& a, Row row, const float* rast, int64 step, Shown* s) {
    const Shown other = shown_at(a, row, rast + 4 * step);
    if (other.id <= 0 || other.id == s->id || !(s->w > other.w)) return false;
    *s = other;
    return true;
}

GLRAST_INLINE void dirt_pixel(const DirtBackwardArgs& a, int x, Row row) {
    const int64 pixel = row.index * a.width + x, W = a.width, C = a.C;
    const bool inside = x > 0 && row.y > 0 && x + 1 < a.width && row.y + 1 < a.H;
    const int64 left = x > 0 ? -C : 0, right = x + 1 < a.width ? C : 0;
    const int64 down = row.y > 0 ? -W * C : 0, up = row.y + 1 < a.H ? W * C : 0;
    float gx = 0.0f, gy = 0.0f, size_x = 0.0f, size_y = 0.0f;
    for (int i = 0; i < a.C; ++i) {
        const Scharr s = scharr(a.color + pixel * C + i, left, right, down, up);
        const float g = a.grad_out[pixel * C + i];
        gx += g * s.x;  gy += g * s.y;
        size_x += fabsf(s.x);  size_y += fabsf(s.y);
    }
    if (gx == 0.0f && gy == 0.0f) return;
    const float* rast = a.rast + 4 * pixel;
    Shown s = shown_at(a, row, rast);
    if (inside) {
        int64 step = size_x > size_y ? 1 : W;
        if ((x + a.H - 1 - row.y) & 1) step = -step;
        if (!is_taken(a, row, rast, step, &s)) is_taken(a, row, rast, -step, &s);
    }
    if (s.id > 0) add_moved<false>(a, row, s.corners, s.b, gx, gy, 0.0f);
}

GLRAST_INLINE void dirt_backward_element(const DirtBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) dirt_pixel(a, x, row);
}
GLRAST_SCATTER(dirt_backward, DirtBackwardArgs)
