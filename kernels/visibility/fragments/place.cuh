// fragments_place: fragments from the parts of pixels, with rast and rast_db at the centres of gravity, and for each run
// the fragments on its two sides.    one thread = one crossed pixel
#pragma once
#include "visibility/fragments/planes.cuh"

#define GLRAST_SOON 6                // elements: what they need is asked for before it is used

struct FragmentsPlaceArgs {
    static constexpr int work = 8;
    GLRAST_LIST_MEMBERS     // crossed pixels
    const int64* pixels;    // [count]
    const int64* runs_at;   // [count+1]
    const int64* order;     // [R]
    const int* run_sides;   // [R,2]
    const int* part_triangle;  // from fragments_weigh
    const double* part_area;
    const int* counts;      // [count]
    const int64* places;    // [count]: where a pixel's fragments go
    const int* origin;      // [C,2]: image, and index in tri
    const double* planes;
    int columns;
    int lines;
    int64* pixel;           // [F]
    int* triangle;          // [F]: chosen ones, or -1
    double* points;         // [F,2]: in pixels
    double* weights;        // [F]
    float* weight;          // [F]
    float* rast;            // [F,4]
    float* rast_db;         // [F,4]
    int64* run_parts;       // [R,2]: fragments on the left and on the right of each run, or -1
};

// u, v and their slopes at a point of a triangle; false where it is seen edge-on.
struct Shading { double r, sum_x, sum_y, u, v, u_x, u_y, v_x, v_y; };  // r: 1 / the sum of b_k
GLRAST_INLINE bool shading_at(const double* p, Doubles4 b, Shading* s) {
    const double sum = get(b, 0) + get(b, 1) + get(b, 2);
    s->sum_x = p[0] + p[1] + p[2];
    s->sum_y = p[4] + p[5] + p[6];
    if (!(sum > 0.0)) return false;
    const double r = s->r = 1.0 / sum;
    s->u = clamp(get(b, 0) * r, 0.0, 1.0);
    s->v = clamp(get(b, 1) * r, 0.0, 1.0 - s->u);
    s->u_x = (p[0] - s->u * s->sum_x) * r;
    s->u_y = (p[4] - s->u * s->sum_y) * r;
    s->v_x = (p[1] - s->v * s->sum_x) * r;
    s->v_y = (p[5] - s->v * s->sum_y) * r;
    return upper(upper(fabs(s->u_x), fabs(s->u_y)), upper(fabs(s->v_x), fabs(s->v_y))) < 1e30 && r < 1e100;
}

GLRAST_INLINE void place_fragment(const FragmentsPlaceArgs& a, int t, double x, double y, float* rast, float* db) {
    for (int k = 0; k < 4; ++k) rast[k] = db[k] = 0.0f;
    if (t == GLRAST_NOTHING) return;
    const double* p = a.planes + GLRAST_PLANES * (int64)t;
    const Doubles4 at = values_at(p, x, y);
    rast[2] = (float)clamp(get(at, 3), -1.0, 1.0);
    rast[3] = encode_id(a.origin[2 * (int64)t + 1] + 1);
    Shading s;
    if (!shading_at(p, at, &s)) return;
    rast[0] = (float)s.u;
    rast[1] = (float)s.v;
    db[0] = (float)s.u_x;  db[1] = (float)s.u_y;
    db[2] = (float)s.v_x;  db[3] = (float)s.v_y;
}

// All are looked at: where it is would be guessed wrong.
GLRAST_INLINE int64 find_part(const int* triangles, int count, int triangle, int64 place) {
    int64 found = -1;
    for (int k = 0; k < count; ++k) found = triangles[k] == triangle ? place + k : found;
    return found;
}

GLRAST_INLINE void place_pixel(const FragmentsPlaceArgs& a, int64 i) {
    const int64 pixel = a.pixels[i], line = pixel / a.columns, place = a.places[i], begin = 2 * a.runs_at[i] + i;
    const double x = (double)(pixel - line * a.columns) + 0.5, y = (double)(line % a.lines) + 0.5;
    const int *triangles = a.part_triangle + begin, count = a.counts[i];
    for (int k = 0; k < count; ++k) {
        const int64 out = place + k;
        const double *area = a.part_area + 3 * (begin + k), at_x = x + area[1], at_y = y + area[2];
        a.pixel[out] = pixel;
        a.triangle[out] = triangles[k];
        a.weights[out] = area[0];
        a.weight[out] = (float)area[0];
        a.points[2 * out] = at_x;
        a.points[2 * out + 1] = at_y;
        place_fragment(a, triangles[k], at_x, at_y, a.rast + 4 * out, a.rast_db + 4 * out);
    }
    for (int64 k = a.runs_at[i]; k < a.runs_at[i + 1]; ++k) {
        const int64 r = a.order[k];
        a.run_parts[2 * r] = find_part(triangles, count, a.run_sides[2 * r], place);
        a.run_parts[2 * r + 1] = find_part(triangles, count, a.run_sides[2 * r + 1], place);
    }
}

GLRAST_INLINE void fragments_place_element(const FragmentsPlaceArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) {
        if (i + GLRAST_SOON < a.count) {  // runs lie by boundary, so those of a pixel apart
            for (int64 k = a.runs_at[i + GLRAST_SOON]; k < a.runs_at[i + GLRAST_SOON + 1]; ++k) {
                ask_for(a.run_parts + 2 * a.order[k]);
                ask_for(a.run_sides + 2 * a.order[k]);
            }
            const int* triangles = a.part_triangle + 2 * a.runs_at[i + GLRAST_SOON] + i + GLRAST_SOON;
            for (int k = 0; k < a.counts[i + GLRAST_SOON]; ++k) {
                if (triangles[k] == GLRAST_NOTHING) continue;
                ask_for(a.planes + GLRAST_PLANES * (int64)triangles[k]);
                ask_for(a.planes + GLRAST_PLANES * (int64)triangles[k] + 8);
            }
        }
        place_pixel(a, i);
    });
}
GLRAST_KERNEL(fragments_place, FragmentsPlaceArgs)
