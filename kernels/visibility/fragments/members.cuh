// What the argument structs of several kernels share, and how they go over a list.
#pragma once
#include "common.cuh"

// Elements of a list: `count` of them, in rows of `width`; the last row may be longer than what is left.
#define GLRAST_LIST_MEMBERS int width; int H; int64 rows; int64 count;

// Calls each(i) for those of the `count` elements from x on that are in the list.
template <class Args, class Each>
GLRAST_INLINE void for_each_listed(const Args& a, int x, int count, Row row, Each each) {
    const int64 first = row.index * a.width + x;
    for (int64 i = first; i < first + count && i < a.count; ++i) each(i);
}

// The meshes of all images.
//   pos [V,4] or [N,V,4];  pos_stride: floats from one image's vertices to the next
//   tri [T,3] or [N,T,3];  tri_stride: ints from one image's triangles to the next
//   images [N,3]: an image's first triangle, their number, and the place of the first among all images'
#define GLRAST_MESH_MEMBERS \
    const float* pos; int64 pos_stride; const int* tri; int64 tri_stride; const int64* images;

// Pieces of boundaries, each in one crossed pixel, and the triangles that touch it.
//   piece_edge, piece_pixel, piece_ends [.,2]: from fragments_walk
//   edges [K,10], info [K,6]: from fragments_edges and fragments_lines
//   crossed [N,H,W]: number of a crossed pixel;  starts [F+1]: where its triangles begin in triangles, ascending
//   tri, tri_stride, images: as above;  planes [M,12]
//   places [count]: where what an element finds goes; null: it is only counted, in counts [count]
#define GLRAST_PIECE_MEMBERS                                                                     \
    const int* piece_edge; const int64* piece_pixel; const double* piece_ends;                   \
    const double* edges; const int* info;                                                        \
    const int* crossed; const int64* starts; const int* triangles;                               \
    const int* tri; int64 tri_stride; const int64* images; const double* planes;                 \
    const int64* places; int* counts;
