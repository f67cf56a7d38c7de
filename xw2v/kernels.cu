// What CuPy's arrays are short of, in one launch each: rows added with repeats, a step's slopes, a softmax of scores.
//
// REAL is the type of numbers and ID that of word ids; xw2v/kernels.py compiles the text once for each pair. Kernels
// that say "a warp a row" work for any grid and block (a multiple of LANES); offsets of rows have 64 bits.
//
// Letters: N rows, V words, D vector size; T centres, C contexts and S noise words of each.

#include "common.cuh"

#ifndef REAL
#define REAL float
#define ID int
#endif

__device__ inline int lane() { return threadIdx.x % LANES; }
__device__ inline i64 warp() { return (i64)blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES; }
__device__ inline i64 warps() { return (i64)gridDim.x * (blockDim.x / LANES); }

template <class T>
__device__ inline T warp_sum(T own) {
    for (int bit = LANES / 2; bit > 0; bit /= 2) own += __shfl_xor_sync(0xFFFFFFFFu, own, bit);
    return own;
}

// ---- rows: a warp a row ---------------------------------------------------------------------------------------

// Rows of a table, or of two of them in one launch: row j is one of the first N, or else one of the M after them.
struct Row {
    i64 i;  // its number among those of its table
    REAL* table;
    const ID* ids;
    int* slots;  // one of the places of each id: the place represents the id
    REAL* rows;

    __device__ i64 word() const { return ids ? (i64)ids[i] : i; }
};

#define ROWS                                                                                             \
    i64 N, i64 M, int D, double scale, double max_norm, REAL *table, const ID *ids, int *slots, REAL *rows, \
        REAL *table_2, const ID *ids_2, int *slots_2, REAL *rows_2
#define ROW(j) ((j) < N ? Row{j, table, ids, slots, rows} : Row{(j) - N, table_2, ids_2, slots_2, rows_2})

// Add `scale` times each row to the table's row of its id.
extern "C" __global__ void sum_rows(ROWS) {
    for (i64 j = warp(); j < N + M; j += warps()) {
        const Row row = ROW(j);
        REAL* to = row.table + row.word() * D;
        for (int k = lane(); k < D; k += LANES) atomicAdd(to + k, (REAL)scale * row.rows[row.i * D + k]);
    }
}

// Copy rows out of the tables.
extern "C" __global__ void take_rows(ROWS) {
    for (i64 j = warp(); j < N + M; j += warps()) {
        const Row row = ROW(j);
        const REAL* from = row.table + row.word() * D;
        for (int k = lane(); k < D; k += LANES) row.rows[row.i * D + k] = from[k];
    }
}

// Have one place of each id stand in its slot.
extern "C" __global__ void claim_slots(ROWS) {
    for (i64 j = (i64)blockIdx.x * blockDim.x + threadIdx.x; j < N + M; j += (i64)gridDim.x * blockDim.x) {
        const Row row = ROW(j);
        row.slots[row.word()] = (int)row.i;
    }
}

// Add each row to the one that represents its id, where that is another.
extern "C" __global__ void sum_repeats(ROWS) {
    for (i64 j = warp(); j < N + M; j += warps()) {
        const Row row = ROW(j);
        const i64 at = row.slots[row.word()];
        if (at == row.i) continue;
        for (int k = lane(); k < D; k += LANES) atomicAdd(row.rows + at * D + k, row.rows[row.i * D + k]);
    }
}

// Add `scale` times a row to the table's row of its id, where it represents the id: no other warp adds there. A step
// longer than `max_norm`, if it is not negative, is shortened to it; one with NaN is not. Without ids and slots row i is
// that of word i.
extern "C" __global__ void add_shortened(ROWS) {
    const REAL bound = (REAL)max_norm * (REAL)max_norm;
    for (i64 j = warp(); j < N + M; j += warps()) {
        const Row row = ROW(j);
        const i64 word = row.word();
        if (row.slots && row.slots[word] != row.i) continue;
        const REAL* step = row.rows + row.i * D;
        REAL factor = 1;
        if (max_norm >= 0) {
            REAL square = 0;
            for (int k = lane(); k < D; k += LANES) {
                const REAL part = (REAL)scale * step[k];
                square += part * part;
            }
            square = warp_sum(square);
            if (square > bound) factor = sqrt(bound / square);
        }
        REAL* to = row.table + word * D;
        for (int k = lane(); k < D; k += LANES) to[k] += factor * ((REAL)scale * step[k]);
    }
}

// ---- the steps of negative sampling: a warp a centre -----------------------------------------------------------

// Scores (T, C + S) become slopes dJ/dscore of xw2v.losses.signed_sampling, with weight 1 for a context that is an
// outside word, and for a noise word `share` times their number. Loss and pairs are added to `totals`.
extern "C" __global__ void score_slopes(
    REAL* scores, const bool* positives, i64 T, int C, int S, double share, double* totals) {
    double loss = 0, all_pairs = 0;
    for (i64 t = warp(); t < T; t += warps()) {
        const bool* observed = positives + t * C;
        int own_pairs = 0;
        for (int c = lane(); c < C; c += LANES) own_pairs += observed[c];
        const int pairs = warp_sum(own_pairs);
        all_pairs += own_pairs;
        const REAL push = (REAL)pairs * (REAL)share;
        REAL* row = scores + t * (C + S);
        for (int r = lane(); r < C + S; r += LANES) {
            const REAL sign = r < C ? 1 : -1, weight = r < C ? (REAL)observed[r] : push;
            const REAL signed_score = sign * row[r];
            row[r] = push_of<Exact>(weight, signed_score) * -sign;
            loss += weight * softplus<Exact>(-signed_score);
        }
    }
    loss = warp_sum(loss);
    all_pairs = warp_sum(all_pairs);
    if (lane() == 0) {
        atomicAdd(totals, loss);
        atomicAdd(totals + 1, all_pairs);
    }
}

// ---- the exact softmax: a block a row --------------------------------------------------------------------------

#define AT_ONCE 12  // scores that a thread has on their way
#define ROOM 60     // e^60 times as many odds as there are words are still far from what a float holds

// The largest of all threads' numbers, or their sum. `scratch` has room for a number of each warp.
__device__ inline REAL block_result(REAL own, bool sum, REAL* scratch) {
    for (int bit = LANES / 2; bit > 0; bit /= 2) {
        const REAL other = __shfl_xor_sync(0xFFFFFFFFu, own, bit);
        own = sum ? own + other : fmax(own, other);
    }
    __syncthreads();
    if (lane() == 0) scratch[threadIdx.x / LANES] = own;
    __syncthreads();
    REAL all = scratch[0];
    for (int w = 1; w < (int)blockDim.x / LANES; ++w) all = sum ? all + scratch[w] : fmax(all, scratch[w]);
    return all;
}

// Scores (N, V), rows `pitch` apart, become odds e^(score - reference). Of each row also the log-normalizer, the factor
// weight / total that makes probabilities of odds, and its centre times that factor.
// The reference is the largest of the row's first scores, so that a row is read once: odds may be more than 1. Where a
// later score is larger by ROOM, it is the reference from there on, and what was written is brought to it.
// Shared memory: a REAL a warp.
extern "C" __global__ void
#ifndef HOST_BUILD
__launch_bounds__(512, 2)
#endif
odds_of_scores(
    REAL* scores, i64 N, int V, i64 pitch, const REAL* weights, const REAL* centers, int D, REAL* log_normalizers,
    REAL* factors, REAL* scaled) {
    REAL* scratch = (REAL*)shared_memory;
    const int threads = blockDim.x, mine = threadIdx.x / LANES * (AT_ONCE * LANES) + lane();  // and every LANES on
    for (i64 i = blockIdx.x; i < N; i += gridDim.x) {
        REAL* row = scores + i * pitch;
        REAL reference = 0, total = 0;
        for (int begin = 0; begin < V; begin += AT_ONCE * threads) {
            REAL* part = row + begin + mine;
            const int size = V - begin - mine;
            REAL own[AT_ONCE], largest = -1e30f;
#pragma unroll
            for (int j = 0; j < AT_ONCE; ++j) own[j] = j * LANES < size ? part[j * LANES] : -1e30f;
#pragma unroll
            for (int j = 0; j < AT_ONCE; ++j) largest = fmax(largest, own[j]);
            if (begin == 0) {
                reference = block_result(largest, false, scratch);
            } else if (__syncthreads_or(largest > reference + ROOM)) {
                const REAL before = reference;
                reference = block_result(largest, false, scratch);
                const REAL less = exp(before - reference);
                for (int at = mine; at < begin; at += AT_ONCE * threads)  // what this thread has written
                    for (int j = 0; j < AT_ONCE; ++j) row[at + j * LANES] *= less;
                total *= less;
            }
#pragma unroll
            for (int j = 0; j < AT_ONCE; ++j)
                if (j * LANES < size) {
                    const REAL odds = exp(own[j] - reference);
                    part[j * LANES] = odds;
                    total += odds;
                }
        }
        total = block_result(total, true, scratch);
        const REAL factor = weights[i] / total;
        for (int k = threadIdx.x; k < D; k += threads) scaled[i * D + k] = factor * centers[i * D + k];
        if (threadIdx.x == 0) {
            log_normalizers[i] = reference + log(total);
            factors[i] = factor;
        }
    }
}
