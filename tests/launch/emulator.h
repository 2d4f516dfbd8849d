// CUDA's words for a C++ compiler: kernels in their CUDA form run on the CPU, one thread of the grid after another.
// A warp is the thread itself, so what its lanes exchange is tested apart (test_warp.py).
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#define __CUDACC__ 1
#define __CUDA_ARCH__ 900
#define __device__
#define __global__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(threads)

struct Dim3 { unsigned x, y, z; };
#ifdef EMULATE_WARP  // test_warp.py: 32 threads at once, which brings its own exchange
static thread_local Dim3 threadIdx;
#else
static Dim3 threadIdx;
#endif
static Dim3 blockIdx;
struct float4 { float x, y, z, w; };
typedef unsigned long long cudaTextureObject_t;

static inline int __float_as_int(float f) { int i; std::memcpy(&i, &f, 4); return i; }
static inline float __int_as_float(int i) { float f; std::memcpy(&f, &i, 4); return f; }
static inline int __float2int_rd(float f) { return (int)std::floor(f); }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __ffs(unsigned v) { return __builtin_ffs((int)v); }
#ifndef EMULATE_WARP
static inline unsigned __activemask() { return 1u << (threadIdx.x & 31); }
static inline unsigned __match_any_sync(unsigned mask, unsigned long long) { return mask; }
static inline bool __any_sync(unsigned, unsigned v) { return v != 0; }
static inline float __shfl_sync(unsigned, float v, int) { return v; }
static inline unsigned __ballot_sync(unsigned mask, bool v) { return v ? mask : 0; }
static inline void atomicAdd(float* p, float v) { *p += v; }
#endif

// A texture object is the address of this. Coordinates as the hardware takes them: unnormalised, nearest.
struct EmulatedArray { int64_t width, height, layers, bytes; const char* data; };
template <class T> static inline T tex2DLayered(cudaTextureObject_t object, float s, float t, int layer) {
    const EmulatedArray& a = *(const EmulatedArray*)object;
    const int64_t x = (int64_t)std::floor(s), y = (int64_t)std::floor(t);
    T value = {};
    if (sizeof(T) == (size_t)a.bytes && x >= 0 && x < a.width && y >= 0 && y < a.height && layer < a.layers)
        std::memcpy(&value, a.data + ((layer * a.height + y) * a.width + x) * a.bytes, sizeof value);
    return value;
}

// Runs blocks begin, begin + step, ...: the order that a GPU does not promise.
#define EMULATE(name, ...)                                                                       \
    extern "C" void emulate_##name(long long blocks, long long reverse, void** args) {           \
        for (long long b = 0; b < blocks; ++b)                                                   \
            for (int t = 0; t < 128; ++t) {                                                      \
                const long long at = reverse ? blocks * 128 - 1 - (b * 128 + t) : b * 128 + t;   \
                blockIdx.x = (unsigned)(at / 128);                                               \
                threadIdx.x = (unsigned)(at % 32);                                               \
                threadIdx.y = (unsigned)(at % 128 / 32);                                         \
                name(__VA_ARGS__);                                                               \
            }                                                                                    \
    }
#define EMULATED_ARGUMENT(i, Type) *(const Type*)args[i]
