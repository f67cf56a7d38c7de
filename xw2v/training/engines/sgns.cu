// Skip-gram with negative sampling on groups of centres that share their noise words: one chunk of the corpus.
//
// Equals xw2v.training.engines.array.ArrayEngine at a step of one group where one block does the work, up to float
// rounding (tests/test_cuda_source.py builds this file for the host and compares). With more blocks each walks its
// own run of groups and the tables change under all of them: order and last bits differ from run to run.
//
//     keep_tokens    a block a segment: which tokens are kept, and how far their windows reach
//     count_groups   one block: kept tokens and groups before each segment
//     draw_noise     a thread a noise word
//     train_groups   persistent; a block a run of groups, see there
//
// Letters: R tokens of a chunk, V words, D vector size, b centres a group, m window, S noise words a group.
// Every kernel works for any grid and block (a multiple of LANES); row offsets have 64 bits.

typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#ifndef LANES
#define LANES 32  // threads of a warp; the host build has 1 too
#endif
#ifndef HOST_BUILD
extern __shared__ float4 shared_memory[];
#endif

// ---------------------------------------------------------------------------------------------------------------
// Draws: the same bits as xw2v.training.draws
// ---------------------------------------------------------------------------------------------------------------

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

// ---------------------------------------------------------------------------------------------------------------
// Rows between the tables and shared memory. Reads go to the L2 cache, where the atomics work: L1 would be stale.
// ---------------------------------------------------------------------------------------------------------------

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

__device__ inline void copy_row(float* into, const float* from, int width, int width4, bool aligned, int lane) {
    if (aligned) {
        for (int d = 4 * lane; d < width4; d += 4 * LANES) copy_four(into + d, from + d);
    } else {
        for (int d = lane; d < width4; d += LANES) into[d] = d < width ? __ldcg(from + d) : 0.0f;
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

// ---------------------------------------------------------------------------------------------------------------
// A group in shared memory
// ---------------------------------------------------------------------------------------------------------------

#define CENTER_TILE 8  // centres by ROW_TILE columns are the scores that a warp sums at a time: one a lane
#define ROW_TILE 4
#define TILE (CENTER_TILE * ROW_TILE)

// The columns of a group: column c < context_columns is token j0 - m + c (m + t is centre t itself), then come the
// noise words from noise_at on. Columns that stand for nothing have id -1 and the slope 0.
struct Shape {
    int D, m, b, S;
    int ring;             // b + 2m rows of contexts; the token j of a segment has row j mod ring
    int centers;          // b rounded up to CENTER_TILE
    int context_columns;  // b + 2m rounded up to ROW_TILE
    int columns;          // with the noise words, rounded up likewise
    int stride;           // floats from one row in shared memory to the next
    int tile;             // columns of the tables held at a time: D, or less where D is too long
    bool whole;           // tile == D: rows of the overlap are kept from group to group
    bool aligned;         // rows of the tables begin at 16 bytes
    bool bounded;         // steps are shortened
};

// Ids and windows of one group; there are two of these, the next group's is filled while this one's rows arrive.
// Offsets are worked out again at every use: held in registers they would be too many.
struct Members {
    int* base;
    int centers, columns;

    __device__ int* center_ids() const { return base; }               // [centers]
    __device__ int* low() const { return base + centers; }            // [centers] first column in the window
    __device__ int* high() const { return base + 2 * centers; }       // [centers] last one
    __device__ float* weights() const { return (float*)(base + 3 * centers); }  // [centers] K n_t / S
    __device__ int* row_ids() const { return base + 4 * centers; }    // [columns]
    __device__ int* row_at() const { return row_ids() + columns; }    // [columns] where in the block's U, in floats
    // [2m] must the row that the group before left in this column be read anew
    __device__ int* again() const { return row_at() + columns; }
};

// The place of a group: uniform over a block.
struct Place {
    int group, segment;  // number in the chunk, which has fewer than 2^31 tokens
    int before, after;   // groups before the segment, and up to its end
    int kept;            // tokens of the segment
    int first, centers;  // j0, n
    bool follows;        // the group before was this one's left neighbour, worked on by this block
};

__device__ inline void find_segment(Place& place, const i64* groups_before, const i64* kept_before) {
    place.before = (int)groups_before[place.segment];
    place.after = (int)groups_before[place.segment + 1];
    place.kept = (int)(kept_before[place.segment + 1] - kept_before[place.segment]);
}

__device__ inline void find_tokens(Place& place, int b) {
    place.first = (place.group - place.before) * b;
    place.centers = min(b, place.kept - place.first);
}

__device__ inline Place next_place(Place place, int b, const i64* groups_before, const i64* kept_before) {
    place.group += 1;
    place.follows = place.group < place.after;
    while (place.group >= place.after) {  // segments may be without a token
        place.segment += 1;
        find_segment(place, groups_before, kept_before);
    }
    find_tokens(place, b);
    return place;
}

__device__ inline void fill_members(
    const Members& to, const Place& place, const Shape& shape, const int* kept_ids, const u32* kept_span,
    const int* noise_ids, int segment, int negative) {
    const i64 base = (i64)place.segment * segment;
    const int m = shape.m, j0 = place.first, n = place.centers;
    for (int t = threadIdx.x; t < shape.centers; t += blockDim.x) {
        const bool there = t < n;
        const u32 span = there ? kept_span[base + j0 + t] : 0;
        const int left = (int)(span & 0xFFFF), right = (int)(span >> 16);
        to.center_ids()[t] = there ? kept_ids[base + j0 + t] : -1;
        to.low()[t] = t + m - left;
        to.high()[t] = t + m + right;
        to.weights()[t] = (float)((double)((left + right) * (i64)negative) / shape.S);
    }
    for (int c = threadIdx.x; c < shape.columns; c += blockDim.x) {
        const int j = j0 - m + c, s = c - shape.context_columns;
        int id = -1, row = 0;
        if (s < 0) {
            if (j >= 0 && j < place.kept && c < n + 2 * m) {
                id = kept_ids[base + j];
                row = j % shape.ring;
            }
        } else if (s < shape.S) {
            id = noise_ids[(i64)place.group * shape.S + s];
            row = shape.ring + s;
        }
        to.row_ids()[c] = id;
        to.row_at()[c] = row * shape.stride;
    }
    for (int c = threadIdx.x; c < 2 * m; c += blockDim.x) to.again()[c] = 0;
}

// A row that a later group keeps misses what this group adds to the same word at another place: it is read anew.
__device__ inline void mark_repeats(const Members& here, const Members& next, const Shape& shape) {
    const int carried = 2 * shape.m;
    for (int i = threadIdx.x; i < carried * shape.columns; i += blockDim.x) {
        const int carry = i / shape.columns, c = i % shape.columns, own = shape.b + carry;
        if (c != own && here.row_ids()[c] == here.row_ids()[own]) next.again()[carry] = 1;
    }
}

// Columns [at, at + width) of all rows of the group, or of those that are not there yet.
__device__ inline void load_rows(
    const Members& here, const Place& place, const Shape& shape, int at, const float* center_vectors,
    const float* outside_vectors, float* V, float* U, const float* carried) {
    const int lane = threadIdx.x % LANES, warps = blockDim.x / LANES;
    const int width = min(shape.tile, shape.D - at), width4 = (width + 3) & ~3;
    for (int i = threadIdx.x / LANES; i < place.centers + shape.columns; i += warps) {
        if (i < place.centers) {
            const float* from = center_vectors + (i64)here.center_ids()[i] * shape.D + at;
            copy_row(V + i * shape.stride, from, width, width4, shape.aligned, lane);
            continue;
        }
        const int c = i - place.centers;
        if (here.row_ids()[c] < 0) continue;
        float* into = U + here.row_at()[c];
        if (shape.whole && place.follows && c < 2 * shape.m && !here.again()[c]) {
            for (int d = lane; d < width4; d += LANES) into[d] += carried[c * shape.stride + d];
        } else {
            const float* from = outside_vectors + (i64)here.row_ids()[c] * shape.D + at;
            copy_row(into, from, width, width4, shape.aligned, lane);
        }
    }
}

// The L2 cache fetches the rows of the next group while this one is worked on. It stays coherent with the atomics.
__device__ inline void prefetch_rows(
    const Members& next, const Shape& shape, const float* center_vectors, const float* outside_vectors) {
    const int lines = (shape.D + 31) / 32;
    for (int i = threadIdx.x; i < (shape.centers + shape.columns) * lines; i += blockDim.x) {
        const int row = i / lines, d = i % lines * 32;
        const bool center = row < shape.centers;
        const int id = center ? next.center_ids()[row] : next.row_ids()[row - shape.centers];
        if (id >= 0) prefetch((center ? center_vectors : outside_vectors) + (i64)id * shape.D + d);
    }
}

// ---------------------------------------------------------------------------------------------------------------
// The three products of a group
// ---------------------------------------------------------------------------------------------------------------

// Lanes that differ in `bit` share out 2 `half` sums between them; the sizes are known to the compiler, so that
// all sums stay in registers.
template <int half, int bit = half>
__device__ inline void share_out(float* sums, int lane) {
    const bool upper = lane & bit;
#pragma unroll
    for (int i = 0; i < half; ++i) {
        const float sent = upper ? sums[i] : sums[i + half];
        const float kept = upper ? sums[i + half] : sums[i];
        sums[i] = kept + __shfl_xor_sync(0xFFFFFFFFu, sent, bit);
    }
}

// Sum each of TILE numbers over the lanes; lane l gets number l. (With one lane, all of them stay where they are.)
__device__ inline void sum_over_lanes(float* sums, int lane) {
#if LANES == 32
    share_out<16>(sums, lane);
    share_out<8>(sums, lane);
    share_out<4>(sums, lane);
    share_out<2>(sums, lane);
    share_out<1>(sums, lane);
#endif
}

__device__ inline float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(__expf(-fabsf(x))); }

// -alpha dJ/dscore of one centre and column, and the loss if it is wanted.
__device__ inline float slope_of(
    float score, int t, int c, const Members& here, const Shape& shape, int n, float alpha, bool measured,
    double& loss) {
    if (t >= n) return 0.0f;
    if (c < shape.context_columns) {
        if (c < here.low()[t] || c > here.high()[t] || c == t + shape.m) return 0.0f;
        if (measured) loss += softplus(-score);
        return alpha / (1.0f + __expf(score));
    }
    if (c >= shape.context_columns + shape.S) return 0.0f;
    const float weight = here.weights()[t];
    if (measured) loss += weight * softplus(score);
    return -alpha * weight / (1.0f + __expf(-score));
}

// Scores of the columns near each centre and of the noise words, and their slopes in both orders.
__device__ inline void score(
    const Members& here, const Place& place, const Shape& shape, int at, const float* V, const float* U,
    float* by_center, float* by_row, float alpha, bool measured, double& loss) {
    const int lane = threadIdx.x % LANES, warps = blockDim.x / LANES;
    const int width4 = (min(shape.tile, shape.D - at) + 3) & ~3;
    const bool first = at == 0, last = at + shape.tile >= shape.D;
    const int near = (2 * shape.m + CENTER_TILE + ROW_TILE - 1) / ROW_TILE;
    const int noise = (shape.columns - shape.context_columns) / ROW_TILE;
    const int units = (place.centers + CENTER_TILE - 1) / CENTER_TILE * (near + noise);
    for (int unit = threadIdx.x / LANES; unit < units; unit += warps) {
        const int t0 = unit / (near + noise) * CENTER_TILE, k = unit % (near + noise);
        const int c0 = k < near ? t0 + k * ROW_TILE : shape.context_columns + (k - near) * ROW_TILE;
        if (k < near && c0 >= shape.context_columns) continue;
        float sums[TILE];
#pragma unroll
        for (int i = 0; i < TILE; ++i) sums[i] = 0.0f;
        const float* v = V + t0 * shape.stride;
        const int4 u_at = *(const int4*)(here.row_at() + c0);
        for (int d = 4 * lane; d < width4; d += 4 * LANES) {
            const float4 u[ROW_TILE] = {
                four(U + u_at.x + d), four(U + u_at.y + d), four(U + u_at.z + d), four(U + u_at.w + d)};
#pragma unroll
            for (int t = 0; t < CENTER_TILE; ++t) {
                const float4 x = four(v + t * shape.stride + d);
#pragma unroll
                for (int c = 0; c < ROW_TILE; ++c)
                    sums[t * ROW_TILE + c] += x.x * u[c].x + x.y * u[c].y + x.z * u[c].z + x.w * u[c].w;
            }
        }
        sum_over_lanes(sums, lane);
#pragma unroll
        for (int i = 0; i < TILE / LANES; ++i) {
            const int index = i * LANES + lane, t = t0 + index / ROW_TILE, c = c0 + index % ROW_TILE;
            float x = sums[i];
            float* to = by_center + t * shape.columns + c;
            if (!first) x += *to;
            if (last) {
                x = slope_of(x, t, c, here, shape, place.centers, alpha, measured, loss);
                by_row[c * shape.centers + t] = x;
            }
            *to = x;
        }
    }
}

// Shorten the steps of four rows, 4 LANES columns of each spread over the warp, to `bounds`.
__device__ inline void shorten(float4* sums, const float* bounds, float share, int lane) {
    float squares[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
        squares[i] = sums[i].x * sums[i].x + sums[i].y * sums[i].y + sums[i].z * sums[i].z + sums[i].w * sums[i].w;
#if LANES == 32
    share_out<2, 16>(squares, lane);
    share_out<1, 8>(squares, lane);
    float square = squares[0];  // of row lane / 8, over its eight lanes
    square += __shfl_xor_sync(0xFFFFFFFFu, square, 4);
    square += __shfl_xor_sync(0xFFFFFFFFu, square, 2);
    square += __shfl_xor_sync(0xFFFFFFFFu, square, 1);
    const float own = fminf(1.0f, share * bounds[lane / 8] * rsqrtf(square));
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[i] = times(__shfl_sync(0xFFFFFFFFu, own, 8 * i), sums[i]);
#else
    for (int i = 0; i < 4; ++i) sums[i] = times(fminf(1.0f, share * bounds[i] * rsqrtf(squares[i])), sums[i]);
#endif
}

// The columns d .. d + 3 of the tables' tile at `at` are this lane's; `there` is false where there are none.
struct Slice {
    int at, d, width;
    bool there;
    float share;  // the part of a row's bound that the warp's columns get: by their number, as if of equal size
};

// Steps of the centres t0 .. t0 + 3: slopes times the rows of their windows and of the noise words.
__device__ inline void step_centers(
    const Members& here, const Place& place, const Shape& shape, int t0, const Slice& slice, const float* U,
    const float* by_row, const float* bounds, float* center_vectors, int lane) {
    float4 sums[4] = {};
    const int stop = min(t0 + 4 + 2 * shape.m, shape.context_columns), end = shape.context_columns + shape.S;
    for (int c = t0; slice.there && c < end; ++c) {
        if (c == stop) c = shape.context_columns;
        const float4 slopes = four(by_row + c * shape.centers + t0), u = four(U + here.row_at()[c] + slice.d);
        accumulate(sums[0], slopes.x, u);
        accumulate(sums[1], slopes.y, u);
        accumulate(sums[2], slopes.z, u);
        accumulate(sums[3], slopes.w, u);
    }
    if (shape.bounded) shorten(sums, bounds + t0, slice.share, lane);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int t = t0 + i;
        if (t >= place.centers || !slice.there) break;
        float* row = center_vectors + (i64)here.center_ids()[t] * shape.D + slice.at;
        add_to_row(row, slice.d, sums[i], slice.width, shape.aligned);
    }
}

// Steps of the rows in columns c0 .. c0 + 3: slopes times the centres that see them.
__device__ inline void step_rows(
    const Members& here, const Place& place, const Shape& shape, int c0, const Slice& slice, const float* V,
    const float* by_center, const float* bounds, float* outside_vectors, float* carried, int lane) {
    float4 sums[4] = {};
    const bool noise = c0 >= shape.context_columns;
    const int low = noise ? 0 : max(0, c0 - 2 * shape.m);
    const int high = noise ? place.centers : min(place.centers, c0 + 4);
    for (int t = low; slice.there && t < high; ++t) {
        const float4 slopes = four(by_center + t * shape.columns + c0), v = four(V + t * shape.stride + slice.d);
        accumulate(sums[0], slopes.x, v);
        accumulate(sums[1], slopes.y, v);
        accumulate(sums[2], slopes.z, v);
        accumulate(sums[3], slopes.w, v);
    }
    if (shape.bounded) shorten(sums, bounds + c0, slice.share, lane);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int c = c0 + i, id = here.row_ids()[c], carry = c - shape.b;
        if (id < 0 || !slice.there) continue;
        float* row = outside_vectors + (i64)id * shape.D + slice.at;
        add_to_row(row, slice.d, sums[i], slice.width, shape.aligned);
        if (shape.whole && carry >= 0 && carry < 2 * shape.m)
            *(float4*)(carried + carry * shape.stride + slice.d) = sums[i];
    }
}

// All steps of a group in columns [at, at + width) of the tables. V and U are only read.
__device__ inline void take_steps(
    const Members& here, const Place& place, const Shape& shape, int at, const float* V, const float* U,
    const float* by_center, const float* by_row, const float* center_bounds, const float* row_bounds,
    float* center_vectors, float* outside_vectors, float* carried) {
    const int lane = threadIdx.x % LANES, warps = blockDim.x / LANES;
    const int width = min(shape.tile, shape.D - at), width4 = (width + 3) & ~3;
    const int parts = (width4 + 4 * LANES - 1) / (4 * LANES);
    const int of_centers = (place.centers + 3) / 4 * parts, of_rows = shape.columns / 4 * parts;
    for (int unit = threadIdx.x / LANES; unit < of_centers + of_rows; unit += warps) {
        const bool centers = unit < of_centers;
        const int k = centers ? unit : unit - of_centers;
        const int four_at = k / parts * 4, begin = k % parts * 4 * LANES;
        Slice slice;
        slice.at = at, slice.width = width;
        slice.d = begin + 4 * lane;
        slice.there = slice.d < width4;
        slice.share = sqrtf((float)min(4 * LANES, width - begin) / shape.D);
        if (centers)
            step_centers(here, place, shape, four_at, slice, U, by_row, center_bounds, center_vectors, lane);
        else
            step_rows(
                here, place, shape, four_at, slice, V, by_center, row_bounds, outside_vectors, carried, lane);
    }
}

// Train on the groups of a chunk. Block k of n walks the k-th n-th of them. Of each group:
//
//     read     b rows of the centres' table, b rows of contexts (2m more are kept from the group before) and S of
//              noise words into shared memory; ids of the next group on the side
//     score    (b, D)·(D, b + 2m + S) near the diagonal, sums over D by shuffles; slopes -alpha dJ/dscore
//     add      both tables' steps, by atomics, shortened to each word's bound
//
// Shared memory: `cuda.py` _shared_bytes. Where a row does not fit, `tile` columns of the tables are taken at a
// time, all rows read twice and none kept.
// Bounds: many groups in flight read a frequent word's row and then all add to it. Each group's step of a row is
// shortened to the word's bound, which is the smaller the more groups in flight have that word. Not bounded means
// the definition. Of rows longer than 4 LANES columns each such slice is bounded by itself.
extern "C" __global__ void
#ifndef HOST_BUILD
__launch_bounds__(256, 2)
#endif
train_groups(
    float* center_vectors, float* outside_vectors, int D, const float* center_bound, const float* outside_bound,
    const int* kept_ids, const u32* kept_span, const i64* kept_before, const i64* groups_before, i64 segments,
    int segment, const int* noise_ids, int window, int negative, int b, int S, i64 R, double alpha_first,
    double alpha_last, int tile, int bounded, int loss_every, double* loss_sum, u64* measured_pairs) {
    Shape shape;
    shape.D = D, shape.m = window, shape.b = b, shape.S = S, shape.tile = tile;
    shape.ring = b + 2 * window;
    shape.centers = (b + CENTER_TILE - 1) / CENTER_TILE * CENTER_TILE;
    shape.context_columns = (shape.ring + ROW_TILE - 1) / ROW_TILE * ROW_TILE;
    shape.columns = shape.context_columns + (S + ROW_TILE - 1) / ROW_TILE * ROW_TILE;
    shape.stride = (tile + 3) & ~3;
    shape.whole = tile == D;
    shape.aligned = D % 4 == 0;
    shape.bounded = bounded;

    float* V = (float*)shared_memory;                                 // [centers][stride]
    float* U = V + shape.centers * shape.stride;                      // [ring + S][stride]
    float* carried = U + (shape.ring + S) * shape.stride;             // [2m][stride], if whole
    float* by_center = carried + (shape.whole ? 2 * window * shape.stride : 0);  // [centers][columns]
    float* by_row = by_center + shape.centers * shape.columns;        // [columns][centers]
    float* center_bounds = by_row + shape.centers * shape.columns;     // [centers]
    float* row_bounds = center_bounds + shape.centers;                  // [columns]
    int* integers = (int*)(row_bounds + shape.columns);                // two Members
    const int member_size = 4 * shape.centers + 2 * shape.columns + (2 * window + 3) / 4 * 4;
    // Rows and slopes that stand for nothing are multiplied by 0: they must be finite, and such slopes stay 0.
    for (int i = threadIdx.x; i < center_bounds - V; i += blockDim.x) V[i] = 0.0f;

    const i64 groups = groups_before[segments];
    const int begin = (int)(groups * blockIdx.x / gridDim.x), end = (int)(groups * (blockIdx.x + 1) / gridDim.x);
    double loss = 0.0;
    u64 measured = 0;
    if (begin < end) {
        Place place;
        place.group = begin;
        place.segment = (int)segment_of(begin, groups_before, segments);
        find_segment(place, groups_before, kept_before);
        find_tokens(place, b);
        place.follows = false;
        const Members first{integers, shape.centers, shape.columns};
        fill_members(first, place, shape, kept_ids, kept_span, noise_ids, segment, negative);
        __syncthreads();
        for (int turn = 0; place.group < end; turn ^= 1) {
            const Members here{integers + turn * member_size, shape.centers, shape.columns};
            const Members next{integers + (1 - turn) * member_size, shape.centers, shape.columns};
            const Place coming = place.group + 1 < end ? next_place(place, b, groups_before, kept_before) : place;
            const i64 done = kept_before[place.segment] + place.first;
            const double progress = (double)(R * done / kept_before[segments]) / R;
            const float alpha = (float)(alpha_first + (alpha_last - alpha_first) * progress);
            const bool to_measure = place.group % loss_every == 0;
            for (int t = threadIdx.x; t < place.centers; t += blockDim.x)
                center_bounds[t] = center_bound[here.center_ids()[t]];
            for (int c = threadIdx.x; c < shape.columns; c += blockDim.x)
                row_bounds[c] = here.row_ids()[c] < 0 ? 0.0f : outside_bound[here.row_ids()[c]];
            for (int at = 0; at < D; at += tile) {
                load_rows(here, place, shape, at, center_vectors, outside_vectors, V, U, carried);
                if (at == 0)
                    fill_members(next, coming, shape, kept_ids, kept_span, noise_ids, segment, negative);
                wait_for_copies();
                __syncthreads();
                if (at == 0) {
                    prefetch_rows(next, shape, center_vectors, outside_vectors);
                    mark_repeats(here, next, shape);
                }
                score(here, place, shape, at, V, U, by_center, by_row, alpha, to_measure, loss);
                __syncthreads();
            }
            for (int at = (D - 1) / tile * tile; at >= 0; at -= tile) {
                if (at + tile < D) {
                    load_rows(here, place, shape, at, center_vectors, outside_vectors, V, U, carried);
                    wait_for_copies();
                    __syncthreads();
                }
                take_steps(
                    here, place, shape, at, V, U, by_center, by_row, center_bounds, row_bounds, center_vectors,
                    outside_vectors, carried);
                __syncthreads();
            }
            if (to_measure && threadIdx.x == 0)
                for (int t = 0; t < place.centers; ++t) measured += here.high()[t] - here.low()[t];
            place.group += 1;
            if (place.group < end) place = coming;
        }
    }
    if (loss != 0.0) atomicAdd(loss_sum, loss);
    if (measured != 0) atomicAdd(measured_pairs, measured);
}
