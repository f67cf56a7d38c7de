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
//
// TF32=1 takes the products on tensor cores, which want compute capability 8.0; else they are float32.
// CLUSTER=2 or 4 has so many blocks share each group, which wants 9.0: see sgns/cluster.cuh.

#include "common.cuh"

typedef unsigned int u32;
typedef unsigned long long u64;

#ifndef TF32
#define TF32 0
#endif
#ifndef CLUSTER
#define CLUSTER 1
#endif

#include "sgns/cluster.cuh"
#include "sgns/chunk.cuh"
#include "sgns/tiles.cuh"
#include "sgns/rows.cuh"
#include "sgns/group.cuh"
#if TF32
#include "sgns/tf32.cuh"
#else
#include "sgns/float32.cuh"
#endif
#include "sgns/score.cuh"
#include "sgns/steps.cuh"

// Train on the groups of a chunk. Block k of n, or cluster of blocks, walks the k-th n-th of them. Of each group:
//
//     read     b rows of the centres' table, b rows of contexts (2m more are kept from the group before) and S of
//              noise words into shared memory; ids of the next group on the side
//     score    (b, D)·(D, b + 2m + S) near the diagonal, summed over the cluster; slopes -alpha dJ/dscore
//     add      both tables' steps, by atomics, shortened to each word's bound
//
// Shared memory: `cuda.py` _shared_bytes. Where a row does not fit, `tile` columns of the tables are taken at a
// time, all rows read twice and none kept.
// With SHAPE defined, as D, window, b, S, tile, bounded, it is for groups of that shape only, and faster.
// Bounds: many groups in flight read a frequent word's row and then all add to it. Each group's step of a row is
// shortened to the word's bound, which is the smaller the more groups in flight have that word. Not bounded means
// the definition. Of rows longer than SLICE columns each such slice is bounded by itself.
extern "C" __global__ void
#ifndef HOST_BUILD
__launch_bounds__(512, 1)
#if CLUSTER > 1
__cluster_dims__(CLUSTER, 1, 1)
#endif
#endif
train_groups(
    float* center_vectors, float* outside_vectors, int D, const float* center_bound, const float* outside_bound,
    const int* kept_ids, const u32* kept_span, const i64* kept_before, const i64* groups_before, i64 segments,
    int segment, const int* noise_ids, int window, int negative, int b, int S, i64 R, double alpha_first,
    double alpha_last, int tile, int bounded, int loss_every, double* loss_sum, u64* measured_pairs) {
#ifdef SHAPE
    constexpr Shape shape{SHAPE};
#else
    const Shape shape{D, window, b, S, tile, bounded != 0};
#endif
    const Memory memory = memory_of((float*)shared_memory, shape);
    // Rows and slopes that stand for nothing are multiplied by 0: they must be finite, and such slopes stay 0.
    for (int i = threadIdx.x; i < memory.center_bounds - memory.V; i += blockDim.x) memory.V[i] = 0.0f;

    const i64 groups = groups_before[segments];
    const u32 walk = blockIdx.x / CLUSTER, walks = gridDim.x / CLUSTER;
    const int begin = (int)(groups * walk / walks), end = (int)(groups * (walk + 1) / walks);
    const Drawn drawn{
        center_vectors + shape.begin(), outside_vectors + shape.begin(), kept_ids, kept_span, kept_before, noise_ids,
        segment, negative};
    const Schedule schedule{R, kept_before[segments], alpha_first, alpha_last};
    double loss = 0.0;
    u64 measured = 0;
    if (begin < end) {
        Place place;
        place.group = begin;
        place.segment = (int)segment_of(begin, groups_before, segments);
        find_segment(place, groups_before, kept_before);
        find_tokens(place, shape.b);
        place.follows = false;
        const Members first{memory.members, shape.centers(), shape.columns()};
        fill_members(first, place, shape, drawn, schedule);
        __syncthreads();
        sync_cluster();  // a block must have begun before another writes into its memory
        for (int turn = 0; place.group < end; turn ^= 1) {
            const Members here{memory.members + turn * shape.member_size(), shape.centers(), shape.columns()};
            const Members next{memory.members + (1 - turn) * shape.member_size(), shape.centers(), shape.columns()};
            const Place coming = place.group + 1 < end ? next_place(place, shape.b, groups_before, kept_before) : place;
            const bool to_measure = cluster_rank() == 0 && (place.group & (loss_every - 1)) == 0;
            for (int at = 0; at < shape.part(); at += shape.tile) {
                load_rows(here, place, shape, memory, at);
                if (at == 0) {
                    load_bounds(here, place, shape, memory, center_bound, outside_bound);
                    fill_members(next, coming, shape, drawn, schedule);
                }
                wait_for_copies();
                __syncthreads();
                if (at == 0) {
                    // Warps that have no scores to compute do what else there is, if they are many.
                    const int threads = blockDim.x, scoring = scoring_warps(shape) * LANES;
                    const int busy = scoring <= threads / 2 ? scoring : 0, thread = (int)threadIdx.x - busy;
                    if (thread >= 0) {
                        mark_repeats(here, next, shape, thread, threads - busy);
                        prefetch_rows(next, shape, thread, threads - busy);
                        prefetch_members(coming, shape, drawn, end, thread);
                    }
                }
                score(here, place, shape, memory, at, turn, to_measure, loss);
                __syncthreads();
            }
            // Before the last barrier of the turn: after it other threads fill these members for the group after the next.
            if (to_measure && threadIdx.x == 0)
                for (int t = 0; t < place.centers; ++t) measured += here.high()[t] - here.low()[t];
            for (int at = (shape.part() - 1) / shape.tile * shape.tile; at >= 0; at -= shape.tile) {
                if (at + shape.tile < shape.part()) {
                    load_rows(here, place, shape, memory, at);
                    wait_for_copies();
                    __syncthreads();
                }
                take_steps(here, place, shape, memory, at);
                __syncthreads();
            }
            place.group += 1;
            if (place.group < end) place = coming;
        }
    }
    if (loss != 0.0) atomicAdd(loss_sum, loss);
    if (measured != 0) atomicAdd(measured_pairs, measured);
}
