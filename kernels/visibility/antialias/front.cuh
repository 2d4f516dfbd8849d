// Which vertices have a place in the image: what silhouettes and crossings ask first.
#pragma once
#include "common.cuh"

// Is a vertex in front of the camera, and not a million images to its side, where squares of its place would overflow? If
// not, its edges are rays: the same lines.
#define GLRAST_FAR 1e-6f
GLRAST_INLINE bool is_in_front(Float4 p) { return p.w > GLRAST_FAR * maximum(fabsf(p.x), fabsf(p.y)); }
