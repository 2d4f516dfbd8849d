// GLRAST_BINNED(name, Args): a scatter kernel for gradients too large to copy per thread. The element is
//   template <class Sink> void name_element(const Args& a, const Groups& groups, Sink& sink)
// for some groups of up to GLRAST_LANES pixels. A visit is for the values that belong to pixels (Sink::gradients), or for
// adding to texels (Sink::adds), or both. It calls sink.group(i) before group i and sink.pixel(lane, second) before each pixel's first
// and second visit (a kernel may have one alone), and then
//   if (sink.takes_texels())  for each texel: float* to = sink.place(texel, C); add there if Sink::adds and to is not null.
// sink.place_four does it for four texels; true: to all four. Where an int counts the texels, a group's first or second visit
// may go at once: sink.visit(second), then sink.place_lanes, or where Sink::adds place_four for each lane.
// The own pass sees only lanes for which place was called. sink.keeps(pixel): a float of each pixel that the visit for pixels
// writes and the one that only adds reads; or null.
// Args has `float* grad` [texels, C] or null, `int64 texels`, `int C`.
//   CUDA   one thread per pixel, one visit, atomics; the caller zeroes grad.
//   host   texels are cut into blocks that fit a cache. The first visit lists the groups of pixels by the blocks they touch;
//          then each block is owned by one task, which visits its groups in order. A block that many pixels touch is shared
//          out in segments, each with a copy of that block, summed in order. Lists, blocks and segments follow from the
//          data alone, so the result does not depend on the number of threads. grad is zeroed here.
// Memory on the host: for a group of 4 pixels and a block it touches (1 or a little more; at most 32) 4 bytes of list, as much
// while it is sorted, and at most 4 of copies; and 4 bytes for each pixel; for at most kSlabPixels pixels at once. The worst:
// (3 x 4 x 8 + 4) x 4Mi = 400 MiB.
#pragma once
#include "lanes.cuh"

struct Groups {
    int64 pixel[GLRAST_GROUPS];  // the first of each, counted over all images
    int lanes[GLRAST_GROUPS];    // bits: whose first visits are asked for, and above them whose second
    int count;
    int64 end;                   // pixels from here on do not exist
};

constexpr int kAllLanes = (1 << GLRAST_LANES) - 1, kAllVisits = (1 << 2 * GLRAST_LANES) - 1;

#ifdef __CUDACC__

#define GLRAST_INLINE_MEMBER __device__ __forceinline__

struct AtomicSink {
    static constexpr bool gradients = true, adds = true;
    float* grad;
    GLRAST_INLINE_MEMBER float* keeps(int64) const { return nullptr; }
    GLRAST_INLINE_MEMBER void group(int) {}
    GLRAST_INLINE_MEMBER void visit(bool) {}
    GLRAST_INLINE_MEMBER void pixel(int, bool) {}
    GLRAST_INLINE_MEMBER bool takes_texels() const { return grad; }
    GLRAST_INLINE_MEMBER void place_lanes(Ints, Ints, Ints, int, bool) {}
    GLRAST_INLINE_MEMBER float* place(int64 texel, int C) { return grad + texel * C; }
    GLRAST_INLINE_MEMBER bool place_four(int64 texel, const int64 at[4], int C, float* to[4]) {
        for (int k = 0; k < 4; ++k) to[k] = place(texel + at[k], C);
        return true;
    }
    GLRAST_INLINE_MEMBER int room(int channels, bool) { return channels; }
};

GLRAST_INLINE Groups one_pixel(int64 pixel) { return Groups{{pixel}, {kAllVisits}, 1, pixel + 1}; }

#define GLRAST_BINNED(name, Args) \
    GLRAST_CUDA_SCATTER(name, Args, AtomicSink sink = {a.grad}; \
                        const Groups groups = one_pixel(index * a.width + x); \
                        name##_element(a, groups, sink))

#else

#include <memory>
#include <vector>

#define GLRAST_INLINE_MEMBER inline __attribute__((always_inline))

namespace host {

constexpr int64_t kSlabPixels = 1 << 22;
constexpr int64_t kChunkPixels = 1 << 14;   // pixels that one task lists
constexpr int64_t kBlockFloats = 1 << 16;   // 256 KiB: a part of a second-level cache
constexpr int64_t kMostBlocks = 4096;       // the tables of a slab stay below 4 MiB
constexpr int64_t kSegmentGroups = 1 << 13; // and at least a block's floats: copies never outweigh the lists

// Three channels lie four apart in a task's own block: one register, and no load waits for part of an earlier store.
constexpr int64_t padded(int64_t C) { return C == 3 ? 4 : C; }

// For pixels alone.
struct PixelSink {
    static constexpr bool gradients = true, adds = false;
    GLRAST_INLINE_MEMBER float* keeps(int64_t) const { return nullptr; }
    GLRAST_INLINE_MEMBER void group(int) {}
    GLRAST_INLINE_MEMBER void visit(bool) {}
    GLRAST_INLINE_MEMBER void pixel(int, bool) {}
    GLRAST_INLINE_MEMBER bool takes_texels() const { return false; }
    GLRAST_INLINE_MEMBER void place_lanes(Ints, Ints, Ints, int, bool) {}
    GLRAST_INLINE_MEMBER float* place(int64_t, int) { return nullptr; }
    GLRAST_INLINE_MEMBER bool place_four(int64_t, const int64_t*, int, float**) { return false; }
    GLRAST_INLINE_MEMBER int room(int channels, bool) { return channels; }
};

// An entry of the lists: group, whether all that its first (second) visits touch is in this block, lanes as in Groups.
constexpr int kWhole = kAllVisits + 1, kGroupShift = 2 * GLRAST_LANES + 2;

// Lists (block, group and lanes) for every block a group of pixels touches.
struct ListSink {
    static constexpr bool gradients = true, adds = false;
    const int shift;
    float* const kept;               // a float for each pixel of the slab, whose first is:
    const int64_t slab;
    std::vector<int32_t> block_of, group_of;
    bool scattered = false;          // place was called, so that kWhole is still to be found out
    int32_t* bits = nullptr;         // the present group's entry for the block listed last
    int64_t count = 0, first = 0;    // entries in all; the present group's first
    int32_t next = 0, present = 0, lane = 0;
    int64_t last = -1, last_begin = INT64_MIN;  // the block listed last, and its first texel; none: beyond any reach

    GLRAST_INLINE_MEMBER float* keeps(int64_t pixel) const { return kept + (pixel - slab); }
    GLRAST_INLINE_MEMBER void group(int) {
        if (scattered) end_group();
        if (count + 8 * GLRAST_LANES > (int64_t)block_of.size()) grow();
        present = next++ << kGroupShift;
        first = count;
        last = -1;
        last_begin = INT64_MIN;
    }

    void end_group() {
        for (int second = 0; second < 2; ++second) {
            const int lanes = kAllLanes << second * GLRAST_LANES;
            int32_t* found = nullptr;
            bool alone = true;
            for (int64_t i = first; i < count; ++i) if (group_of[i] & lanes) { alone = !found; found = &group_of[i]; }
            if (found && alone) *found |= kWhole << second;
        }
        scattered = false;
    }

    // Room for the blocks of at least one more group: two levels of four texels for each pixel.
    void grow() {
        const size_t size = std::max<size_t>(kChunkPixels / 2, 2 * block_of.size());
        block_of.resize(size);
        group_of.resize(size);
    }

    GLRAST_INLINE_MEMBER void visit(bool) {}
    GLRAST_INLINE_MEMBER void pixel(int l, bool second) { lane = 1 << l << (second ? GLRAST_LANES : 0); }
    GLRAST_INLINE_MEMBER bool takes_texels() const { return true; }
    GLRAST_INLINE_MEMBER int room(int channels, bool) { return channels; }
    GLRAST_INLINE_MEMBER float* place(int64_t texel, int) {
        scattered = true;
        touch(texel);
        return nullptr;
    }
    GLRAST_INLINE_MEMBER bool place_four(int64_t texel, const int64_t at[4], int, float**) {
        scattered = true;
        const uint64_t from = (uint64_t)texel - (uint64_t)last_begin;
        if (((from + at[0]) | (from + at[1]) | (from + at[2]) | (from + at[3])) >> shift)
            for (int k = 0; k < 4; ++k) touch(texel + at[k]);
        else *bits |= lane;
        return false;
    }

    // Mostly one block has the texels of all lanes: the block of the first.
    GLRAST_INLINE_MEMBER void place_lanes(Ints first, Ints right, Ints up, int lanes, bool second) {
        if (!lanes) return;
        const int64_t block = first[__builtin_ctz(lanes)] >> shift;
        if (block != last) list(block);
        const Ints from = first - (int)last_begin, above = from + up;
        const int inside = lane_bits((from | (from + right) | above | (above + right)) >> shift == 0) & lanes;
        const int place = second ? GLRAST_LANES : 0;
        *bits |= inside << place;
        if (inside == lanes) { *bits |= kWhole << second; return; }
        for (int l = 0; l < GLRAST_LANES; ++l) {
            if (!((lanes & ~inside) >> l & 1)) continue;
            pixel(l, second);
            for (int64_t k = 0; k < 4; ++k) touch((int64_t)first[l] + (k & 1 ? right[l] : 0) + (k & 2 ? up[l] : 0));
        }
    }

    GLRAST_INLINE_MEMBER void touch(int64_t texel) {
        const int64_t block = texel >> shift;
        if (block != last) list(block);
        *bits |= lane;
    }

    void list(int64_t block) {
        last = block;
        last_begin = block << shift;
        int64_t i = first;
        while (i < count && block_of[i] != block) ++i;
        bits = &group_of[i];
        if (i < count) return;
        block_of[count] = (int32_t)block;
        group_of[count++] = present;
    }
};

// Adds to the texels of one block, texels [begin, begin + size).
struct OwnSink {
    static constexpr bool gradients = false, adds = true;
    float* block;
    int64_t begin;
    uint64_t size;
    const Groups* groups;
    float* kept;         // by the visit that listed; as there
    int64_t slab;
    bool wholes[2] = {}, whole = false;   // all that the present group's visits touch is in the block
    GLRAST_INLINE_MEMBER float* keeps(int64_t pixel) const { return kept + (pixel - slab); }
    GLRAST_INLINE_MEMBER void group(int i) {
        wholes[0] = groups->lanes[i] & kWhole;
        wholes[1] = groups->lanes[i] & 2 * kWhole;
    }
    GLRAST_INLINE_MEMBER void visit(bool second) { whole = wholes[second]; }
    GLRAST_INLINE_MEMBER void pixel(int, bool second) { visit(second); }
    GLRAST_INLINE_MEMBER void place_lanes(Ints, Ints, Ints, int, bool) {}
    GLRAST_INLINE_MEMBER bool takes_texels() const { return true; }
    GLRAST_INLINE_MEMBER int room(int channels, bool roomy) { return roomy ? GLRAST_LANES : channels; }
    GLRAST_INLINE_MEMBER float* place(int64_t texel, int C) {
        const uint64_t at = (uint64_t)(texel - begin);
        return at < size ? block + at * padded(C) : nullptr;
    }
    GLRAST_INLINE_MEMBER bool place_four(int64_t texel, const int64_t at[4], int C, float* to[4]) {
        if (whole) {
            float* p = block + (texel - begin) * padded(C);
            for (int k = 0; k < 4; ++k) to[k] = p + at[k] * padded(C);
            return true;
        }
        for (int k = 0; k < 4; ++k) to[k] = place(texel + at[k], C);
        return to[0] && to[1] && to[2] && to[3];
    }
};

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

#endif
