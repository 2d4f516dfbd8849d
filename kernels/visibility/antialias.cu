// antialias: blend the two pixels beside a silhouette edge by where the edge crosses between their centres.
//
//   antialias_silhouettes  which edges of each triangle are silhouettes     one thread = one triangle
//   antialias_pairs        alpha of every pixel's pair with its right and its upper neighbour
//   antialias_blend        colours from alphas
//   antialias_backward_color, antialias_backward_pos                        one thread = one pixel
// Few triangles have a silhouette edge: one byte read settles most pairs. Alphas are stored, so that colours and their gradients are gathered, never scattered:
// the result does not depend on the order of threads. Only the few pixels with an alpha touch positions again.
//
// Pair (p, q), q to the right of or above p. Its triangle is the nearer one; s = +1 if p shows it, -1 if q does.
// In pixels relative to the centre of the triangle's own pixel (axes swapped for the upper neighbour), its edge
// (x1,y1)-(x2,y2) crosses the line y = 0 through both centres at x_c = (x1 dy - y1 dx)/dy.
//   d = s x_c in [0,1] (how far from the own centre towards the other), alpha = s (1/2 - d)
//   alpha > 0: out_p += alpha (c_q - c_p);  alpha < 0: out_q += alpha (c_q - c_p)
//
// Behind the camera (w <= 0) a vertex has no place in the image. Its edge to a vertex in front, at a = (x,y), is seen as the
// ray from a in the direction (X - x w, Y - y w) of its clip position (X,Y,w): a ray instead of (x1,y1)-(x2,y2), the rest is
// as above. An edge with both ends behind is not seen.
//
// A pixel that small triangles cut on three or four sides would give away S = sum |alpha| > 1 of itself. Its pairs then
// take |alpha|/S: colours stay between those of the neighbours, and coverage in [0,1].
#include "visibility/antialias/silhouettes.cuh"
#include "visibility/antialias/pairs.cuh"
#include "visibility/antialias/blend.cuh"
#include "visibility/antialias/positions.cuh"
#include "visibility/antialias/inner.cuh"
#include "visibility/antialias/inner_blend.cuh"
#include "visibility/antialias/inner_positions.cuh"
