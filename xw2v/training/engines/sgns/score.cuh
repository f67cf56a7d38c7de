// Scores of a group, and their slopes -alpha dJ/dscore.

__device__ inline float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(__expf(-fabsf(x))); }

// Of one centre and column; and the loss if it is wanted.
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

// Scores of the columns near each centre and of the noise words, over the columns [at, at + width) of the tables;
// after the last of them slopes, in both orders.
__device__ inline void score(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int at, float alpha,
    bool measured, double& loss) {
    const int lane = threadIdx.x % LANES, warps = blockDim.x / LANES;
    const bool first = at == 0, last = at + shape.tile >= shape.D;
    const int near = (2 * shape.m + CENTER_TILE + SCORE_TILE - 1) / SCORE_TILE;
    const int noise = (shape.columns - shape.context_columns) / SCORE_TILE;
    const int units = (place.centers + CENTER_TILE - 1) / CENTER_TILE * (near + noise);
    for (int unit = threadIdx.x / LANES; unit < units; unit += warps) {
        const int t0 = unit / (near + noise) * CENTER_TILE, k = unit % (near + noise);
        const int c0 = k < near ? t0 + k * SCORE_TILE : shape.context_columns + (k - near) * SCORE_TILE;
        if (k < near && c0 >= shape.context_columns) continue;
        float scores[OWN_SCORES];
        score_tile(scores, memory.V + t0 * shape.stride, memory.U, here.row_at() + c0, shape, shape.width(at), lane);
#pragma unroll
        for (int i = 0; i < OWN_SCORES; ++i) {
            const int t = t0 + own_center(i, lane), c = c0 + own_column(i, lane);
            float x = scores[i];
            float* to = memory.by_center + t * shape.by_center_stride() + c;
            if (!first) x += *to;
            if (last) {
                x = slope_of(x, t, c, here, shape, place.centers, alpha, measured, loss);
                memory.by_row[c * shape.by_row_stride() + t] = x;
            }
            *to = x;
        }
    }
}
