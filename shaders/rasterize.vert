#version 450 core
// rasterize, vertex stage: clip positions pass through; each draw command picks its image's layer.
//   id    indexed: gl_Position from a vertex buffer.
//   FULL  not indexed: positions are pulled by hand, so that each corner knows its barycentrics.
//   CORNERS  not indexed: each triangle's corners one after the other, each with the triangle's index (software drivers).
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

#if defined(FULL) && !defined(CORNERS)
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
#ifdef CORNERS
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
