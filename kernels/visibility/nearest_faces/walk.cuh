// The K nearest faces of every pixel, of those that its tile lists.
#pragma once
#include "visibility/nearest_faces/look.cuh"

struct NearestFacesWalkArgs {
    int width;              // W
    int H;
    int64 rows;             // N*H
    GLRAST_LOOK_MEMBERS
    double reach;
    const int64* images;    // [N,3]
    const double* faces;    // [M,GLRAST_FACE]
    const int64* starts;    // [tiles+1]: where a tile's faces begin in listed
    const int64* listed;    // entry_of all images' faces, ascending in each tile
    const int* other;       // [T]: the other half of a face that was cut in two, or -1: the nearer of both counts; or null
    int front;              // faces left out: 1: where sum b <= 0, behind the camera; 2: where z < 0; 0: none
    int K;
    int* id;                // [N,H,W,K]: index into tri
    float* z;               // [N,H,W,K]
    static constexpr int work = 64;
};

// A pixel's list: ids and depths of the `filled` nearest so far.
struct List { int* id; float* z; int filled; };

// By depth, then by id; what is beyond the K nearest is forgotten.
GLRAST_INLINE void insert(List* list, int K, int id, float z) {
    int at = list->filled;
    if (at == K) {
        if (z > list->z[K - 1] || (z == list->z[K - 1] && id > list->id[K - 1])) return;
        --at;
    } else {
        ++list->filled;
    }
    for (; at > 0 && (list->z[at - 1] > z || (list->z[at - 1] == z && list->id[at - 1] > id)); --at) {
        list->z[at] = list->z[at - 1];
        list->id[at] = list->id[at - 1];
    }
    list->z[at] = z;
    list->id[at] = id;
}

// Where the other half of face `id` is in the list, or -1.
GLRAST_INLINE int find_other(const NearestFacesWalkArgs& a, const List& list, int id) {
    if (!a.other || a.other[id] < 0) return -1;
    for (int k = 0; k < list.filled; ++k) if (list.id[k] == a.other[id]) return k;
    return -1;
}

// The other half of the face is in the list at `half`: is this one nearer? Where they meet both are as near, and the one that
// the pixel is inside of counts.
GLRAST_INLINE bool is_nearer(const NearestFacesWalkArgs& a, const int64* image, const List& list, int half, ScreenPoint s, double distance2, bool inside) {
    const double* f = a.faces + GLRAST_FACE * (image[2] + (list.id[half] - image[0]));
    double e[3];
    distances_at(f, s, e);
    const bool has_it = covers(f, e, a.strict);
    const double theirs = outline_distance2(f, s, e, has_it, a.width, a.H), same = 1e-9 * (1.0 + theirs);
    return distance2 < theirs - same || (inside && !has_it && distance2 < theirs + same);
}

// K faces are found that are as near as this one can be, `least` its nearest depth? Of equal depths the later id counts for
// less, and ids ascend. Weights that are not clipped can be nearer than the face; halves of a face compare distances.
GLRAST_INLINE bool is_behind(const NearestFacesWalkArgs& a, const List& list, double least) {
    return list.filled == a.K && !a.other && (a.clip || a.reach == 0.0) && least >= list.z[a.K - 1];
}

// A face at a pixel, e the distances inside its edges, none of them below -reach.
GLRAST_INLINE void try_face(const NearestFacesWalkArgs& a, const int64* image, int64 face, ScreenPoint s, const double e[3], List* list) {
    const double* f = a.faces + GLRAST_FACE * face;
    if (is_behind(a, *list, f[kLeast])) return;
    const bool inside = covers(f, e, a.strict);
    if (!inside && !(outline_distance2(f, s, e, false, a.width, a.H) < a.reach * a.reach)) return;
    const Weights w = weights_of(f, s, e, inside, a.width, a.H, a.perspective, a.clip);
    const float z = (float)w.z;
    if (!is_finite(z) || (a.front == 1 && !(w.sum > 0.0)) || (a.front == 2 && z < 0.0f)) return;
    const int id = (int)(image[0] + (face - image[2])), half = find_other(a, *list, id);
    if (half >= 0) {
        if (!is_nearer(a, image, *list, half, s, outline_distance2(f, s, e, inside, a.width, a.H), inside)) return;
        for (int k = half; k + 1 < list->filled; ++k) { list->id[k] = list->id[k + 1]; list->z[k] = list->z[k + 1]; }
        --list->filled;
    }
    insert(list, a.K, id, z);
}

#ifdef __CUDACC__
#define GLRAST_TOGETHER 1
#else
#define GLRAST_TOGETHER GLRAST_TILE
#endif

// A face at `count` pixels of a row: the distances of all that its box holds at once.
GLRAST_INLINE void try_row(const NearestFacesWalkArgs& a, const int64* image, int64 face, int x, int count, double y, List* lists) {
    const double *f = a.faces + GLRAST_FACE * face, *box = f + kBox;
    if (y < box[2] || y > box[3]) return;
    int from = 0, to = count;
    if (x + 0.5 < box[0]) from = (int)minimum(ceil(box[0] - 0.5) - x, count);
    if (x + count - 0.5 > box[1]) to = (int)maximum(floor(box[1] - 0.5) + 1 - x, from);
    double e[3][GLRAST_TOGETHER], inner[GLRAST_TOGETHER];
    for (int i = from; i < to; ++i) {
        const double at = x + i + 0.5;
        e[0][i] = f[0] * at + f[1] * y + f[2];
        e[1][i] = f[3] * at + f[4] * y + f[5];
        e[2][i] = f[6] * at + f[7] * y + f[8];
        const double low = e[0][i] < e[1][i] ? e[0][i] : e[1][i];
        inner[i] = low < e[2][i] ? low : e[2][i];
    }
    for (int i = from; i < to; ++i) {
        if (inner[i] < -a.reach) continue;
        const ScreenPoint s = {x + i + 0.5, y};
        const double own[3] = {e[0][i], e[1][i], e[2][i]};
        try_face(a, image, face, s, own, &lists[i]);
    }
}

GLRAST_INLINE void nearest_faces_walk_element(const NearestFacesWalkArgs& a, int x, int count, Row row) {
    const int across = tiles_along(a.width);
    const int64 *image = a.images + 3 * row.n, line = (row.n * tiles_along(a.H) + row.y / GLRAST_TILE) * across;
    for (const int end = x + count; x < end;) {
        const int tile = x / GLRAST_TILE, stop = lesser(end, (tile + 1) * GLRAST_TILE);
        List lists[GLRAST_TOGETHER];
        for (int i = 0; i < stop - x; ++i) {
            const int64 at = (row.index * a.width + x + i) * a.K;
            lists[i] = List{a.id + at, a.z + at, 0};
        }
        for (int64 i = a.starts[line + tile]; i < a.starts[line + tile + 1]; ++i) {
            const int64 entry = a.listed[i];
            if (has_row(entry, row.y % GLRAST_TILE)) try_row(a, image, face_of(entry), x, stop - x, row.y + 0.5, lists);
        }
        for (int i = 0; i < stop - x; ++i) {
            for (int k = lists[i].filled; k < a.K; ++k) { lists[i].id[k] = -1; lists[i].z[k] = -1.0f; }
        }
        x = stop;
    }
}
GLRAST_KERNEL(nearest_faces_walk, NearestFacesWalkArgs)

// ---- what was found --------------------------------------------------------------------------------------

// One of the K of a pixel: `columns` is W, so that element x of a row is number x % K of pixel x / K.
#define GLRAST_FOUND_MEMBERS int columns; int K; const int64* images; const double* faces; const int* id;

struct NearestFacesPlaceArgs {
    int width;              // W*K
    int H;
    int64 rows;             // N*H
    GLRAST_LOOK_MEMBERS
    GLRAST_FOUND_MEMBERS
    float* bary;            // [N,H,W,K,3]
    float* dist2;           // [N,H,W,K]
    static constexpr int work = 8;
};

struct Found { const double* f; ScreenPoint s; double e[3]; bool inside; };

// The face that element x shows; false: none.
template <class Args>
GLRAST_INLINE bool find_face(const Args& a, int x, Row row, Found* found) {
    const int64 *image = a.images + 3 * row.n, t = a.id[row.index * a.width + x] - image[0];
    if (t < 0 || t >= image[1]) return false;
    const double* f = a.faces + GLRAST_FACE * (image[2] + t);
    if (!(f[kBox] <= f[kBox + 1])) return false;
    found->f = f;
    found->s = ScreenPoint{x / a.K + 0.5, row.y + 0.5};
    distances_at(f, found->s, found->e);
    found->inside = covers(f, found->e, a.strict);
    return true;
}

GLRAST_INLINE void nearest_faces_place_element(const NearestFacesPlaceArgs& a, int x, int count, Row row) {
    for (const int end = x + count; x < end; ++x) {
        const int64 at = row.index * a.width + x;
        float* bary = a.bary + 3 * at;
        Found found;
        if (!find_face(a, x, row, &found)) {
            bary[0] = bary[1] = bary[2] = a.dist2[at] = -1.0f;
            continue;
        }
        const Weights w = weights_of(found.f, found.s, found.e, found.inside, a.columns, a.H, a.perspective, a.clip);
        for (int k = 0; k < 3; ++k) bary[k] = (float)w.c[k];
        const double distance2 = outline_distance2(found.f, found.s, found.e, found.inside, a.columns, a.H);
        a.dist2[at] = (float)(found.inside ? -distance2 : distance2);
    }
}
GLRAST_KERNEL(nearest_faces_place, NearestFacesPlaceArgs)
