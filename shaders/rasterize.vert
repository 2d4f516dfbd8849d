#version 450 core
// rasterize, vertex stage: clip positions pass through; each draw command picks its image's layer.
//   id    indexed: gl_Position from a vertex buffer.
//   FULL  not indexed: positions are pulled by hand, so that each corner knows its barycentrics.
//   CORNERS  not indexed: each triangle's corners one after the other, each with the triangle's index (software drivers).
//   PLACED  CORNERS on the grid of 1/256 pixel, with their depth (kernels/rasterize_place.cuh): for large images.
//   CULL_NON_FINITE  triangles with a vertex that is not finite draw nothing.
//   BEHIND  the fragment stage needs the layer, to look at what was drawn there before.
//   LAYERED_VERTEX  the driver lets this stage choose the layer; otherwise layers are drawn one by one.
#ifdef LAYERED_VERTEX
#extension GL_ARB_shader_viewport_layer_array : require
#endif

// One per draw command (base instance): layer, first triangle, first vertex of the image.
layout(location = 1) in ivec3 draw;

layout(location = 0) flat out int first_triangle;  // FULL, CORNERS: the triangle itself

#ifdef BEHIND
layout(location = 2) flat out int layer;
#endif

#ifdef FULL
layout(location = 1) out vec2 barycentric;  // of vertices 0 and 1, interpolated with perspective
#endif

#if defined(PLACED)
layout(location = 0) in ivec2 place;       // in the image, in 1/256 pixel
layout(location = 3) in ivec2 first;       // the triangle's first corner likewise
layout(location = 4) in vec3 depth_slopes; // depth at that corner, its slopes by x and y per pixel
layout(location = 5) in vec2 depth_range;  // the nearest and the farthest of the corners'
layout(location = 6) in ivec4 window;      // one per draw command: pixels (x, y) of the image at the window's origin, and
                                           // at the viewport's centre
layout(location = 3) flat out vec2 first_in_window;  // in pixels
layout(location = 4) flat out vec3 first_depth;
layout(location = 5) flat out vec2 nearest_farthest;
const int GRID = 256, HALF_VIEWPORT = 8192;  // as glrast/raster/tiles.py
#elif defined(FULL) && !defined(CORNERS)
layout(std430, binding = 0) readonly buffer Positions { vec4 pos[]; };
layout(std430, binding = 1) readonly buffer Triangles { int tri[]; };
#else
layout(location = 0) in vec4 pos;
#endif
#ifdef CORNERS
layout(location = 2) in int number;
#endif

#ifdef CULL_NON_FINITE
// OpenGL does not say what becomes of a triangle with such a vertex. Clipping says it: all that lies on the way to that
// vertex is cut off, and what is left of the triangle, its other corners, has no area.
void cull_non_finite() {
    const bvec4 finite = notEqual(floatBitsToUint(gl_Position) & 0x7f800000u, uvec4(0x7f800000u));
    gl_ClipDistance[0] = all(finite) ? 1.0 : -1e38;
    if (!all(finite)) gl_Position = vec4(0.0, 0.0, 0.0, 1.0);
}
#endif

void main() {
#ifdef FULL
    const int corner = gl_VertexID % 3;
    barycentric = vec2(corner == 0, corner == 1);
#endif
#if defined(PLACED)
    // Whole numbers below 2^24, divided by powers of two: float32 does not round.
    gl_Position = vec4(vec2(place - GRID * window.zw) / (GRID * HALF_VIEWPORT), 0.0, 1.0);
    first_triangle = number;
    first_in_window = vec2(first - GRID * window.xy) / GRID;
    first_depth = depth_slopes;
    nearest_farthest = depth_range;
#elif defined(CORNERS)
    gl_Position = pos;
    first_triangle = number;
#elif defined(FULL)
    gl_Position = pos[draw.z + tri[gl_VertexID]];
    // gl_VertexID counts through the index sets: draw.y triangles lie before this image's own.
    first_triangle = gl_VertexID / 3 - draw.y;
#else
    gl_Position = pos;
    first_triangle = draw.y;
#endif
#ifdef CULL_NON_FINITE
    cull_non_finite();
#endif
#ifdef BEHIND
    layer = draw.x;
#endif
#ifdef LAYERED_VERTEX
    gl_Layer = draw.x;
#endif
}
