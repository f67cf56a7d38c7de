// The products of a group on tensor cores: factors rounded to TF32 (ten bits of fraction), sums in float32. A warp
// takes CENTER_TILE x SCORE_TILE scores, or the steps of STEP_TILE rows in SLICE columns of the tables.
//
// One instruction, m16n8k8, multiplies A (16, 8) by B (8, 8). Of lane 4 r + p, r = 0..7, p = 0..3:
//
//     A   rows r and r + 8, columns p and p + 4     B   rows p and p + 4, column r
//     result   rows r and r + 8, columns 2p and 2p + 1
//
// In what order the eight summands of k, or the columns n, stand is free. So that a lane reads four neighbours at a
// time, the columns of the tables are put to k and n out of order: see score_tile and column_of.

#define OWN_SCORES 4
#define BLOCKS (SLICE / 32)  // of 32 columns of a slice, four of the instruction's eight

#if !defined(HOST_BUILD)
struct Accumulator {
    float at[4];  // (r, 2p), (r, 2p + 1), (r + 8, 2p), (r + 8, 2p + 1)
};

// The instruction leaves the last thirteen bits out. (PTX's conversion takes three instructions, for what is not
// finite: of that a NaN may come out as 0 here. It stays in the table, where the trainer looks for it.)
__device__ inline u32 rounded(float x) { return __float_as_uint(x) + 0x1000u; }

__device__ inline void multiply(
    Accumulator& sum, u32 a_r_p, u32 a_r8_p, u32 a_r_p4, u32 a_r8_p4, u32 b_p_r, u32 b_p4_r) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum.at[0]), "+f"(sum.at[1]), "+f"(sum.at[2]), "+f"(sum.at[3])
        : "r"(a_r_p), "r"(a_r8_p), "r"(a_r_p4), "r"(a_r8_p4), "r"(b_p_r), "r"(b_p4_r));
}
#endif

__device__ inline int own_center(int i, int lane) { return lane / 4 + i / 2 * 8; }
__device__ inline int own_column(int i, int lane) { return lane % 4 * 2 + i % 2; }

// Two times eight summands for every four columns that a lane reads: d .. d + 3 are the k of p, p + 4, p, p + 4.
__device__ inline void score_tile(
    float* scores, const float* v, const float* U, const int* row_at, const Shape& shape, int width, int lane) {
    const int r = lane / 4, p = lane % 4;
    const float *upper = v + r * shape.stride(), *lower = upper + 8 * shape.stride(), *row = U + row_at[r];
    Accumulator sums[2] = {};
    for (int block = 0; block < width; block += 32) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int d = block + 8 * p + 4 * half;
            const float4 a = four(upper + d), a8 = four(lower + d), b = four(row + d);
            multiply(sums[0], rounded(a.x), rounded(a8.x), rounded(a.y), rounded(a8.y), rounded(b.x), rounded(b.y));
            multiply(sums[1], rounded(a.z), rounded(a8.z), rounded(a.w), rounded(a8.w), rounded(b.z), rounded(b.w));
        }
    }
#pragma unroll
    for (int i = 0; i < OWN_SCORES; ++i) scores[i] = sums[0].at[i] + sums[1].at[i];
}

// Column n of the instruction stands for four neighbours in a block of 32, one for each of the block's four results.
// What a lane has of n = 2p and 2p + 1 are then two float4, and the same of four lanes are 64 bytes in one piece.
__device__ inline int column_of(int n) { return n / 2 * 4 + n % 2 * 16; }

struct Steps {
    Accumulator of[BLOCKS][4];
};

// Add the slopes (16, 8) times eight rows. The slopes of row r begin at `slopes`, those of r + 8 at `slopes8`.
__device__ inline void multiply_slopes(
    Steps& sums, const float* slopes, const float* slopes8, const float* row, const float* row4,
    const Slice& slice, int lane) {
    const int p = lane % 4;
    const u32 a = rounded(slopes[p]), a8 = rounded(slopes8[p]);
    const u32 a4 = rounded(slopes[p + 4]), a84 = rounded(slopes8[p + 4]);
#pragma unroll
    for (int block = 0; block < BLOCKS; ++block) {
        const int begin = slice.begin + 32 * block;
        if (begin >= slice.width) break;
        const float4 x = four(row + begin + column_of(lane / 4)), x4 = four(row4 + begin + column_of(lane / 4));
        multiply(sums.of[block][0], a, a8, a4, a84, rounded(x.x), rounded(x4.x));
        multiply(sums.of[block][1], a, a8, a4, a84, rounded(x.y), rounded(x4.y));
        multiply(sums.of[block][2], a, a8, a4, a84, rounded(x.z), rounded(x4.z));
        multiply(sums.of[block][3], a, a8, a4, a84, rounded(x.w), rounded(x4.w));
    }
}

// Of the centres t0 .. t0 + 15: slopes times the rows of their windows and of the noise words.
__device__ inline Steps steps_of_centers(
    const Members& here, const Place&, const Shape& shape, const Memory& memory, int t0, const Slice& slice,
    int lane) {
    Steps sums = {};
    const int p = lane % 4, stride = shape.by_center_stride();
    const int stop = min(t0 + STEP_TILE + 2 * shape.m, shape.context_columns());
    const float* slopes = memory.by_center + (t0 + lane / 4) * stride;
#pragma unroll 4
    for (int c = t0; c < stop; c += 8) {
        const float *row = memory.U + here.row_at()[c + p], *row4 = memory.U + here.row_at()[c + 4 + p];
        multiply_slopes(sums, slopes + c, slopes + 8 * stride + c, row, row4, slice, lane);
    }
#pragma unroll 4
    for (int c = shape.context_columns(); c < shape.columns(); c += 8) {
        const float *row = memory.U + here.row_at()[c + p], *row4 = memory.U + here.row_at()[c + 4 + p];
        multiply_slopes(sums, slopes + c, slopes + 8 * stride + c, row, row4, slice, lane);
    }
    return sums;
}

// Of the rows in columns c0 .. c0 + 15: slopes times the centres that see them.
__device__ inline Steps steps_of_rows(
    const Place& place, const Shape& shape, const Memory& memory, int c0, const Slice& slice, int lane) {
    Steps sums = {};
    const int p = lane % 4, stride = shape.by_row_stride();
    const bool noise = c0 >= shape.context_columns();
    const int low = noise ? 0 : max(0, c0 - 2 * shape.m) / 8 * 8;
    const int high = noise ? place.centers : min(place.centers, c0 + STEP_TILE);
    const float* slopes = memory.by_row + (c0 + lane / 4) * stride;
#pragma unroll 2
    for (int t = low; t < high; t += 8) {
        const float* row = memory.V + (t + p) * shape.stride();
        const float* row4 = row + 4 * shape.stride();
        multiply_slopes(sums, slopes + t, slopes + 8 * stride + t, row, row4, slice, lane);
    }
    return sums;
}

// Columns 4q .. 4q + 3 of row r or r + 8 in a block, q = p or p + 4.
__device__ inline float4 part_of(const Accumulator* block, int lower, int second) {
    const int i = 2 * lower + second;
    return make_float4(block[0].at[i], block[1].at[i], block[2].at[i], block[3].at[i]);
}

// Shorten each row's step to its bound.
__device__ inline void shorten(Steps& sums, const float* bounds, float share, int lane) {
#pragma unroll
    for (int lower = 0; lower < 2; ++lower) {
        float sum = 0.0f;
#pragma unroll
        for (int block = 0; block < BLOCKS; ++block)
            sum += square(part_of(sums.of[block], lower, 0)) + square(part_of(sums.of[block], lower, 1));
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
        const float factor = fminf(1.0f, share * bounds[lane / 4 + 8 * lower] * rsqrtf(sum));
#pragma unroll
        for (int block = 0; block < BLOCKS; ++block)
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                sums.of[block][j].at[2 * lower] *= factor;
                sums.of[block][j].at[2 * lower + 1] *= factor;
            }
    }
}

// Add this lane's parts of the steps, four columns each, to rows of the tables: `row_of(i)` is where row i begins, or
// null, and `note(i, column, step)` is told.
template <class RowOf, class Note>
__device__ inline void add_parts(const Steps& sums, const Slice& slice, bool aligned, int lane, RowOf row_of, Note note) {
#pragma unroll
    for (int lower = 0; lower < 2; ++lower) {
        const int i = lane / 4 + 8 * lower;
        float* row = row_of(i);
        if (row == nullptr) continue;
#pragma unroll
        for (int block = 0; block < BLOCKS; ++block)
#pragma unroll
            for (int second = 0; second < 2; ++second) {
                const int d = slice.begin + 32 * block + column_of(2 * (lane % 4) + second);
                if (d >= slice.width) continue;
                const float4 step = part_of(sums.of[block], lower, second);
                add_to_row(row, d, step, slice.width, aligned);
                note(i, d, step);
            }
    }
}
