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

__device__ inline void copy_one(float* into, const float* from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"((u32)__cvta_generic_to_shared(into)), "l"(from)
                 : "memory");
#else
    *into = *from;
#endif
}

__device__ inline void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

__device__ inline void add_four(float* to, float4 step) {
#if __CUDA_ARCH__ >= 900 && __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1201  // whose PTX has the instruction
    asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(step.x), "f"(step.y), "f"(step.z),
                 "f"(step.w));
#else
    atomicAdd(to, step.x);
    atomicAdd(to + 1, step.y);
    atomicAdd(to + 2, step.z);
    atomicAdd(to + 3, step.w);
#endif
}

__device__ inline void prefetch(const void* from) { asm volatile("prefetch.global.L2 [%0];" ::"l"(from)); }
#endif

// Four numbers, of which `width` are there and zeros stand for the others.
__device__ inline void copy_part(float* into, const float* from, int width, bool aligned) {
    if (aligned) {
        if (width > 0) copy_four(into, from);
        else *(float4*)into = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) into[i] = i < width ? __ldcg(from + i) : 0.0f;
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

__device__ inline void add_dot(float& sum, float4 x, float4 y) {
    sum = fmaf(x.w, y.w, fmaf(x.z, y.z, fmaf(x.y, y.y, fmaf(x.x, y.x, sum))));
}

__device__ inline float4 times(float factor, float4 x) {
    return make_float4(factor * x.x, factor * x.y, factor * x.z, factor * x.w);
}

__device__ inline float4 sum(float4 x, float4 y) { return make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w); }

__device__ inline float square(float4 x) { return x.x * x.x + x.y * x.y + x.z * x.z + x.w * x.w; }
