// How the host runs a binned kernel: lists of pixels for each block of texels, then each block by one task. Only the host
// compiler reads this.
#pragma once
#include "binned_sinks.h"

namespace host {

constexpr int64_t kSlabPixels = 1 << 22;
constexpr int64_t kBlockFloats = 1 << 16;   // 256 KiB: a part of a second-level cache
constexpr int64_t kMostBlocks = 4096;       // the tables of a slab stay below 4 MiB
constexpr int64_t kSegmentGroups = 1 << 13; // and at least a block's floats: copies never outweigh the lists

// Visits all pixels in [begin, end).
template <class Args, class Visit, class Sink>
void visit_all(const Args& a, int64_t begin, int64_t end, Visit visit, Sink& sink) {
    Groups groups;
    groups.end = end;
    for (int64_t pixel = begin; pixel < end;) {
        for (groups.count = 0; groups.count < GLRAST_GROUPS && pixel < end; pixel += GLRAST_LANES) {
            groups.lanes[groups.count] = kAllVisits;
            groups.pixel[groups.count++] = pixel;
        }
        visit(a, groups, sink);
    }
}

// The groups of one chunk and their lanes, sorted by block: those of block b are groups[start[b] .. start[b+1]).
struct Chunk { std::vector<int32_t> groups, start; };
struct Segment { int64_t block, from, to, copy; };  // chunks [from, to); copy -1: the first of its block

template <class Args, class Visit>
void list_chunk(const Args& a, int64_t begin, int64_t end, ListSink sink, int64_t blocks, Visit visit, Chunk* chunk) {
    visit_all(a, begin, end, visit, sink);
    sink.end_group();
    chunk->start.assign(blocks + 1, 0);
    for (int64_t i = 0; i < sink.count; ++i) ++chunk->start[sink.block_of[i] + 1];
    for (int64_t b = 0; b < blocks; ++b) chunk->start[b + 1] += chunk->start[b];
    chunk->groups.resize(sink.count);
    std::vector<int32_t> next(chunk->start.begin(), chunk->start.end() - 1);
    for (int64_t i = 0; i < sink.count; ++i) chunk->groups[next[sink.block_of[i]]++] = sink.group_of[i];
}

// Each block's chunks in segments of at least `least` groups, and the number of copies they need. With `all` a block that
// nobody touches has one too.
inline std::vector<Segment> cut_segments(const std::vector<Chunk>& chunks, int64_t blocks, int64_t least, bool all, int64_t* copies) {
    std::vector<Segment> segments;
    *copies = 0;
    for (int64_t b = 0; b < blocks; ++b) {
        int64_t from = 0, listed = 0;
        bool first = true;
        for (int64_t i = 0; i < (int64_t)chunks.size(); ++i) {
            listed += chunks[i].start[b + 1] - chunks[i].start[b];
            const bool last = i + 1 == (int64_t)chunks.size();
            if (listed < least && !(last && (listed || (first && all)))) continue;
            segments.push_back(Segment{b, from, i + 1, first ? -1 : (*copies)++});
            from = i + 1; listed = 0; first = false;
        }
    }
    return segments;
}

// grad = or += a task's own block.
inline void give_block(float* grad, const float* block, int64_t texels, int64_t C, bool add) {
    const int64_t step = padded(C);
    if (step == C) {
        if (add) for (int64_t i = 0; i < texels * C; ++i) grad[i] += block[i];
        else std::memcpy(grad, block, texels * C * sizeof(float));
    } else if (add) {
        for (int64_t i = 0; i < texels; ++i) for (int64_t c = 0; c < 3; ++c) grad[3 * i + c] += block[4 * i + c];
    } else {
        for (int64_t i = 0; i < texels; ++i) std::memcpy(grad + 3 * i, block + 4 * i, 3 * sizeof(float));
    }
}

template <class Args, class Visit>
void binned(const Args& a, int threads, Visit visit) {
    const int64_t pixels = a.rows * a.width, C = a.C, texels = a.texels, step = padded(C);
    if (pixels <= kInlineWork) threads = 1;
    if (!a.grad || texels * C == 0) {
        parallel((pixels + kChunkPixels - 1) / kChunkPixels, threads, [&](int64_t i) {
            PixelSink sink;
            visit_all(a, i * kChunkPixels, std::min(pixels, (i + 1) * kChunkPixels), visit, sink);
        });
        return;
    }
    int shift = 0;  // texels of a block, as a power of two
    while ((step << (shift + 1)) <= kBlockFloats || (texels >> shift) >= kMostBlocks) ++shift;
    const int64_t per_block = std::min((int64_t)1 << shift, texels), blocks = (texels + per_block - 1) / per_block;
    const std::unique_ptr<float[]> kept(new float[std::min(pixels, kSlabPixels)]);
    for (int64_t slab = 0; slab < pixels; slab += kSlabPixels) {
        const int64_t slab_end = std::min(pixels, slab + kSlabPixels);
        std::vector<Chunk> chunks((slab_end - slab + kChunkPixels - 1) / kChunkPixels);
        parallel((int64_t)chunks.size(), threads, [&](int64_t i) {
            const int64_t begin = slab + i * kChunkPixels;
            list_chunk(a, begin, std::min(slab_end, begin + kChunkPixels), ListSink{shift, kept.get(), slab, {}, {}}, blocks, visit, &chunks[i]);
        });
        int64_t copies = 0;
        const auto segments = cut_segments(chunks, blocks, std::max(kSegmentGroups, per_block * step), slab == 0, &copies);
        const std::unique_ptr<float[]> copied(new float[copies * per_block * step]);
        parallel((int64_t)segments.size(), threads, [&](int64_t s) {
            const Segment& segment = segments[s];
            const int64_t b = segment.block, begin = b * per_block, size = std::min(per_block, texels - begin);
            const bool in_place = segment.copy < 0 && step == C;
            static thread_local std::vector<float> own;
            if (segment.copy < 0 && !in_place) own.resize(std::max<size_t>(own.size(), per_block * step));
            float* block = in_place ? a.grad + begin * C : segment.copy < 0 ? own.data() : copied.get() + segment.copy * per_block * step;
            if (!in_place || slab == 0) std::memset(block, 0, size * step * sizeof(float));
            Groups groups;
            groups.end = slab_end;
            OwnSink sink{block, begin, (uint64_t)size, &groups, kept.get(), slab};
            for (int64_t i = segment.from; i < segment.to; ++i) {
                const Chunk& chunk = chunks[i];
                const int64_t first = slab + i * kChunkPixels;
                for (int32_t k = chunk.start[b]; k < chunk.start[b + 1];) {
                    for (groups.count = 0; groups.count < GLRAST_GROUPS && k < chunk.start[b + 1]; ++k) {
                        groups.lanes[groups.count] = chunk.groups[k];
                        groups.pixel[groups.count++] = first + (int64_t)(chunk.groups[k] >> kGroupShift) * GLRAST_LANES;
                    }
                    visit(a, groups, sink);
                }
            }
            if (segment.copy < 0 && !in_place) give_block(a.grad + begin * C, block, size, C, slab > 0);
        });
        if (!copies) continue;
        parallel(blocks, threads, [&](int64_t b) {
            auto segment = std::lower_bound(segments.begin(), segments.end(), b,
                                            [](const Segment& s, int64_t b) { return s.block < b; });
            const int64_t begin = b * per_block, size = std::min(per_block, texels - begin);
            for (; segment != segments.end() && segment->block == b; ++segment)
                if (segment->copy >= 0) give_block(a.grad + begin * C, copied.get() + segment->copy * per_block * step, size, C, true);
        });
    }
}

}  // namespace host

#define GLRAST_BINNED(name, Args)                                                                        \
    extern "C" int64 name##_sizeof() { return sizeof(Args); }                                                   \
    extern "C" void name(const Args* args, int threads) {                                                       \
        host::binned(*args, threads, [](const Args& a, const Groups& groups, auto& sink) {                      \
            name##_element(a, groups, sink);                                                                    \
        });                                                                                                     \
    }
