#version 450 core
// rasterize, fragment stage.
//   id    writes triangle id + 1; barycentrics and depth follow from it and the clip positions (kernels/rasterize.cu).
//   FULL  writes (u, v, unused, id).
//   WRITE_DEPTH  writes the depth as it is: some drivers drop pixels otherwise (glrast/gl/self_test.py).

layout(location = 0) flat in int first_triangle;

#ifdef WRITE_DEPTH
#define KEEP_DEPTH gl_FragDepth = gl_FragCoord.z;
#else
#define KEEP_DEPTH
#endif

#ifdef FULL
layout(location = 1) in vec2 barycentric;
layout(location = 0) out vec4 rast;

// Plain up to 2^24, above as the float with the bits 0x4a800000 + id; as encode_id in kernels/common.cuh.
float encode_id(int id) { return id <= 16777216 ? float(id) : intBitsToFloat(0x4a800000 + id); }

void main() { KEEP_DEPTH rast = vec4(barycentric, 0.0, encode_id(first_triangle + 1)); }
#else
layout(location = 0) out uint id;

void main() { KEEP_DEPTH id = uint(first_triangle + gl_PrimitiveID + 1); }
#endif
