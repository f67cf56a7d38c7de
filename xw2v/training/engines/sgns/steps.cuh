// The steps of both tables' rows, added to the tables. V and U are only read.

__device__ inline void add_to_centers(
    const Steps& sums, const Members& here, const Place& place, const Shape& shape, int t0, const Slice& slice,
    float* center_vectors, int lane) {
    each_part(sums, slice, lane, [&](int i, int d, float4 step) {
        if (t0 + i >= place.centers) return;
        float* row = center_vectors + (i64)here.center_ids()[t0 + i] * shape.D + slice.at;
        add_to_row(row, d, step, slice.width, shape.aligned);
    });
}

// The steps of rows that the next group keeps are noted as well.
__device__ inline void add_to_rows(
    const Steps& sums, const Members& here, const Shape& shape, const Memory& memory, int c0, const Slice& slice,
    float* outside_vectors, int lane) {
    each_part(sums, slice, lane, [&](int i, int d, float4 step) {
        const int id = here.row_ids()[c0 + i], carry = c0 + i - shape.b;
        if (id < 0) return;
        add_to_row(outside_vectors + (i64)id * shape.D + slice.at, d, step, slice.width, shape.aligned);
        if (shape.whole && carry >= 0 && carry < 2 * shape.m)
            *(float4*)(memory.carried + carry * shape.stride + d) = step;
    });
}

// All steps of a group in columns [at, at + width) of the tables.
__device__ inline void take_steps(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int at,
    float* center_vectors, float* outside_vectors) {
    const int lane = threadIdx.x % LANES, warps = blockDim.x / LANES, width = shape.width(at);
    const int parts = (width + SLICE - 1) / SLICE;
    const int of_centers = (place.centers + STEP_TILE - 1) / STEP_TILE * parts;
    const int of_rows = shape.columns / STEP_TILE * parts;
    for (int unit = threadIdx.x / LANES; unit < of_centers + of_rows; unit += warps) {
        const bool centers = unit < of_centers;
        const int k = centers ? unit : unit - of_centers;
        const int first = k / parts * STEP_TILE, begin = k % parts * SLICE;
        const Slice slice{at, begin, width, sqrtf((float)min(SLICE, width - begin) / shape.D)};
        if (centers) {
            Steps sums = steps_of_centers(here, place, shape, memory, first, slice, lane);
            if (shape.bounded) shorten(sums, memory.center_bounds + first, slice.share, lane);
            add_to_centers(sums, here, place, shape, first, slice, center_vectors, lane);
        } else {
            Steps sums = steps_of_rows(place, shape, memory, first, slice, lane);
            if (shape.bounded) shorten(sums, memory.row_bounds + first, slice.share, lane);
            add_to_rows(sums, here, shape, memory, first, slice, outside_vectors, lane);
        }
    }
}
