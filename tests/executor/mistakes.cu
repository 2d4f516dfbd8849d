// Small kernels with one mistake each: test_executor_mistakes.py, and check.py for sanitizers, say by what words each is found.
struct Args { int* out; float* values; int n; };
#define KERNEL(name) extern "C" __global__ void __launch_bounds__(128) name(const Args a)
#define THREAD (((int)blockIdx.x * 4 + (int)threadIdx.y) * 32 + (int)threadIdx.x)
#define LANE ((int)threadIdx.x)
#define ALL 0xffffffffu

KERNEL(mask_without_oneself) { a.out[THREAD] = (int)__ballot_sync(0xfffffffeu, 1); }

KERNEL(mask_with_a_lane_that_has_returned) {
    if (LANE == 3) return;
    a.out[THREAD] = __shfl_sync(ALL, LANE, 5);
}

KERNEL(mask_with_a_lane_that_returns_later) {
    if (LANE == 30) return;
    a.out[THREAD] = (int)__match_any_sync(ALL, LANE);
}

KERNEL(reads_a_lane_outside_the_mask) {
    const unsigned even = 0x55555555u;
    if (LANE & 1) return;
    a.out[THREAD] = __shfl_down_sync(even, LANE, 1);
}

KERNEL(two_lines) {
    if (LANE < 16) a.out[THREAD] = __shfl_sync(ALL, 1, 0);
    else a.out[THREAD] = __shfl_sync(ALL, 2, 0);
}

KERNEL(two_words) { a.out[THREAD] = LANE < 16 ? (int)__ballot_sync(ALL, 1) : __any_sync(ALL, 1); }

KERNEL(two_masks) { a.out[THREAD] = (int)__ballot_sync(LANE < 16 ? ALL : 0xffff0000u, 1); }

// The mask was asked for before the branch, and half of it does not come.
KERNEL(mask_of_before_the_branch) {
    const unsigned mask = __activemask();
    if (LANE < 16) a.out[THREAD] = __shfl_sync(mask, LANE, 0);
    else __syncthreads();
}

KERNEL(barrier_in_a_branch) {
    if (threadIdx.y == 0) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

KERNEL(barrier_against_exchange) {
    if (LANE == 0) __syncthreads();
    __syncwarp(ALL);
    if (LANE != 0) __syncthreads();
}

// Right where all lanes come together, which nobody promises.
KERNEL(all_are_expected_to_meet) {
    int v = 1;
    const unsigned mask = __activemask();
    for (int by = 16; by; by >>= 1) v += __shfl_xor_sync(mask, v, by);
    a.out[THREAD] = v;
}

KERNEL(leader_is_expected_to_be_lane_0) {
    const unsigned mask = __activemask();
    if (LANE == 0) atomicAdd(a.out, __popc(mask));
}

KERNEL(lock_that_nobody_opens) {
    while (atomicCAS(a.out, 0, 1)) {}
}

KERNEL(no_barrier_before_reading) {
    __shared__ int tile[128];
    const int t = (int)threadIdx.y * 32 + LANE;
    tile[t] = t;
    a.out[THREAD] = tile[(t + 1) % 128];
}

KERNEL(no_barrier_before_writing_again) {
    __shared__ int tile[128];
    const int t = (int)threadIdx.y * 32 + LANE;
    tile[t] = t;
    __syncthreads();
    a.out[THREAD] = tile[(t + 33) % 128];
    tile[t] = -1;
}

KERNEL(shuffle_taken_for_a_barrier) {
    __shared__ int tile[4][32];
    tile[threadIdx.y][LANE] = LANE;
    const int by = __shfl_sync(ALL, 1, 0);
    a.out[THREAD] = tile[threadIdx.y][(LANE + by) & 31];
}

KERNEL(warp_barrier_taken_for_one_of_the_block) {
    __shared__ int tile[4][32];
    tile[threadIdx.y][LANE] = LANE;
    __syncwarp();
    a.out[THREAD] = tile[(threadIdx.y + 1) & 3][LANE];
}

KERNEL(two_write_one_place) {
    __shared__ int tile[64];
    tile[(int)(threadIdx.y & 1) * 32 + LANE] = 1;
    __syncthreads();
    a.out[THREAD] = tile[LANE];
}

KERNEL(adds_without_an_atomic) { a.out[LANE & 1] += 1; }

KERNEL(blocks_that_wait_for_each_other) {
    if (THREAD == 0) a.out[1] = 5;
    if (THREAD == 128) a.out[2] = a.out[1];
}

KERNEL(atomic_and_plain) {
    atomicAdd(a.out, 1);
    if (THREAD == 100) a.out[1] = a.out[0];
}

KERNEL(one_element_too_far) { a.out[THREAD + a.n] = 1; }

KERNEL(before_the_beginning) {
    if (THREAD == 0) a.out[256] = a.out[a.n];
}

KERNEL(atomic_too_far) { atomicAdd(a.values + THREAD, 1.0f); }

KERNEL(nobody_wrote_the_shared_memory) {
    __shared__ float sums[32];
    if (LANE < a.n) sums[LANE] = 1.0f;
    __syncthreads();
    a.values[0] = sums[31];
}

KERNEL(beyond_the_shared_memory) {
    __shared__ int tile[128];
    int* at = tile + a.n;
    at[(int)threadIdx.y * 32 + LANE] = 1;
    __syncthreads();
    a.out[THREAD] = at[0];
}

KERNEL(misaligned_vector) { a.out[THREAD] = (int)((float4*)(a.values + 1))->x; }

KERNEL(shift_beyond_the_width) { a.out[THREAD] = 1 << (LANE + a.n); }
