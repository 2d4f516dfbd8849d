// fragments_place: rast and rast_db at the centres of gravity.    one thread = one fragment
#pragma once
#include "visibility/fragments/setup.cuh"

struct FragmentsPlaceArgs {
    GLRAST_LIST_MEMBERS     // fragments
    const int* triangles;   // [count]: of all images', or -1
    const int* numbers;     // [count]: their index in tri
    const double* points;   // [count,2]: in pixels
    const double* planes;
    float* rast;            // [count,4]
    float* rast_db;         // [count,4]
};

// u, v and their slopes at a point of a triangle; false where it is seen edge-on.
struct Shading { double sum, sum_x, sum_y, u, v, u_x, u_y, v_x, v_y; };
GLRAST_INLINE bool shading_at(const double* p, double x, double y, Shading* s) {
    s->sum = value_at(p, 0, x, y) + value_at(p, 1, x, y) + value_at(p, 2, x, y);
    s->sum_x = p[0] + p[3] + p[6];
    s->sum_y = p[1] + p[4] + p[7];
    if (!(s->sum > 0.0)) return false;
    const double r = 1.0 / s->sum;
    s->u = clamp(value_at(p, 0, x, y) * r, 0.0, 1.0);
    s->v = clamp(value_at(p, 1, x, y) * r, 0.0, 1.0 - s->u);
    s->u_x = (p[0] - s->u * s->sum_x) * r;
    s->u_y = (p[1] - s->u * s->sum_y) * r;
    s->v_x = (p[3] - s->v * s->sum_x) * r;
    s->v_y = (p[4] - s->v * s->sum_y) * r;
    return fabs(s->u_x) < 1e30 && fabs(s->u_y) < 1e30 && fabs(s->v_x) < 1e30 && fabs(s->v_y) < 1e30 && r < 1e100;
}

GLRAST_INLINE void place_fragment(const FragmentsPlaceArgs& a, int64 i) {
    float *rast = a.rast + 4 * i, *db = a.rast_db + 4 * i;
    for (int k = 0; k < 4; ++k) rast[k] = db[k] = 0.0f;
    if (a.triangles[i] == GLRAST_NOTHING) return;
    const double *p = a.planes + GLRAST_PLANES * (int64)a.triangles[i], x = a.points[2 * i], y = a.points[2 * i + 1];
    rast[2] = (float)clamp(value_at(p, 3, x, y), -1.0, 1.0);
    rast[3] = encode_id(a.numbers[i] + 1);
    Shading s;
    if (!shading_at(p, x, y, &s)) return;
    rast[0] = (float)s.u;
    rast[1] = (float)s.v;
    db[0] = (float)s.u_x;  db[1] = (float)s.u_y;
    db[2] = (float)s.v_x;  db[3] = (float)s.v_y;
}

GLRAST_INLINE void fragments_place_element(const FragmentsPlaceArgs& a, int x, int count, Row row) {
    for_each_listed(a, x, count, row, [&](int64 i) { place_fragment(a, i); });
}
GLRAST_KERNEL(fragments_place, FragmentsPlaceArgs)
