// transform: points through 4 x 4 matrices, to clip space. One thread = one point of one image.
//
//   out_i = M_i0 x + M_i1 y + M_i2 z + M_i3, i = 0..3
// Backward: grad_point_k = sum_i g_i M_ik, summed over the images that share the points, in their order.
#include "common.cuh"

struct TransformArgs {
    int width;              // V
    int H;                  // 1
    int64 rows;             // N
    const float* matrix;    // [4,4] or [N,4,4]
    int64 matrix_stride;    // floats from one image's matrix to the next: 0 or 16
    const float* points;    // [V,3] or [N,V,3]
    int64 points_stride;    // floats from one image's points to the next: 0 or V*3
    float* out;             // [N,V,4]
};

GLRAST_INLINE void transform_point(const TransformArgs& a, int x, Row row) {
    const float* m = a.matrix + row.index * a.matrix_stride;
    const float* p = a.points + row.index * a.points_stride + 3 * (int64)x;
    float out[4];
    for (int i = 0; i < 4; ++i) out[i] = m[4 * i] * p[0] + m[4 * i + 1] * p[1] + m[4 * i + 2] * p[2] + m[4 * i + 3];
    store4(a.out + 4 * (row.index * a.width + x), Float4{out[0], out[1], out[2], out[3]});
}

GLRAST_INLINE void transform_points_element(const TransformArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) transform_point(a, x, row);
}
GLRAST_KERNEL(transform_points, TransformArgs)

struct TransformBackwardArgs {
    int width;              // V
    int H;                  // 1
    int64 rows;             // sets of points: 1 or N
    int images;             // that share a set
    const float* matrix;    // [4,4] or [N,4,4]
    int64 matrix_stride;    // floats from one image's matrix to the next: 0 or 16
    const float* grad_out;  // [N,V,4]
    float* grad_points;     // [rows,V,3]
};

GLRAST_INLINE void transform_point_backward(const TransformBackwardArgs& a, int x, Row row) {
    float sum[3] = {0.0f, 0.0f, 0.0f};
    for (int n = 0; n < a.images; ++n) {
        const int64 image = row.index * a.images + n;
        const float* m = a.matrix + image * a.matrix_stride;
        const Float4 g = load4(a.grad_out + 4 * (image * a.width + x));
        for (int k = 0; k < 3; ++k) sum[k] += g.x * m[k] + g.y * m[4 + k] + g.z * m[8 + k] + g.w * m[12 + k];
    }
    float* out = a.grad_points + 3 * (row.index * a.width + x);
    for (int k = 0; k < 3; ++k) out[k] = sum[k];
}

GLRAST_INLINE void transform_points_backward_element(const TransformBackwardArgs& a, int x, int count, Row row) {
    for (int end = x + count; x < end; ++x) transform_point_backward(a, x, row);
}
GLRAST_KERNEL(transform_points_backward, TransformBackwardArgs)
