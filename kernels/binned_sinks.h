// What a visit of a binned kernel finds on the host: binned.cuh has the words. Only the host compiler reads this.
#pragma once
#include "binned.cuh"

#include <memory>
#include <vector>

namespace host {

constexpr int64_t kChunkPixels = 1 << 14;   // pixels that one task lists

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

}  // namespace host
