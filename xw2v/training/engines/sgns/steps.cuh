// The steps of both tables' rows, added to the tables. V and U are only read.

__device__ inline void step_centers(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int t0, const Slice& slice,
    int lane) {
    Steps sums = steps_of_centers(here, place, shape, memory, t0, slice, lane);
    if (shape.bounded) shorten(sums, memory.center_bounds + t0, slice.share, lane);
    const auto row_of = [&](int i) -> float* {
        float* from = (float*)here.from()[t0 + i];
        return from == nullptr ? nullptr : from + slice.at;
    };
    add_parts(sums, slice, shape.aligned(), lane, row_of, [](int, int, float4) {});
}

// The steps of rows that the next group keeps are noted as well.
__device__ inline void step_rows(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int c0, const Slice& slice,
    int lane) {
    Steps sums = steps_of_rows(place, shape, memory, c0, slice, lane);
    if (shape.bounded) shorten(sums, memory.row_bounds + c0, slice.share, lane);
    const auto row_of = [&](int i) -> float* {
        float* from = (float*)here.from()[shape.centers() + c0 + i];
        return from == nullptr ? nullptr : from + slice.at;
    };
    add_parts(sums, slice, shape.aligned(), lane, row_of, [&](int i, int d, float4 step) {
        const int carry = c0 + i - shape.b;
        if (shape.whole() && carry >= 0 && carry < 2 * shape.m)
            *(float4*)(memory.carried + carry * shape.stride() + d) = step;
    });
}

// How many of the warps take the centres' steps, so that all are done at about the same time.
__device__ constexpr int center_warps(const Shape& shape, int warps, int of_centers, int of_rows) {
    const int adding = 20;  // what adding a step takes, in products
    const int centers = of_centers * (STEP_TILE + 2 * shape.m + shape.S + adding), rows = of_rows * (shape.b + adding);
    const int share = warps * centers / (centers + rows), most = of_centers < warps ? of_centers : warps - 1;
    return share < 1 ? 1 : share < most ? share : most;
}

// All steps of a group in columns [at, at + width) of the tables.
__device__ inline void take_steps(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int at) {
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES, warps = blockDim.x / LANES;
    const int width = shape.width(at), parts = (shape.room(at) + SLICE - 1) / SLICE;
    const int of_centers = (place.centers + STEP_TILE - 1) / STEP_TILE * parts;
    const int of_rows = shape.columns() / STEP_TILE * parts;
    const auto slice_of = [&](int unit) {
        const int begin = unit % parts * SLICE;
        return Slice{at, begin, width, sqrtf((float)min(SLICE, width - begin) / shape.D)};
    };
    const int first = center_warps(shape, warps, shape.centers() / STEP_TILE * parts, of_rows);
    const bool alone = warps == 1;
    if (alone || warp < first)
        for (int unit = warp; unit < of_centers; unit += alone ? 1 : first)
            step_centers(here, place, shape, memory, unit / parts * STEP_TILE, slice_of(unit), lane);
    if (alone || warp >= first)
        for (int unit = alone ? 0 : warp - first; unit < of_rows; unit += alone ? 1 : warps - first)
            step_rows(here, place, shape, memory, unit / parts * STEP_TILE, slice_of(unit), lane);
}
