// The products of a group in float32: the definition. A warp takes CENTER_TILE x SCORE_TILE scores, or the steps of
// STEP_TILE rows in SLICE columns of the tables, four columns a lane.

// ---- scores: the lanes' shares of D are summed by shuffles, so that each lane has its own scores

#define TILE (CENTER_TILE * SCORE_TILE)
#define OWN_SCORES (TILE / LANES)

__device__ inline int own_center(int i, int lane) { return (i * LANES + lane) / SCORE_TILE; }
__device__ inline int own_column(int i, int lane) { return (i * LANES + lane) % SCORE_TILE; }

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

__device__ inline void score_tile(
    float* scores, const float* v, const float* U, const int* row_at, const Shape& shape, int width, int lane) {
    float sums[TILE];
#pragma unroll
    for (int i = 0; i < TILE; ++i) sums[i] = 0.0f;
    const int4 u_at = *(const int4*)row_at;
    for (int d = 4 * lane; d < width; d += 4 * LANES) {
        const float4 u[SCORE_TILE] = {
            four(U + u_at.x + d), four(U + u_at.y + d), four(U + u_at.z + d), four(U + u_at.w + d)};
#pragma unroll
        for (int t = 0; t < CENTER_TILE; ++t) {
            const float4 x = four(v + t * shape.stride + d);
#pragma unroll
            for (int c = 0; c < SCORE_TILE; ++c)
                sums[t * SCORE_TILE + c] += x.x * u[c].x + x.y * u[c].y + x.z * u[c].z + x.w * u[c].w;
        }
    }
    sum_over_lanes(sums, lane);
#pragma unroll
    for (int i = 0; i < OWN_SCORES; ++i) scores[i] = sums[i];
}

// ---- steps

struct Steps {
    float4 rows[STEP_TILE];
};

__device__ inline void accumulate(Steps& sums, float4 slopes, float4 x) {
    accumulate(sums.rows[0], slopes.x, x);
    accumulate(sums.rows[1], slopes.y, x);
    accumulate(sums.rows[2], slopes.z, x);
    accumulate(sums.rows[3], slopes.w, x);
}

// Of the centres t0 .. t0 + 3: slopes times the rows of their windows and of the noise words.
__device__ inline Steps steps_of_centers(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int t0, const Slice& slice,
    int lane) {
    Steps sums = {};
    const int d = slice.begin + 4 * lane;
    const int stop = min(t0 + STEP_TILE + 2 * shape.m, shape.context_columns), end = shape.context_columns + shape.S;
    for (int c = t0; d < slice.width && c < end; ++c) {
        if (c == stop) c = shape.context_columns;
        accumulate(sums, four(memory.by_row + c * shape.by_row_stride() + t0), four(memory.U + here.row_at()[c] + d));
    }
    return sums;
}

// Of the rows in columns c0 .. c0 + 3: slopes times the centres that see them.
__device__ inline Steps steps_of_rows(
    const Place& place, const Shape& shape, const Memory& memory, int c0, const Slice& slice, int lane) {
    Steps sums = {};
    const int d = slice.begin + 4 * lane;
    const bool noise = c0 >= shape.context_columns;
    const int low = noise ? 0 : max(0, c0 - 2 * shape.m);
    const int high = noise ? place.centers : min(place.centers, c0 + STEP_TILE);
    for (int t = low; d < slice.width && t < high; ++t)
        accumulate(
            sums, four(memory.by_center + t * shape.by_center_stride() + c0), four(memory.V + t * shape.stride + d));
    return sums;
}

// Shorten each row's step to its bound.
__device__ inline void shorten(Steps& sums, const float* bounds, float share, int lane) {
    float squares[STEP_TILE];
#pragma unroll
    for (int i = 0; i < STEP_TILE; ++i) squares[i] = square(sums.rows[i]);
#if LANES == 32
    share_out<2, 16>(squares, lane);
    share_out<1, 8>(squares, lane);
    float sum = squares[0];  // of row lane / 8, over its eight lanes
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 4);
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
    const float own = fminf(1.0f, share * bounds[lane / 8] * rsqrtf(sum));
#pragma unroll
    for (int i = 0; i < STEP_TILE; ++i)
        sums.rows[i] = times(__shfl_sync(0xFFFFFFFFu, own, 8 * i), sums.rows[i]);
#else
    for (int i = 0; i < STEP_TILE; ++i)
        sums.rows[i] = times(fminf(1.0f, share * bounds[i] * rsqrtf(squares[i])), sums.rows[i]);
#endif
}

// Hand each of this lane's parts of the steps, four columns of a row, to `take(row, column, step)`.
template <class Take>
__device__ inline void each_part(const Steps& sums, const Slice& slice, int lane, Take take) {
    const int d = slice.begin + 4 * lane;
    if (d >= slice.width) return;
#pragma unroll
    for (int i = 0; i < STEP_TILE; ++i) take(i, d, sums.rows[i]);
}
