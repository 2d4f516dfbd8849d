// Small kernels whose answer is known: test_executor_answers.py says what each must write.
struct Args { int* out; float* values; int n; };
#define KERNEL(name) extern "C" __global__ void __launch_bounds__(128) name(const Args a)
#define THREAD (((int)blockIdx.x * 4 + (int)threadIdx.y) * 32 + (int)threadIdx.x)
#define LANE ((int)threadIdx.x)
#define ALL 0xffffffffu

KERNEL(vote) { a.out[THREAD] = (int)__ballot_sync(ALL, LANE % 3 == 0); }

KERNEL(any_and_all) { a.out[THREAD] = 2 * __any_sync(ALL, LANE == a.n) + __all_sync(ALL, LANE < a.n); }

KERNEL(sum_down) {
    int v = LANE;
    for (int by = 16; by; by >>= 1) v += __shfl_down_sync(ALL, v, by);
    a.out[THREAD] = __shfl_sync(ALL, v, 0);
}

KERNEL(prefix_up) {
    int v = LANE;
    for (int by = 1; by < 32; by <<= 1) {
        const int other = __shfl_up_sync(ALL, v, by);
        if (LANE >= by) v += other;
    }
    a.out[THREAD] = v;
}

KERNEL(sum_of_eight_by_xor) {
    int v = LANE;
    for (int with = 4; with; with >>= 1) v += __shfl_xor_sync(ALL, v, with, 8);
    a.out[THREAD] = v;
}

KERNEL(beyond_the_group_is_ones_own) { a.out[THREAD] = __shfl_down_sync(ALL, LANE, 6, 8); }

KERNEL(match) { a.out[THREAD] = (int)__match_any_sync(ALL, (unsigned long long)(LANE % 5) << 40); }

KERNEL(match_all) {
    int alike = 7;
    const unsigned found = __match_all_sync(ALL, a.n ? 5 : LANE, &alike);
    a.out[THREAD] = alike ? (int)found : -9;
}

KERNEL(reduce) { a.out[THREAD] = (int)__reduce_add_sync(ALL, (unsigned)LANE) * 100 + __reduce_min_sync(ALL, LANE - 40); }

// Both halves by themselves, each with a mask of its own.
KERNEL(halves) {
    if (LANE < 16) a.out[THREAD] = (int)__reduce_add_sync(0xffffu, 1u);
    else a.out[THREAD] = (int)__ballot_sync(0xffff0000u, LANE & 1);
}

// Lanes that have more to do keep meeting, by masks that shrink.
KERNEL(shrinking_loop) {
    int rounds = 0;
    unsigned mask = ALL;
    while (true) {
        mask = __ballot_sync(mask, rounds < LANE);
        if (rounds >= LANE) break;
        rounds += (int)__reduce_add_sync(mask, 1u) > 0;
    }
    a.out[THREAD] = rounds;
}

KERNEL(who_meets) {
    if (LANE < a.n) return;
    a.out[THREAD] = (int)__activemask();
}

KERNEL(turned_in_the_block) {
    __shared__ int tile[128];
    const int t = (int)threadIdx.y * 32 + LANE;
    tile[t] = THREAD;
    __syncthreads();
    a.out[THREAD] = tile[127 - t];
}

KERNEL(turned_in_the_warp) {
    __shared__ int tile[4][32];
    tile[threadIdx.y][LANE] = LANE;
    __syncwarp();
    a.out[THREAD] = tile[threadIdx.y][31 - LANE];
}

KERNEL(shared_memory_of_a_new_block) {
    __shared__ float tile[128];
    const int t = (int)threadIdx.y * 32 + LANE;
    a.out[THREAD] = __float_as_int(tile[t]);
    tile[t] = 1.0f;
}

KERNEL(count_of_the_block) { a.out[THREAD] = __syncthreads_count(LANE < 3) + (__syncthreads_or(LANE == 99) ? 1000 : 0); }

KERNEL(barrier_after_some_have_returned) {
    if (threadIdx.y == 3) return;
    __syncthreads();
    __syncwarp();
    a.out[THREAD] = 1;
}

KERNEL(turn_taken) { a.out[THREAD] = (int)atomicAdd(a.values, 1.0f); }

KERNEL(atomics) {
    atomicAdd(a.out, 1);
    atomicMax(a.out + 1, THREAD);
    atomicMin(a.out + 2, -THREAD);
    atomicOr(a.out + 3, 1 << LANE);
    atomicExch(a.out + 4, 77);
    if (THREAD == 5) atomicSub(a.out + 5, 3);
}

// A lock taken by one lane at a time: whoever spins must let its owner go on.
KERNEL(lock) {
    while (atomicCAS(a.out, 0, 1)) {}
    const int before = atomicAdd(a.out + 1, 0);
    atomicExch(a.out + 1, before + 1);
    atomicExch(a.out, 0);
}

#if __CUDA_ARCH__ >= 900
KERNEL(vector_atomics) {
    atomicAdd((float4*)a.values, float4{1.0f, 2.0f, 3.0f, (float)LANE});
    atomicAdd((float2*)(a.values + 4), float2{0.5f, 0.25f});
}
#endif

// (1 + 2^-12)^2 is 1 + 2^-11 + 2^-24: the last bit survives only where the product is not rounded.
KERNEL(fused) {
    const float v = a.values[0];
    a.values[1] = v * v - a.values[2];
}

KERNEL(denormals) {
    a.values[1] = a.values[0] * 0.5f;             // the smallest normal number halved
    a.values[2] = a.values[3] * 16777216.0f;      // a denormal made large
}

KERNEL(converted) {
    a.out[0] = __float2int_rd(a.values[0]);
    a.out[1] = __float2int_rn(a.values[0]);
    a.out[2] = __float2int_rz(3e9f);
    a.out[3] = __float2int_rd(NAN);
    a.out[4] = __ffs(0x50) * 1000 + __popc(0x50) * 100 + __clz(1);
    a.out[5] = (int)__umulhi(1u << 31, 6u);
}
