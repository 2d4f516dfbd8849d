// Four numbers that share their arithmetic: on the CPU one register, on a GPU four. For what a triangle has four of: three
// weights and z/w.
#pragma once
#include "common.cuh"

#ifdef __CUDACC__

struct Doubles4 { double v[4]; };
GLRAST_INLINE Doubles4 four(double a, double b, double c, double d) { return Doubles4{{a, b, c, d}}; }
GLRAST_INLINE Doubles4 load_four(const double* p) { return four(p[0], p[1], p[2], p[3]); }
GLRAST_INLINE double get(Doubles4 a, int k) { return a.v[k]; }
GLRAST_INLINE Doubles4 operator+(Doubles4 a, Doubles4 b) { return four(a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3]); }
GLRAST_INLINE Doubles4 operator*(Doubles4 a, Doubles4 b) { return four(a.v[0] * b.v[0], a.v[1] * b.v[1], a.v[2] * b.v[2], a.v[3] * b.v[3]); }
GLRAST_INLINE Doubles4 operator*(Doubles4 a, double b) { return a * four(b, b, b, b); }
GLRAST_INLINE Doubles4 larger(Doubles4 a, Doubles4 b) {
    return four(a.v[0] > b.v[0] ? a.v[0] : b.v[0], a.v[1] > b.v[1] ? a.v[1] : b.v[1], a.v[2] > b.v[2] ? a.v[2] : b.v[2],
                a.v[3] > b.v[3] ? a.v[3] : b.v[3]);
}
GLRAST_INLINE Doubles4 magnitude(Doubles4 a) { return four(fabs(a.v[0]), fabs(a.v[1]), fabs(a.v[2]), fabs(a.v[3])); }
GLRAST_INLINE bool any_negative(Doubles4 a) { return a.v[0] < 0.0 || a.v[1] < 0.0 || a.v[2] < 0.0 || a.v[3] < 0.0; }
GLRAST_INLINE bool all_below(Doubles4 a, double most) { return a.v[0] < most && a.v[1] < most && a.v[2] < most && a.v[3] < most; }
// To x, y and w of a row of a gradient; the third of the four is 0.
GLRAST_INLINE void add_four(float* p, Doubles4 a) { add_row<false>(p, (float)a.v[0], (float)a.v[1], 0.0f, (float)a.v[3]); }

#else

typedef double Doubles4 __attribute__((vector_size(32)));
typedef int64_t FourBits __attribute__((vector_size(32)));
GLRAST_INLINE Doubles4 four(double a, double b, double c, double d) { return Doubles4{a, b, c, d}; }
GLRAST_INLINE Doubles4 load_four(const double* p) {
    Doubles4 out;
    std::memcpy(&out, p, sizeof out);
    return out;
}
GLRAST_INLINE double get(Doubles4 a, int k) { return a[k]; }
GLRAST_INLINE Doubles4 larger(Doubles4 a, Doubles4 b) { return a > b ? a : b; }
GLRAST_INLINE Doubles4 magnitude(Doubles4 a) { return (Doubles4)((FourBits)a & INT64_MAX); }
GLRAST_INLINE bool any_negative(Doubles4 a) {  // by their signs
    const FourBits bits = (FourBits)a;
    return (bits[0] | bits[1] | bits[2] | bits[3]) < 0;
}
GLRAST_INLINE bool all_below(Doubles4 a, double most) {
    const FourBits below = a < four(most, most, most, most);
    return (below[0] & below[1] & below[2] & below[3]) != 0;
}
typedef float FourFloats __attribute__((vector_size(16)));
GLRAST_INLINE void add_four(float* p, Doubles4 a) {
    FourFloats sum;
    std::memcpy(&sum, p, sizeof sum);
    sum += __builtin_convertvector(a, FourFloats);
    std::memcpy(p, &sum, sizeof sum);
}

#endif
