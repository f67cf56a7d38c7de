// Scores of a group, and their slopes -alpha dJ/dscore.

// Of one centre and column; and the loss if it is wanted.
__device__ inline float slope_of(
    float score, int t, int c, const Members& here, const Shape& shape, int n, float alpha, bool measured,
    double& loss) {
    const bool noise = c >= shape.context_columns();
    const bool seen = c >= here.low()[t] && c <= here.high()[t] && c != t + shape.m;
    if (t >= n || (noise ? c >= shape.context_columns() + shape.S : !seen)) return 0.0f;
    const float weight = noise ? here.weights()[t] : 1.0f, away = noise ? -score : score;
    if (measured) loss += weight * softplus<Fast>(-away);
    const float push = push_of<Fast>(alpha * weight, away);
    return noise ? -push : push;
}

// Tiles of columns that a tile of centres has scores with: near them, and of noise words.
__device__ constexpr int near_tiles(const Shape& shape) {
    return (2 * shape.m + CENTER_TILE + SCORE_TILE - 1) / SCORE_TILE;
}
__device__ constexpr int noise_tiles(const Shape& shape) {
    return (shape.columns() - shape.context_columns()) / SCORE_TILE;
}

// How many warps compute scores, if each takes one tile.
__device__ constexpr int scoring_warps(const Shape& shape) {
    return shape.centers() / CENTER_TILE * (near_tiles(shape) + noise_tiles(shape));
}

// Tell `visit(t0, c0)` of each tile of scores that this warp takes: of columns near its centres, and of noise words.
template <class Visit>
__device__ inline void for_own_tiles(const Place& place, const Shape& shape, Visit visit) {
    const int warps = blockDim.x / LANES, near = near_tiles(shape), tiles = near + noise_tiles(shape);
    for (int unit = threadIdx.x / LANES; unit < shape.centers() / CENTER_TILE * tiles; unit += warps) {
        const int t0 = unit / tiles * CENTER_TILE, k = unit % tiles;
        const int c0 = k < near ? t0 + k * SCORE_TILE : shape.context_columns() + (k - near) * SCORE_TILE;
        if (t0 >= place.centers || (k < near && c0 >= shape.context_columns())) continue;
        visit(t0, c0);
    }
}

// Scores over the columns [at, at + width) of the tables; after the last of them slopes, in both orders.
__device__ inline void score(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int at, int turn, bool measured,
    double& loss) {
    const int lane = threadIdx.x % LANES;
    const bool first = at == 0, last = at + shape.tile >= shape.part();
    const float alpha = *here.alpha();
    const auto keep_slope = [&](float score, int t, int c) {
        const float slope = slope_of(score, t, c, here, shape, place.centers, alpha, measured, loss);
        memory.by_row[c * shape.by_row_stride() + t] = slope;
        memory.by_center[t * shape.by_center_stride() + c] = slope;
    };
    float* sent = memory.sent + turn * CLUSTER * shape.scores_size();
    for_own_tiles(place, shape, [&](int t0, int c0) {
        float scores[OWN_SCORES];
        score_tile(scores, memory.V + t0 * shape.stride(), memory.U, here.row_at() + c0, shape, shape.room(at), lane);
#pragma unroll
        for (int i = 0; i < OWN_SCORES; ++i) {
            const int t = t0 + own_center(i, lane), c = c0 + own_column(i, lane);
            float x = scores[i];
            float* so_far = memory.by_center + t * shape.by_center_stride() + c;
            if (!first) x += *so_far;
            if (!last) *so_far = x;
            else if (CLUSTER == 1) keep_slope(x, t, c);
            else send(sent + cluster_rank() * shape.scores_size() + t * shape.by_center_stride() + c, x);
        }
    });
    if (CLUSTER == 1 || !last) return;
    sync_cluster();
    for_own_tiles(place, shape, [&](int t0, int c0) {
#pragma unroll
        for (int i = 0; i < OWN_SCORES; ++i) {
            const int t = t0 + own_center(i, lane), c = c0 + own_column(i, lane);
            float x = 0.0f;
#pragma unroll
            for (int rank = 0; rank < CLUSTER; ++rank)
                x += sent[rank * shape.scores_size() + t * shape.by_center_stride() + c];
            keep_slope(x, t, c);
        }
    });
}
