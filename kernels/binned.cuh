// GLRAST_BINNED_KERNEL(name, Args): a scatter kernel for gradients too large to copy per thread. The element is
//   template <class Sink> void name_element(const Args& a, const int64 pixel[GLRAST_LANES], int count, Sink& sink)
// and, for each of `count` pixels in turn, calls sink.pixel(pixel) and then, for each texel, sink(texel, weight, y, C):
// grad[texel] += weight y[0..C). Pixels beyond `count` repeat another. Args has `float* grad` [texels, C], `int64 texels`, `int C`.
//   CUDA   one thread per pixel, atomics; the caller zeroes grad.
//   host   texels are cut into blocks that fit a cache. Pixels are listed by the blocks they touch; then each block is
//          owned by one task, which visits its pixels in order. A block that many pixels touch is shared out in segments,
//          each with a copy of that block, summed in order. Lists, blocks and segments follow from the data alone, so the
//          result does not depend on the number of threads. grad is zeroed here.
// Memory on the host: per pixel and block it touches (1 or a little more; at most 8) 4 bytes of list and at most 4 of copies,
// for at most kSlabPixels pixels at once: 2 x 4 x 8 x 4Mi = 256 MiB, whatever the sizes of image, texture and machine.
#pragma once
#include "lanes.cuh"

#ifdef __CUDACC__

#define GLRAST_INLINE_MEMBER __device__ __forceinline__

struct AtomicSink {
    float* grad;
    GLRAST_INLINE_MEMBER void pixel(int64) {}
    GLRAST_INLINE_MEMBER void operator()(int64 texel, float weight, const float* y, int C) {
        float* g = grad + texel * C;
        for (int i = 0; i < C; ++i) GLRAST_ADD(g + i, weight * y[i]);
    }
};

#define GLRAST_BINNED_KERNEL(name, Args) \
    GLRAST_CUDA_SCATTER(name, Args, AtomicSink sink = {a.grad}; const int64 pixel = index * a.width + x; \
                        name##_element(a, &pixel, 1, sink))

#else

#include <memory>
#include <vector>

#define GLRAST_INLINE_MEMBER inline __attribute__((always_inline))

namespace host {

constexpr int64_t kSlabPixels = 1 << 22;
constexpr int64_t kChunkPixels = 1 << 14;   // pixels that one task lists
constexpr int64_t kBlockFloats = 1 << 14;   // 64 KiB: half of a second-level cache's share, with the pixels beside it
constexpr int64_t kMostBlocks = 4096;       // the tables of a slab stay below 4 MiB
constexpr int64_t kSegmentPixels = 1 << 15; // and at least a block's floats: copies never outweigh the lists

// Lists (block, pixel) for every block a pixel touches.
struct ListSink {
    const int shift;
    const int64_t begin;             // the chunk's first pixel
    std::vector<int32_t> block_of, pixel_of;
    int64_t count = 0, first = 0;    // entries in all; the present pixel's first
    int32_t present = 0;

    // Room for the blocks of one more pixel: at most 8, two levels of four texels.
    GLRAST_INLINE_MEMBER void pixel(int64_t pixel) {
        if (count + 8 > (int64_t)block_of.size()) grow();
        present = (int32_t)(pixel - begin);
        first = count;
    }

    void grow() {
        const size_t size = std::max<size_t>(kChunkPixels + kChunkPixels / 8, 2 * block_of.size());
        block_of.resize(size);
        pixel_of.resize(size);
    }

    GLRAST_INLINE_MEMBER void operator()(int64_t texel, float, const float*, int) {
        const int32_t block = (int32_t)(texel >> shift);
        for (int64_t i = first; i < count; ++i) if (block_of[i] == block) return;
        block_of[count] = block;
        pixel_of[count++] = present;
    }
};

// Adds to the texels of one block, texels [begin, begin + size).
struct OwnSink {
    float* block;
    int64_t begin;
    uint64_t size;
    GLRAST_INLINE_MEMBER void pixel(int64_t) {}
    GLRAST_INLINE_MEMBER void operator()(int64_t texel, float weight, const float* y, int C) {
        const uint64_t at = (uint64_t)(texel - begin);
        if (at >= size) return;
        float* __restrict__ g = block + at * C;
        const float* __restrict__ from = y;
        if (C == 3 && at + 1 < size) {  // all three at once; the next texel's first gets 0
            store_unaligned(g, load_unaligned(g) + weight * Floats{from[0], from[1], from[2], 0.0f});
            return;
        }
        for (int i = 0; i < C; ++i) g[i] += weight * from[i];
    }
};

// The pixels of one chunk, sorted by block: those of block b are pixels[start[b] .. start[b+1]), from the chunk's first.
struct Chunk { std::vector<int32_t> pixels, start; };
struct Segment { int64_t block, from, to, copy; };  // chunks [from, to); copy -1: grad itself

template <class Args, class Visit>
void list_chunk(const Args& a, int64_t begin, int64_t end, int shift, int64_t blocks, Visit visit, Chunk* chunk) {
    ListSink sink{shift, begin, {}, {}};
    int64_t pixels[GLRAST_LANES];
    for (int64_t pixel = begin; pixel < end; pixel += GLRAST_LANES) {
        const int count = (int)std::min<int64_t>(GLRAST_LANES, end - pixel);
        for (int l = 0; l < GLRAST_LANES; ++l) pixels[l] = pixel + (l < count ? l : 0);
        visit(a, pixels, count, sink);
    }
    chunk->start.assign(blocks + 1, 0);
    for (int64_t i = 0; i < sink.count; ++i) ++chunk->start[sink.block_of[i] + 1];
    for (int64_t b = 0; b < blocks; ++b) chunk->start[b + 1] += chunk->start[b];
    chunk->pixels.resize(sink.count);
    std::vector<int32_t> next(chunk->start.begin(), chunk->start.end() - 1);
    for (int64_t i = 0; i < sink.count; ++i) chunk->pixels[next[sink.block_of[i]]++] = sink.pixel_of[i];
}

template <class Args, class Visit>
void binned(const Args& a, int threads, Visit visit) {
    const int64_t pixels = a.rows * a.width, C = a.C, texels = a.texels;
    if (texels * C == 0) return;
    int shift = 0;  // texels of a block, as a power of two
    while ((C << (shift + 1)) <= kBlockFloats || (texels >> shift) >= kMostBlocks) ++shift;
    const int64_t per_block = (int64_t)1 << shift, blocks = (texels + per_block - 1) >> shift;
    const int64_t per_segment = std::max(kSegmentPixels, per_block * C);
    if (pixels <= kInlineElements) threads = 1;
    parallel(blocks, threads, [&](int64_t b) {
        std::memset(a.grad + b * per_block * C, 0, std::min(per_block, texels - b * per_block) * C * sizeof(float));
    });
    for (int64_t slab = 0; slab < pixels; slab += kSlabPixels) {
        const int64_t slab_end = std::min(pixels, slab + kSlabPixels);
        std::vector<Chunk> chunks((slab_end - slab + kChunkPixels - 1) / kChunkPixels);
        parallel((int64_t)chunks.size(), threads, [&](int64_t i) {
            const int64_t begin = slab + i * kChunkPixels;
            list_chunk(a, begin, std::min(slab_end, begin + kChunkPixels), shift, blocks, visit, &chunks[i]);
        });
        std::vector<Segment> segments;
        int64_t copies = 0;
        for (int64_t b = 0; b < blocks; ++b) {
            int64_t from = 0, listed = 0;
            bool first = true;
            for (int64_t i = 0; i < (int64_t)chunks.size(); ++i) {
                listed += chunks[i].start[b + 1] - chunks[i].start[b];
                const bool last = i + 1 == (int64_t)chunks.size();
                if (listed < per_segment && !(last && listed)) continue;
                segments.push_back(Segment{b, from, i + 1, first ? -1 : copies++});
                from = i + 1; listed = 0; first = false;
            }
        }
        const std::unique_ptr<float[]> copied(new float[copies * per_block * C]);
        parallel((int64_t)segments.size(), threads, [&](int64_t s) {
            const Segment& segment = segments[s];
            const int64_t b = segment.block, begin = b * per_block;
            float* block = segment.copy < 0 ? a.grad + begin * C : copied.get() + segment.copy * per_block * C;
            if (segment.copy >= 0) std::memset(block, 0, per_block * C * sizeof(float));
            OwnSink sink{block, begin, (uint64_t)std::min(per_block, texels - begin)};
            for (int64_t i = segment.from; i < segment.to; ++i) {
                const Chunk& chunk = chunks[i];
                for (int32_t k = chunk.start[b]; k < chunk.start[b + 1]; k += GLRAST_LANES) {
                    const int count = std::min<int>(GLRAST_LANES, chunk.start[b + 1] - k);
                    int64_t pixels[GLRAST_LANES];
                    for (int l = 0; l < GLRAST_LANES; ++l)
                        pixels[l] = slab + i * kChunkPixels + chunk.pixels[k + (l < count ? l : 0)];
                    visit(a, pixels, count, sink);
                }
            }
        });
        if (!copies) continue;
        parallel(blocks, threads, [&](int64_t b) {
            auto segment = std::lower_bound(segments.begin(), segments.end(), b,
                                            [](const Segment& s, int64_t b) { return s.block < b; });
            const int64_t floats = std::min(per_block, texels - b * per_block) * C;
            for (; segment != segments.end() && segment->block == b; ++segment) {
                if (segment->copy < 0) continue;
                const float* from = copied.get() + segment->copy * per_block * C;
                float* to = a.grad + b * per_block * C;
                for (int64_t i = 0; i < floats; ++i) to[i] += from[i];
            }
        });
    }
}

}  // namespace host

#define GLRAST_BINNED_KERNEL(name, Args)                                                          \
    extern "C" int64 name##_sizeof() { return sizeof(Args); }                                     \
    extern "C" void name(const Args* args, int threads) {                                         \
        host::binned(*args, threads, [](const Args& a, const int64* pixel, int count, auto& sink) {           \
            name##_element(a, pixel, count, sink);                                                \
        });                                                                                       \
    }

#endif
