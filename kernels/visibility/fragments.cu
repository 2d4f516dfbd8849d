// fragments: what every pixel that a visible boundary crosses shows, exactly: triangles, their areas, centres of gravity.
//
//   fragments_triangles       which triangles are drawn, and how far away they are  one thread = one triangle
//   fragments_spots           vertices on the screen, roughly                       one thread = one vertex
//   fragments_bound           how far away what is seen in a tile may be            one thread = one tile
//   fragments_layers          what speaks against one surface in a tile             one thread = one triangle
//   fragments_relevant        which triangles reach a tile that is looked at        one thread = one triangle
//   fragments_planes          triangles as affine functions of the pixel            one thread = one chosen triangle
//   fragments_classes         which edges are creases, which silhouettes            one thread = one edge
//   fragments_edges           edges on the screen, what lies on their two sides     one thread = one chosen edge
//   fragments_meet            which triangles of neighbouring pixels intersect      one thread = one pixel
//   fragments_lines           where two triangles have the same depth               one thread = one pair
//   fragments_walk            edges cut at the borders of pixels: pieces            one thread = one edge
//   fragments_touch           which triangles touch a crossed pixel                 one thread = one triangle
//   fragments_runs            the visible parts of pieces, with both sides          one thread = one piece
//   fragments_pierce          triangles that a boundary goes through                one thread = one piece
//   fragments_shadows         the part of the pixel behind a run                    one thread = one run
//   fragments_weigh           areas and centres of gravity from runs                one thread = one crossed pixel
//   fragments_place           rast and rast_db at the centres of gravity            one thread = one crossed pixel
//   fragments_resolve         the image of pixels and fragments                     one thread = one pixel
//   fragments_resolve_backward  its gradient to colours and weights                 one thread = one pixel
//   fragments_backward_points  gradient by shading: positions, and the motion of the point    one thread = one fragment
//   fragments_backward_runs    gradient by areas and centres of gravity: the boundary integral one thread = one run
//
// Pixels: x in [0,W], y in [0,H], pixel (i,j) = [i,i+1] x [j,j+1]; fx = 2x/W - 1, fy = 2y/H - 1.
// Arithmetic is float64: z/w of two surfaces may differ by 1e-8 of its range, and the sign of that difference decides
// which of them is seen; what comes in and goes out is float32.
#include "visibility/fragments/tiles.cuh"
#include "visibility/fragments/walk.cuh"
#include "visibility/fragments/lists.cuh"
#include "visibility/fragments/runs.cuh"
#include "visibility/fragments/pierce.cuh"
#include "visibility/fragments/areas.cuh"
#include "visibility/fragments/place.cuh"
#include "visibility/fragments/resolve.cuh"
#include "visibility/fragments/backward.cuh"
