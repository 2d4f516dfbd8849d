#version 450 core
// rasterize, fragment stage.
//   id    writes triangle id + 1; barycentrics and depth follow from it and the clip positions (kernels/rasterize.cu).
//   FULL  writes (u, v, unused, id).
//   PEEL  writes the depth too: id and depth say which surface of this pixel it is.
//   BEHIND  shows only what lies behind the surfaces of the last layer. Surfaces are ordered by depth, coincident ones
//           by triangle id; the depth test then takes the nearest of what is left.
//   PLACED  the depth comes with the triangle: OpenGL's is rounded, and differently in each tile (glrast/raster/tiles.py).
//   WRITE_DEPTH  writes the depth as it is: some drivers drop pixels otherwise (glrast/raster/self_test.py).

layout(location = 0) flat in int first_triangle;  // of this draw; FULL, CORNERS: the triangle itself

#if defined(PLACED)
#define KEEP_DEPTH gl_FragDepth = depth();
#elif defined(WRITE_DEPTH)
#define KEEP_DEPTH gl_FragDepth = gl_FragCoord.z;
#else
#define KEEP_DEPTH
#endif

#ifdef FULL
#define ID float
layout(location = 1) in vec2 barycentric;
layout(location = 0) out vec4 rast;

// Plain up to 2^24, above as the float with the bits 0x4a800000 + id; as encode_id in kernels/common.cuh.
// Larger ids are larger floats.
float encode_id(int id) { return id <= 16777216 ? float(id) : intBitsToFloat(0x4a800000 + id); }
#else
#define ID uint
#ifdef PEEL
layout(location = 0) out uvec2 id_depth;  // the bits of the depth
#else
layout(location = 0) out uint id_only;
#endif
#endif

#if defined(PLACED)
layout(location = 3) flat in vec2 first_in_window;  // the triangle's first corner, in pixels
layout(location = 4) flat in vec3 first_depth;      // depth there, and its slopes by x and y
layout(location = 5) flat in vec2 nearest_farthest; // of the corners
float depth() {
    const vec2 way = gl_FragCoord.xy - first_in_window;  // not rounded: the same in any window
    precise float at = first_depth.x + first_depth.y * way.x + first_depth.z * way.y;
    return clamp(clamp(at, nearest_farthest.x, nearest_farthest.y), 0.0, 1.0);
}
#elif defined(PEEL)
// As the depth test sees it, which clamps. To the bit the same in each layer: vertices pass through unchanged.
float depth() { return clamp(gl_FragCoord.z, 0.0, 1.0); }
#endif

#ifdef BEHIND
layout(location = 2) flat in int layer;
#ifdef FULL
layout(binding = 0) uniform sampler2DArray last_layer;
#else
layout(binding = 0) uniform usampler2DArray last_layer;
#endif

bool is_behind(ID id) {
    const ivec3 at = ivec3(gl_FragCoord.xy, layer);
#ifdef FULL
    const vec2 last = texelFetch(last_layer, at, 0).wz;
    const float last_id = last.x, last_depth = last.y;
#else
    const uvec2 last = texelFetch(last_layer, at, 0).xy;
    const uint last_id = last.x;
    const float last_depth = uintBitsToFloat(last.y);  // 2 where the last layer is empty: nothing lies behind that
#endif
    return depth() > last_depth || (depth() == last_depth && id > last_id);
}
#endif

void main() {
    KEEP_DEPTH
#ifdef FULL
    const ID id = encode_id(first_triangle + 1);
#elif defined(CORNERS)
    const ID id = uint(first_triangle + 1);
#else
    const ID id = uint(first_triangle + gl_PrimitiveID + 1);
#endif
#ifdef BEHIND
    if (!is_behind(id)) discard;
#endif
#if defined(FULL) && defined(PEEL)
    rast = vec4(barycentric, depth(), id);
#elif defined(FULL)
    rast = vec4(barycentric, 0.0, id);
#elif defined(PEEL)
    id_depth = uvec2(id, floatBitsToUint(depth()));
#else
    id_only = id;
#endif
}
