// What is drawn for a chunk before it is trained on: kept tokens, windows, groups, noise words. The bits are those of
// xw2v.training.draws; see sgns.cu.

__device__ inline u64 random_bits(u64 key, u64 counter) {
    u64 z = key + (counter + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// The sum of `mine` over the threads before this one. `scratch` has room for blockDim.x + 1 numbers.
__device__ inline i64 sum_before(i64 mine, i64* scratch, i64* total) {
    const int threads = blockDim.x;
    scratch[threadIdx.x] = mine;
    __syncthreads();
    if (threadIdx.x == 0) {
        i64 sum = 0;
        for (int i = 0; i < threads; ++i) {
            const i64 one = scratch[i];
            scratch[i] = sum;
            sum += one;
        }
        scratch[threads] = sum;
    }
    __syncthreads();
    *total = scratch[threads];
    return scratch[threadIdx.x];  // its own slot, which no other thread writes before the next barrier
}

// Of each segment s, the kept tokens in order from place s * segment on: id, index in the chunk, and in kept_span
// the number of outside words to the left (lower 16 bits) and to the right.
// Shared memory: 8 (threads + 1) bytes.
extern "C" __global__ void keep_tokens(
    const int* ids, const int* sentences, i64 R, i64 start, int segment, u64 key, const i64* keep_below, int window,
    int shrink, int* kept_ids, int* kept_at, u32* kept_span, int* kept_count, u64* pairs) {
    i64* scratch = (i64*)shared_memory;
    const i64 segments = (R + segment - 1) / segment;
    for (i64 s = blockIdx.x; s < segments; s += gridDim.x) {
        const i64 first = s * segment;
        const int size = (int)(R - first < segment ? R - first : segment);
        const int run = (size + blockDim.x - 1) / blockDim.x;
        const int low = min(size, (int)threadIdx.x * run), high = min(size, low + run);
        int mine = 0;
        for (int i = low; i < high; ++i)
            mine += (i64)(u32)random_bits(key, start + first + i) < keep_below[ids[first + i]];
        i64 kept;
        i64 at = first + sum_before(mine, scratch, &kept);
        for (int i = low; i < high; ++i) {
            const u64 bits = random_bits(key, start + first + i);
            if ((i64)(u32)bits >= keep_below[ids[first + i]]) continue;
            kept_ids[at] = ids[first + i];
            kept_at[at] = (int)(first + i);
            kept_span[at] = shrink ? 1 + (u32)(((bits >> 32) * (u64)window) >> 32) : (u32)window;
            ++at;
        }
        __syncthreads();
        i64 my_pairs = 0;
        for (int j = threadIdx.x; j < kept; j += blockDim.x) {
            const int reach = (int)kept_span[first + j];
            const int sentence = sentences[kept_at[first + j]];
            int left = 0, right = 0;
            while (left < reach && left < j && sentences[kept_at[first + j - left - 1]] == sentence) ++left;
            while (right < reach && j + right + 1 < kept && sentences[kept_at[first + j + right + 1]] == sentence)
                ++right;
            kept_span[first + j] = (u32)left | (u32)right << 16;
            my_pairs += left + right;
        }
        i64 all_pairs;
        sum_before(my_pairs, scratch, &all_pairs);
        if (threadIdx.x == 0) {
            kept_count[s] = (int)kept;
            atomicAdd(pairs, (u64)all_pairs);
        }
    }
}

// Launched with one block. kept_before and groups_before have segments + 1 entries; the last are the sums.
// Shared memory: 8 (threads + 1) bytes.
extern "C" __global__ void count_groups(
    const int* kept_count, i64 segments, int b, i64* kept_before, i64* groups_before) {
    i64* scratch = (i64*)shared_memory;
    const i64 run = (segments + blockDim.x - 1) / blockDim.x;
    const i64 low = threadIdx.x * run, high = low + run < segments ? low + run : segments;
    i64 kept = 0, groups = 0;
    for (i64 s = low; s < high; ++s) {
        kept += kept_count[s];
        groups += (kept_count[s] + b - 1) / b;
    }
    i64 all_kept, all_groups;
    kept = sum_before(kept, scratch, &all_kept);
    groups = sum_before(groups, scratch, &all_groups);
    for (i64 s = low; s < high; ++s) {
        kept_before[s] = kept;
        groups_before[s] = groups;
        kept += kept_count[s];
        groups += (kept_count[s] + b - 1) / b;
    }
    if (threadIdx.x == 0) {
        kept_before[segments] = all_kept;
        groups_before[segments] = all_groups;
    }
}

// The segment that a group lies in: the last whose groups do not begin after it.
__device__ inline i64 segment_of(i64 group, const i64* groups_before, i64 segments) {
    i64 low = 0, high = segments;
    while (high - low > 1) {
        const i64 middle = (low + high) / 2;
        if (groups_before[middle] <= group) low = middle;
        else high = middle;
    }
    return low;
}

extern "C" __global__ void draw_noise(
    const i64* groups_before, i64 segments, int segment, i64 start, const int* kept_at, int b, int S, u64 key,
    const i64* noise_below, const int* noise_alias, int V, int* noise_ids) {
    const i64 words = groups_before[segments] * S;
    const i64 step = (i64)gridDim.x * blockDim.x;
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < words; i += step) {
        const i64 group = i / S, s = segment_of(group, groups_before, segments);
        const i64 first = s * segment + (group - groups_before[s]) * b;
        const u64 bits = random_bits(key, (u64)(start + kept_at[first]) * S + (u64)(i % S));
        const u64 column = ((bits >> 32) * (u64)V) >> 32;
        noise_ids[i] = (i64)(u32)bits < noise_below[column] ? (int)column : noise_alias[column];
    }
}
