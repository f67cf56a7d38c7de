// What a GPU can do at most of what sgns.cu asks for: rows of D floats (D a multiple of 4) read or added by id.

typedef long long i64;

// A warp a row, as in sgns.cu; the sums keep the reads from being left out.
extern "C" __global__ void gather_rows(const float* table, const int* ids, i64 rows, int D, float* sums) {
    const i64 warps = (i64)gridDim.x * blockDim.x / 32;
    const int lane = threadIdx.x % 32;
    float sum = 0.0f;
    for (i64 i = ((i64)blockIdx.x * blockDim.x + threadIdx.x) / 32; i < rows; i += warps)
        for (int d = 4 * lane; d < D; d += 128) {
            const float4 x = __ldcg((const float4*)(table + (i64)ids[i] * D + d));
            sum += x.x + x.y + x.z + x.w;
        }
    sums[(i64)blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

extern "C" __global__ void add_rows(float* table, const int* ids, i64 rows, int D, int vectors) {
    const i64 warps = (i64)gridDim.x * blockDim.x / 32;
    const int lane = threadIdx.x % 32;
    for (i64 i = ((i64)blockIdx.x * blockDim.x + threadIdx.x) / 32; i < rows; i += warps)
        for (int d = 4 * lane; d < D; d += 128) {
            float* to = table + (i64)ids[i] * D + d;
#if __CUDA_ARCH__ >= 900
            if (vectors) {
                asm volatile("red.global.add.v4.f32 [%0], {%1, %1, %1, %1};" ::"l"(to), "f"(1.0f) : "memory");
                continue;
            }
#endif
            for (int k = 0; k < 4; ++k) atomicAdd(to + k, 1.0f);
        }
}
