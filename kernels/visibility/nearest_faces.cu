// nearest_faces: the K nearest faces within reach of every pixel centre, with depth, barycentrics and distance.
//
//   nearest_faces_set_up     a face on the screen, and how many tiles it may touch    one thread = one face
//   nearest_faces_bin        the tiles of each face, listed                           one thread = one face
//   nearest_faces_walk       the K nearest of a tile's faces                          one thread = one pixel
//   nearest_faces_place      depth, barycentrics and distance of what was found       one thread = one of the K
//   nearest_faces_backward   their gradient to the clip positions                     one thread = one of the K
//
// Pixels: x in [0,W], y in [0,H], centres at halves; fx = 2x/W - 1, fy = 2y/H - 1. With M the rows (X,Y,W) of a face's
// vertices, b = (fx, fy, 1) M^-1 are three affine functions of the pixel: the face covers it where all are >= 0 (and z/w
// lies between the near and the far plane), u_k = b_k / sum b are its perspective-correct barycentrics, b_k W_k its affine
// ones, and z/w = sum Z_k b_k. Arithmetic is float64, so that what is inside, and which of two faces is nearer, is right
// for slivers and for large coordinates; what comes in and goes out is float32.
#include "visibility/nearest_faces/backward.cuh"
