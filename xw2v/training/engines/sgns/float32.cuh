// The products of a group in float32: the definition. A warp takes CENTER_TILE x SCORE_TILE scores, or the steps of
// STEP_TILE rows in SLICE columns of the tables, four columns a lane.

// ---- scores: of four columns and four centres each two a lane, and of each eight columns of the tables four

#if LANES == 32
#define HALVES 2  // lanes that share out the columns of the tables; lane % HALVES
#define ACROSS 4  // lanes side by side; lane / HALVES % ACROSS
#define DOWN 4    // lanes below each other; lane / HALVES / ACROSS
#else
#define HALVES 1
#define ACROSS 1
#define DOWN 1
#endif
#define LANE_CENTERS (CENTER_TILE / DOWN)
#define LANE_COLUMNS (SCORE_TILE / ACROSS)
#define OWN_SCORES (LANE_CENTERS * LANE_COLUMNS / HALVES)

__device__ inline int own_center(int i, int lane) {
    return lane / HALVES / ACROSS * LANE_CENTERS + (HALVES == 2 ? lane % 2 : i / LANE_COLUMNS);
}
__device__ inline int own_column(int i, int lane) {
    return lane / HALVES % ACROSS * LANE_COLUMNS + i % LANE_COLUMNS;
}

__device__ inline void score_tile(
    float* scores, const float* v, const float* U, const int* row_at, const Shape& shape, int width, int lane) {
    float sums[LANE_CENTERS][LANE_COLUMNS] = {};
    const float *centers[LANE_CENTERS], *rows[LANE_COLUMNS];
    const int begin = lane % HALVES * 4;
#pragma unroll
    for (int t = 0; t < LANE_CENTERS; ++t)
        centers[t] = v + (lane / HALVES / ACROSS * LANE_CENTERS + t) * shape.stride() + begin;
#pragma unroll
    for (int c = 0; c < LANE_COLUMNS; ++c)
        rows[c] = U + row_at[lane / HALVES % ACROSS * LANE_COLUMNS + c] + begin;
#pragma unroll 4
    for (int d = 0; d < width; d += 4 * HALVES) {
        float4 u[LANE_COLUMNS];
#pragma unroll
        for (int c = 0; c < LANE_COLUMNS; ++c) u[c] = four(rows[c] + d);
#pragma unroll
        for (int t = 0; t < LANE_CENTERS; ++t) {
            const float4 x = four(centers[t] + d);
#pragma unroll
            for (int c = 0; c < LANE_COLUMNS; ++c)
                add_dot(sums[t][c], x, u[c]);
        }
    }
#if LANES == 32
    const bool odd = lane % 2;
#pragma unroll
    for (int c = 0; c < LANE_COLUMNS; ++c)
        scores[c] = (odd ? sums[1][c] : sums[0][c]) +
                    __shfl_xor_sync(0xFFFFFFFFu, odd ? sums[0][c] : sums[1][c], 1);
#else
    for (int i = 0; i < OWN_SCORES; ++i) scores[i] = sums[i / LANE_COLUMNS][i % LANE_COLUMNS];
#endif
}

// ---- steps

// A lane has four columns of OWN_ROWS rows, from own_row(lane) on.
#define OWN_ROWS (STEP_TILE * ROW_LANES / LANES)

struct Steps {
    float4 rows[OWN_ROWS];
};

__device__ inline int own_row(int lane) { return lane / ROW_LANES * OWN_ROWS; }
__device__ inline int own_columns(int lane) { return lane % ROW_LANES * 4; }

struct alignas(4 * OWN_ROWS) Slopes {
    float of[OWN_ROWS];
};

__device__ inline void accumulate(Steps& sums, const float* begin, float4 x) {
    const Slopes slopes = *(const Slopes*)begin;
#pragma unroll
    for (int i = 0; i < OWN_ROWS; ++i) accumulate(sums.rows[i], slopes.of[i], x);
}

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

// Of the centres t0 .. t0 + 3: slopes times the rows of their windows and of the noise words.
__device__ inline Steps steps_of_centers(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int t0, const Slice& slice,
    int lane) {
    Steps sums = {};
    const int d = slice.begin + own_columns(lane);
    if (d >= slice.width) return sums;
    const float* slopes = memory.by_row + t0 + own_row(lane);
    const int stop = min(t0 + STEP_TILE + 2 * shape.m, shape.context_columns());
#pragma unroll 4
    for (int c = t0; c < stop; ++c)
        accumulate(sums, slopes + c * shape.by_row_stride(), four(memory.U + here.row_at()[c] + d));
    slopes += shape.context_columns() * shape.by_row_stride();
    const float* noise = memory.U + shape.ring() * shape.stride() + d;
#pragma unroll 4
    for (int s = 0; s < shape.S; ++s)
        accumulate(sums, slopes + s * shape.by_row_stride(), four(noise + s * shape.stride()));
    return sums;
}

// Of the rows in columns c0 .. c0 + 3: slopes times the centres that see them.
__device__ inline Steps steps_of_rows(
    const Place& place, const Shape& shape, const Memory& memory, int c0, const Slice& slice, int lane) {
    Steps sums = {};
    const int d = slice.begin + own_columns(lane);
    if (d >= slice.width) return sums;
    const float* slopes = memory.by_center + c0 + own_row(lane);
    const bool noise = c0 >= shape.context_columns();
    const int low = noise ? 0 : max(0, c0 - 2 * shape.m);
    const int high = noise ? place.centers : min(place.centers, c0 + STEP_TILE);
#pragma unroll 4
    for (int t = low; t < high; ++t)
        accumulate(sums, slopes + t * shape.by_center_stride(), four(memory.V + t * shape.stride() + d));
    return sums;
}

// Shorten each row's step to its bound.
__device__ inline void shorten(Steps& sums, const float* bounds, float share, int lane) {
    float squares[OWN_ROWS];
#pragma unroll
    for (int i = 0; i < OWN_ROWS; ++i) squares[i] = square(sums.rows[i]);
#if LANES == 32
#if OWN_ROWS == 4
    share_out<2, 16>(squares, lane);
#endif
#if OWN_ROWS >= 2
    share_out<1, 8>(squares, lane);
#endif
    float sum = squares[0];  // of row lane / 8, over its eight lanes
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 4);
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
    const float own = fminf(1.0f, share * bounds[lane / 8] * rsqrtf(sum));
#pragma unroll
    for (int i = 0; i < OWN_ROWS; ++i)
        sums.rows[i] = times(__shfl_sync(0xFFFFFFFFu, own, 8 * (own_row(lane) + i)), sums.rows[i]);
#else
    for (int i = 0; i < OWN_ROWS; ++i)
        sums.rows[i] = times(fminf(1.0f, share * bounds[i] * rsqrtf(squares[i])), sums.rows[i]);
#endif
}

// Add this lane's parts of the steps, four columns each, to rows of the tables: `row_of(i)` is where row i begins, or
// null, and `note(i, column, step)` is told.
template <class RowOf, class Note>
__device__ inline void add_parts(const Steps& sums, const Slice& slice, bool aligned, int lane, RowOf row_of, Note note) {
    const int d = slice.begin + own_columns(lane);
    if (d >= slice.width) return;
#pragma unroll
    for (int i = 0; i < OWN_ROWS; ++i) {
        float* row = row_of(own_row(lane) + i);
        if (row == nullptr) continue;
        add_to_row(row, d, sums.rows[i], slice.width, aligned);
        note(own_row(lane) + i, d, sums.rows[i]);
    }
}
