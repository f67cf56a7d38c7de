// Rows between the tables and shared memory. Reads go to the L2 cache, where the atomics work: L1 would be stale.

#if !defined(HOST_BUILD)
__device__ inline void copy_four(float* into, const float* from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)__cvta_generic_to_shared(into)), "l"(from)
                 : "memory");
#else
    *(float4*)into = __ldcg((const float4*)from);
#endif
}

__device__ inline void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

__device__ inline void add_four(float* to, float4 step) {
#if __CUDA_ARCH__ >= 900
    asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(step.x), "f"(step.y), "f"(step.z),
                 "f"(step.w)
                 : "memory");
#else
    atomicAdd(to, step.x);
    atomicAdd(to + 1, step.y);
    atomicAdd(to + 2, step.z);
    atomicAdd(to + 3, step.w);
#endif
}

__device__ inline void prefetch(const float* from) { asm volatile("prefetch.global.L2 [%0];" ::"l"(from)); }
#endif

// A row of `width` numbers, filled up with zeros to a multiple of WIDTH_TILE.
__device__ inline void copy_row(float* into, const float* from, int width, bool aligned, int lane) {
    const int filled = rounded_up(width, WIDTH_TILE);
    if (aligned) {
        for (int d = 4 * lane; d < filled; d += 4 * LANES) {
            if (WIDTH_TILE == 4 || d < width) copy_four(into + d, from + d);
            else *(float4*)(into + d) = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        }
    } else {
        for (int d = lane; d < filled; d += LANES) into[d] = d < width ? __ldcg(from + d) : 0.0f;
    }
}

__device__ inline void add_to_row(float* row, int d, float4 step, int width, bool aligned) {
    if (aligned) {
        add_four(row + d, step);
        return;
    }
    if (d < width) atomicAdd(row + d, step.x);
    if (d + 1 < width) atomicAdd(row + d + 1, step.y);
    if (d + 2 < width) atomicAdd(row + d + 2, step.z);
    if (d + 3 < width) atomicAdd(row + d + 3, step.w);
}

__device__ inline float4 four(const float* from) { return *(const float4*)from; }

__device__ inline void accumulate(float4& sum, float factor, float4 x) {
    sum.x += factor * x.x;
    sum.y += factor * x.y;
    sum.z += factor * x.z;
    sum.w += factor * x.w;
}

__device__ inline float4 times(float factor, float4 x) {
    return make_float4(factor * x.x, factor * x.y, factor * x.z, factor * x.w);
}

__device__ inline float square(float4 x) { return x.x * x.x + x.y * x.y + x.z * x.z + x.w * x.w; }
