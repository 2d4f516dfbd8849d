// Four numbers that share their arithmetic: on the CPU one register, on a GPU four. For what a triangle has four of: three
// weights and z/w.
#pragma once
#include "common.cuh"

#ifdef __CUDACC__

struct Four { double v[4]; };
GLRAST_INLINE Four four(double a, double b, double c, double d) { return Four{{a, b, c, d}}; }
GLRAST_INLINE Four load_four(const double* p) { return four(p[0], p[1], p[2], p[3]); }
GLRAST_INLINE double get(Four a, int k) { return a.v[k]; }
GLRAST_INLINE Four operator+(Four a, Four b) { return four(a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3]); }
GLRAST_INLINE Four operator*(Four a, Four b) { return four(a.v[0] * b.v[0], a.v[1] * b.v[1], a.v[2] * b.v[2], a.v[3] * b.v[3]); }
GLRAST_INLINE Four operator*(Four a, double b) { return a * four(b, b, b, b); }
GLRAST_INLINE Four larger(Four a, Four b) {
    return four(a.v[0] > b.v[0] ? a.v[0] : b.v[0], a.v[1] > b.v[1] ? a.v[1] : b.v[1], a.v[2] > b.v[2] ? a.v[2] : b.v[2],
                a.v[3] > b.v[3] ? a.v[3] : b.v[3]);
}
GLRAST_INLINE Four magnitude(Four a) { return four(fabs(a.v[0]), fabs(a.v[1]), fabs(a.v[2]), fabs(a.v[3])); }
GLRAST_INLINE bool any_negative(Four a) { return a.v[0] < 0.0 || a.v[1] < 0.0 || a.v[2] < 0.0 || a.v[3] < 0.0; }
GLRAST_INLINE bool all_below(Four a, double most) { return a.v[0] < most && a.v[1] < most && a.v[2] < most && a.v[3] < most; }
// To x, y and w of a row of a gradient; the third of the four is 0.
GLRAST_INLINE void add_four(float* p, Four a) { add_row<false>(p, (float)a.v[0], (float)a.v[1], 0.0f, (float)a.v[3]); }

#else

typedef double Four __attribute__((vector_size(32)));
typedef int64_t FourBits __attribute__((vector_size(32)));
GLRAST_INLINE Four four(double a, double b, double c, double d) { return Four{a, b, c, d}; }
GLRAST_INLINE Four load_four(const double* p) {
    Four out;
    std::memcpy(&out, p, sizeof out);
    return out;
}
GLRAST_INLINE double get(Four a, int k) { return a[k]; }
GLRAST_INLINE Four larger(Four a, Four b) { return a > b ? a : b; }
GLRAST_INLINE Four magnitude(Four a) { return (Four)((FourBits)a & INT64_MAX); }
GLRAST_INLINE bool any_negative(Four a) {  // by their signs
    const FourBits bits = (FourBits)a;
    return (bits[0] | bits[1] | bits[2] | bits[3]) < 0;
}
GLRAST_INLINE bool all_below(Four a, double most) {
    const FourBits below = a < four(most, most, most, most);
    return (below[0] & below[1] & below[2] & below[3]) != 0;
}
typedef float FourFloats __attribute__((vector_size(16)));
GLRAST_INLINE void add_four(float* p, Four a) {
    FourFloats sum;
    std::memcpy(&sum, p, sizeof sum);
    sum += __builtin_convertvector(a, FourFloats);
    std::memcpy(p, &sum, sizeof sum);
}

#endif
