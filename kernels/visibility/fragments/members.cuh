// What the argument structs of several kernels share, and how they go over a list.
//
// Most triangles of a fine mesh touch no pixel that is looked at. Kernels that find out which do count triangles over all
// images' meshes; those that are chosen then get numbers of their own, in the same order, and everything else speaks of these.
#pragma once
#include "common.cuh"

// Elements of a list: `count` of them, in rows of `width`; the last row may be longer than what is left.
#define GLRAST_LIST_MEMBERS int width; int H; int64 rows; int64 count;

// Fetch what will be needed soon. A GPU has other threads to run meanwhile.
#ifdef __CUDACC__
GLRAST_INLINE void ask_for(const void*) {}
GLRAST_INLINE int lowest_bit(unsigned bits) { return __ffs((int)bits) - 1; }  // of one that is not 0
#else
GLRAST_INLINE void ask_for(const void* p) { __builtin_prefetch(p); }
GLRAST_INLINE int lowest_bit(unsigned bits) { return __builtin_ctz(bits); }
#endif

// Calls each(i) for those of the `count` elements from x on that are in the list.
template <class Args, class Each>
GLRAST_INLINE void for_each_listed(const Args& a, int x, int count, Row row, Each each) {
    const int64 first = row.index * a.width + x;
    for (int64 i = first; i < first + count && i < a.count; ++i) each(i);
}

// The meshes of all images.
//   pos [V,4] or [N,V,4];  pos_stride: floats from one image's vertices to the next
//   tri [T,3] or [N,T,3]: vertices in one place under one name;  tri_stride: ints from one image's triangles to the next
//   images [N,3]: an image's first triangle, their number, and the place of the first among all images'
#define GLRAST_MESH_MEMBERS \
    const float* pos; int64 pos_stride; const int* tri; int64 tri_stride; const int64* images; int N; int V; int T;

// The image that the thing at place t of all images' belongs to; the place of each image's first is in column 2.
GLRAST_INLINE int64 image_of(const int64* table, int columns, int N, int64 t) {
    int lo = 0, hi = N - 1;
    while (lo < hi) {
        const int middle = (lo + hi + 1) / 2;
        if (table[(int64)middle * columns + 2] <= t) lo = middle;
        else hi = middle - 1;
    }
    return lo;
}

// Squares of the image of 2^shift pixels on a side, [N,down,across] of them.
#define GLRAST_TILE_MEMBERS int shift; int across; int down;

// Pieces of boundaries, each in one crossed pixel, and the chosen triangles that touch it.
//   piece_edge, piece_pixel, piece_ends [.,2]: from fragments_walk
//   edges [K,10], info [K,6]: from fragments_edges and fragments_lines
//   crossed [N,H,W]: number of a crossed pixel;  starts [F+1]: where its triangles begin in triangles, ascending
//   corners [C,3], planes [C,12]: of chosen triangles
//   places [count]: where what an element finds goes; null: it is only counted, in counts [count]
#define GLRAST_PIECE_MEMBERS                                                                     \
    const int* piece_edge; const int64* piece_pixel; const double* piece_ends;                   \
    const double* edges; const int* info;                                                        \
    const int* crossed; const int64* starts; const int* triangles;                               \
    const int* corners; const double* planes;                                                    \
    const int64* places; int* counts;
