// CUDA's words for a C++ compiler: a kernel's text, unchanged, becomes calls of the executor (executor.h).
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "executor.h"

#define __CUDACC__ 1
#ifndef __CUDA_ARCH__
#define __CUDA_ARCH__ 900
#endif
#define __device__
#define __host__
#ifndef __global__
#define __global__
#endif
#define __constant__ const
#define __shared__ static __attribute__((section(SHARED_SECTION)))
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define warpSize 32

struct alignas(8) float2 { float x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct int3 { int x, y, z; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline float2 make_float2(float x, float y) { return float2{x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return float4{x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return int2{x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return int4{x, y, z, w}; }

// ---- numbers ------------------------------------------------------------------------------------------------

template <class To, class From> static inline To same_bits(From from) {
    static_assert(sizeof(To) >= sizeof(From), "");
    To to = {};
    std::memcpy(&to, &from, sizeof from);
    return to;
}
static inline int __float_as_int(float f) { return same_bits<int>(f); }
static inline unsigned __float_as_uint(float f) { return same_bits<unsigned>(f); }
static inline float __int_as_float(int i) { return same_bits<float>(i); }
static inline float __uint_as_float(unsigned i) { return same_bits<float>(i); }
static inline long long __double_as_longlong(double d) { return same_bits<long long>(d); }
static inline double __longlong_as_double(long long l) { return same_bits<double>(l); }
// As the hardware converts: out of range is the nearest, NaN is 0.
static inline int saturated(double v) { return v != v ? 0 : v >= 2147483647.0 ? 2147483647 : v <= -2147483648.0 ? (int)-2147483648ll : (int)v; }
static inline int __float2int_rd(float f) { return saturated(std::floor((double)f)); }
static inline int __float2int_ru(float f) { return saturated(std::ceil((double)f)); }
static inline int __float2int_rn(float f) { return saturated(std::nearbyint((double)f)); }
static inline int __float2int_rz(float f) { return saturated(std::trunc((double)f)); }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __ffs(unsigned v) { return __builtin_ffs((int)v); }
static inline int __ffsll(unsigned long long v) { return __builtin_ffsll((long long)v); }
static inline int __clz(unsigned v) { return v ? __builtin_clz(v) : 32; }
static inline int __clzll(unsigned long long v) { return v ? __builtin_clzll(v) : 64; }
static inline unsigned __brev(unsigned v) {
    unsigned out = 0;
    for (int i = 0; i < 32; ++i) out |= (v >> i & 1u) << (31 - i);
    return out;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)((unsigned __int128)a * b >> 64); }
static inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
static inline float __fmul_rn(float a, float b) { volatile float product = a * b; return product; }  // never fused
static inline float __fadd_rn(float a, float b) { volatile float sum = a + b; return sum; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __fsqrt_rn(float a) { return std::sqrt(a); }
static inline float rsqrtf(float a) { return 1.0f / std::sqrt(a); }
static inline float __saturatef(float a) { return a > 0.0f ? a < 1.0f ? a : 1.0f : 0.0f; }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline long long max(long long a, long long b) { return a > b ? a : b; }
static inline float min(float a, float b) { return std::fmin(a, b); }
static inline float max(float a, float b) { return std::fmax(a, b); }

// ---- memory -------------------------------------------------------------------------------------------------

template <class T> static inline T __ldg(const T* p) { return *p; }
template <class T> static inline T __ldcs(const T* p) { return *p; }
template <class T> static inline T __ldcg(const T* p) { return *p; }
template <class T> static inline void __stcs(T* p, T v) { *p = v; }
template <class T> static inline void __stcg(T* p, T v) { *p = v; }
static inline void __threadfence() { executor::give_way(); }
static inline void __threadfence_block() { executor::give_way(); }
static inline void __nanosleep(unsigned) { executor::give_way(); }
static inline void __prof_trigger(int) {}

// An atomic is one step: nobody comes between its read and its write. Others may come in after it.
#define UNWATCHED __attribute__((noinline, no_sanitize("thread")))
template <class T, class Change> static UNWATCHED T atomically(T* p, Change change) {
    executor::before_atomic(p, sizeof(T), __builtin_return_address(0));
    const T before = *p;
    *p = change(before);
    executor::after_atomic();
    return before;
}
template <class T> struct Same { typedef T type; };
#define ATOMIC(name, expression)                                                                 \
    template <class T> static inline T name(T* p, typename Same<T>::type v) {                    \
        return atomically(p, [v](T old) { (void)old; return (T)(expression); });                 \
    }
ATOMIC(plainAdd, old + v)
ATOMIC(atomicSub, old - v)
ATOMIC(atomicExch, v)
ATOMIC(atomicMin, old < v ? old : v)
ATOMIC(atomicMax, old > v ? old : v)
ATOMIC(atomicAnd, old & v)
ATOMIC(atomicOr, old | v)
ATOMIC(atomicXor, old ^ v)
#undef ATOMIC
static inline float atomicAdd(float* p, float v) { return plainAdd(p, v); }
static inline double atomicAdd(double* p, double v) { return plainAdd(p, v); }
static inline int atomicAdd(int* p, int v) { return plainAdd(p, v); }
static inline unsigned atomicAdd(unsigned* p, unsigned v) { return plainAdd(p, v); }
static inline unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) { return plainAdd(p, v); }
#if __CUDA_ARCH__ >= 900  // each component by itself is one step; the address is aligned
static inline float2 atomicAdd(float2* p, float2 v) { return float2{atomicAdd(&p->x, v.x), atomicAdd(&p->y, v.y)}; }
static inline float4 atomicAdd(float4* p, float4 v) {
    return float4{atomicAdd(&p->x, v.x), atomicAdd(&p->y, v.y), atomicAdd(&p->z, v.z), atomicAdd(&p->w, v.w)};
}
#endif
template <class T> static inline T atomicCAS(T* p, typename Same<T>::type expected, typename Same<T>::type v) {
    return atomically(p, [=](T old) { return old == expected ? v : old; });
}

// ---- exchanges between lanes --------------------------------------------------------------------------------

#define HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define FROM executor::Place{file, line}

template <class T> static inline T shuffled(const char* word, unsigned mask, T v, int source, executor::Place place) {
    const executor::Bits got = executor::exchange({word, executor::kShuffle, mask, same_bits<executor::Bits>(v), source, nullptr}, place);
    T out;
    std::memcpy(&out, &got, sizeof out);
    return out;
}
// Lanes of a group of `width` read from one another; what lies beyond the group is one's own.
template <class T> static inline T __shfl_sync(unsigned mask, T v, int from, int width = 32, HERE) {
    const int lane = executor::lane_number();
    return shuffled("__shfl_sync", mask, v, (lane & ~(width - 1)) | (from & (width - 1)), FROM);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, HERE) {
    const int lane = executor::lane_number(), from = lane - (int)by;
    return shuffled("__shfl_up_sync", mask, v, from >= (lane & ~(width - 1)) ? from : lane, FROM);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, HERE) {
    const int lane = executor::lane_number(), from = lane + (int)by;
    return shuffled("__shfl_down_sync", mask, v, from <= (lane | (width - 1)) ? from : lane, FROM);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T v, int with, int width = 32, HERE) {
    const int lane = executor::lane_number(), from = lane ^ with;
    return shuffled("__shfl_xor_sync", mask, v, from >= 0 && from <= (lane | (width - 1)) ? from : lane, FROM);
}
static inline unsigned exchanged(const char* word, executor::Kind kind, unsigned mask, executor::Bits v, executor::Place place) {
    return (unsigned)executor::exchange({word, kind, mask, v, 0, nullptr}, place);
}
template <class T> static inline unsigned __match_any_sync(unsigned mask, T v, HERE) {
    return exchanged("__match_any_sync", executor::kMatch, mask, same_bits<executor::Bits>(v), FROM);
}
template <class T> static inline unsigned __match_all_sync(unsigned mask, T v, int* alike, HERE) {
    const unsigned found = exchanged("__match_all_sync", executor::kMatchAll, mask, same_bits<executor::Bits>(v), FROM);
    *alike = found != 0;
    return found;
}
static inline unsigned __ballot_sync(unsigned mask, int v, HERE) { return exchanged("__ballot_sync", executor::kBallot, mask, v != 0, FROM); }
static inline int __any_sync(unsigned mask, int v, HERE) { return exchanged("__any_sync", executor::kBallot, mask, v != 0, FROM) != 0; }
static inline int __all_sync(unsigned mask, int v, HERE) { return exchanged("__all_sync", executor::kBallot, mask, v == 0, FROM) == 0; }
static inline void __syncwarp(unsigned mask = 0xffffffffu, HERE) { exchanged("__syncwarp", executor::kSync, mask, 0, FROM); }
#define REDUCE(name, T, expression)                                                                        \
    static inline T name(unsigned mask, T v, HERE) {                                                       \
        auto fold = [](executor::Bits left, executor::Bits right) {                                        \
            const T a = (T)left, b = (T)right;                                                             \
            return (executor::Bits)(expression);                                                           \
        };                                                                                                 \
        return (T)executor::exchange({#name, executor::kReduce, mask, (executor::Bits)v, 0, fold}, FROM);  \
    }
REDUCE(__reduce_add_sync, unsigned, a + b)
REDUCE(__reduce_min_sync, unsigned, a < b ? a : b)
REDUCE(__reduce_max_sync, unsigned, a > b ? a : b)
REDUCE(__reduce_min_sync, int, a < b ? a : b)
REDUCE(__reduce_max_sync, int, a > b ? a : b)
REDUCE(__reduce_and_sync, unsigned, a & b)
REDUCE(__reduce_or_sync, unsigned, a | b)
#undef REDUCE
static inline __attribute__((always_inline)) unsigned __activemask(HERE) { return executor::active_mask(FROM); }
static inline void __syncthreads(HERE) { executor::barrier(0, FROM); }
static inline int __syncthreads_count(int v, HERE) { return (int)executor::barrier(v != 0, FROM); }
static inline int __syncthreads_or(int v, HERE) { return executor::barrier(v != 0, FROM) != 0; }
static inline int __syncthreads_and(int v, HERE) { return executor::barrier(v == 0, FROM) == 0; }

// ---- textures -----------------------------------------------------------------------------------------------

typedef unsigned long long cudaTextureObject_t;
// A texture object is the address of this. Coordinates as the hardware takes them: unnormalised, nearest.
struct TextureArray { int64_t width, height, layers, bytes; const char* data; };
template <class T> static UNWATCHED T tex2DLayered(cudaTextureObject_t object, float s, float t, int layer) {
    const TextureArray& a = *(const TextureArray*)object;
    const int64_t x = (int64_t)std::floor(s), y = (int64_t)std::floor(t);
    T value = {};
    if (sizeof(T) == (size_t)a.bytes && x >= 0 && x < a.width && y >= 0 && y < a.height && layer < a.layers)
        std::memcpy(&value, a.data + ((layer * a.height + y) * a.width + x) * a.bytes, sizeof value);
    return value;
}

// ---- launches -----------------------------------------------------------------------------------------------

namespace executor {
template <class... Arguments, size_t... i>
static __attribute__((no_sanitize("thread"))) void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<i...>) {
    kernel(*(Arguments*)arguments[i]...);
}
template <class... Arguments>
static __attribute__((no_sanitize("thread"))) void call(void (*kernel)(Arguments...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<Arguments...>());
}
}
#define EXECUTE(name)                                                                                       \
    extern "C" const char* execute_##name(const executor::Request* request) {                              \
        return executor::run(#name, [](void** arguments) { executor::call(name, arguments); }, *request);  \
    }
