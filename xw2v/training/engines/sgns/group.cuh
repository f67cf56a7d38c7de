// A group: its shape, its place in the chunk, its words and its rows in shared memory.

// The columns of a group: column c < context_columns is token j0 - m + c (m + t is centre t itself), then come the
// noise words from there on. Columns that stand for nothing have id -1 and the slope 0.
struct Shape {
    int D, m, b, S;
    int tile;      // columns of the tables held at a time: all of the block's part, or less where that is too long
    bool bounded;  // steps are shortened

    // Columns of the tables that each block of a cluster takes; the last one may have less.
    __device__ constexpr int part() const { return CLUSTER == 1 ? D : rounded_up((D + CLUSTER - 1) / CLUSTER, 4); }
    __device__ constexpr bool whole() const { return tile == part(); }  // the overlap's rows are kept from group to group
    __device__ constexpr bool aligned() const { return D % 4 == 0; }    // rows of the tables begin at 16 bytes
    __device__ constexpr int ring() const { return b + 2 * m; }         // rows of contexts; token j has row j mod ring
    __device__ constexpr int centers() const { return rounded_up(b, CENTER_TILE); }
    __device__ constexpr int context_columns() const { return rounded_up(ring(), COLUMN_TILE); }
    __device__ constexpr int columns() const { return context_columns() + rounded_up(S, COLUMN_TILE); }
    __device__ constexpr int stride() const { return rounded_up(tile, WIDTH_TILE) + PAD; }  // of rows in shared memory
    __device__ constexpr int by_center_stride() const { return columns() + PAD; }
    __device__ constexpr int by_row_stride() const { return centers() + PAD; }
    __device__ constexpr int member_size() const { return 6 * centers() + 4 * columns() + rounded_up(2 * m + 1, 4); }
    __device__ constexpr int scores_size() const { return centers() * by_center_stride(); }
    __device__ int begin() const { return cluster_rank() * part(); }  // the block's first column
    __device__ int room(int at) const { return min(tile, part() - at); }  // columns of the tile at `at`,
    __device__ int width(int at) const {  // and how many of them there are
        return CLUSTER == 1 ? room(at) : max(0, min(tile, min(part(), D - begin()) - at));
    }
};

// Where things lie in the shared memory of a block; `cuda.py` _shared_bytes counts them.
struct Memory {
    float* V;              // [centers][stride]
    float* U;              // [ring + S][stride]
    float* carried;        // [2m][stride] what was added to the rows that are kept; only if whole
    float* by_center;      // [centers][by_center_stride] slopes; before, scores over the columns taken so far
    float* by_row;         // [columns][by_row_stride] the same
    float* center_bounds;  // [centers]
    float* row_bounds;     // [columns]
    float* sent;           // [2][CLUSTER][centers][by_center_stride] scores over each block's columns; only in clusters
    int* members;          // two Members
};

__device__ inline Memory memory_of(float* begin, const Shape& shape) {
    Memory memory;
    memory.V = begin;
    memory.U = memory.V + shape.centers() * shape.stride();
    memory.carried = memory.U + (shape.ring() + shape.S) * shape.stride();
    memory.by_center = memory.carried + (shape.whole() ? 2 * shape.m * shape.stride() : 0);
    memory.by_row = memory.by_center + shape.centers() * shape.by_center_stride();
    memory.center_bounds = memory.by_row + shape.columns() * shape.by_row_stride();
    memory.row_bounds = memory.center_bounds + shape.centers();
    memory.sent = memory.row_bounds + shape.columns();
    memory.members = (int*)(memory.sent + (CLUSTER > 1 ? 2 * CLUSTER * shape.scores_size() : 0));
    return memory;
}

// Some columns of the tables of some rows, whose steps a warp takes: `begin` .. in the tile at `at`, which has `width`.
struct Slice {
    int at, begin, width;
    float share;  // the part of a row's bound that the slice gets: by its number of columns, as if of equal size
};

// Ids and windows of one group; there are two of these, the next group's is filled while this one's rows arrive.
// Offsets are worked out again at every use: held in registers they would be too many.
struct Members {
    int* base;
    int centers, columns;

    // [centers + columns] where each row begins in its table; null where there is none
    __device__ const float** from() const { return (const float**)base; }
    __device__ int* center_ids() const { return base + 2 * (centers + columns); }  // [centers]
    __device__ int* low() const { return center_ids() + centers; }                 // [centers] first column in the window
    __device__ int* high() const { return low() + centers; }                       // [centers] last one
    __device__ float* weights() const { return (float*)(high() + centers); }       // [centers] K n_t / S
    __device__ int* row_ids() const { return high() + 2 * centers; }               // [columns]
    __device__ int* row_at() const { return row_ids() + columns; }  // [columns] where in the block's U, in floats
    __device__ float* alpha() const { return (float*)(row_at() + columns); }  // [1] the learning rate
    // [2m] must the row that the group before left in this column be read anew
    __device__ int* again() const { return row_at() + columns + 1; }
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

// How the learning rate falls over the kept tokens of the chunk.
struct Schedule {
    i64 R, kept;
    double first, last;

    __device__ float alpha(i64 done) const {
        const double progress = (double)(R * done / kept) / R;
        return (float)(first + (last - first) * progress);
    }
};

// The tables, and what was drawn for the groups of the chunk.
struct Drawn {
    float *center_vectors, *outside_vectors;
    const int* kept_ids;
    const u32* kept_span;
    const i64* kept_before;
    const int* noise_ids;
    int segment, negative;
};

__device__ inline void fill_members(
    const Members& to, const Place& place, const Shape& shape, const Drawn& drawn, const Schedule& schedule) {
    const i64 base = (i64)place.segment * drawn.segment;
    const int m = shape.m, j0 = place.first, n = place.centers;
    // From the last thread on: the first ones have the most to do.
    const int thread = blockDim.x - 1 - threadIdx.x;
    for (int c = thread; c < shape.columns(); c += blockDim.x) {
        const int j = j0 - m + c, s = c - shape.context_columns();
        int id = -1, row = 0;
        if (s < 0) {
            if (j >= 0 && j < place.kept && c < n + 2 * m) {
                id = drawn.kept_ids[base + j];
                row = j % shape.ring();
            }
        } else if (s < shape.S) {
            id = drawn.noise_ids[(i64)place.group * shape.S + s];
            row = shape.ring() + s;
        }
        to.row_ids()[c] = id;
        to.row_at()[c] = row * shape.stride();
        to.from()[shape.centers() + c] = id < 0 ? nullptr : drawn.outside_vectors + (i64)id * shape.D;
    }
    for (int t = thread; t < shape.centers(); t += blockDim.x) {
        const bool there = t < n;
        const u32 span = there ? drawn.kept_span[base + j0 + t] : 0;
        const int left = (int)(span & 0xFFFF), right = (int)(span >> 16);
        const int id = there ? drawn.kept_ids[base + j0 + t] : -1;
        to.center_ids()[t] = id;
        to.from()[t] = there ? drawn.center_vectors + (i64)id * shape.D : nullptr;
        to.low()[t] = t + m - left;
        to.high()[t] = t + m + right;
        to.weights()[t] = (float)((left + right) * (i64)drawn.negative) / shape.S;
    }
    for (int c = thread; c < 2 * m; c += blockDim.x) to.again()[c] = 0;
    if (threadIdx.x == 0) *to.alpha() = schedule.alpha(drawn.kept_before[place.segment] + j0);
}

// Fetch what fill_members will read some groups later: it comes from device memory.
__device__ inline void prefetch_members(
    const Place& place, const Shape& shape, const Drawn& drawn, int groups, int thread) {
    const int ahead = 4;
    if (place.group + ahead >= groups) return;
    const i64 j = (i64)place.segment * drawn.segment + min(place.first + ahead * shape.b, place.kept - 1);
    const int* noise = drawn.noise_ids + (i64)(place.group + ahead) * shape.S;
    if (thread == 0) prefetch(noise);
    if (thread == 1) prefetch(noise + shape.S - 1);
    if (thread == 2) prefetch(drawn.kept_ids + j);
    if (thread == 3) prefetch(drawn.kept_span + j);
}

// A row that a later group keeps misses what this group adds to the same word at another place: it is read anew.
__device__ inline void mark_repeats(
    const Members& here, const Members& next, const Shape& shape, int thread, int threads) {
    const int carried = 2 * shape.m;
    for (int i = thread; i < carried * shape.columns(); i += threads) {
        const int carry = i / shape.columns(), c = i % shape.columns(), own = shape.b + carry;
        if (c != own && here.row_ids()[c] == here.row_ids()[own]) next.again()[carry] = 1;
    }
}

// Columns [at, at + width) of all rows of the group, or of those that are not there yet; four columns a thread.
__device__ inline void load_rows(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int at) {
    const int width = shape.width(at), fours = rounded_up(shape.room(at), WIDTH_TILE) / 4;
    const bool carry = shape.whole() && place.follows;
#pragma unroll (4 / CLUSTER)
    for (int i = threadIdx.x; i < (shape.centers() + shape.columns()) * fours; i += blockDim.x) {
        const int row = i / fours, d = i % fours * 4, c = row - shape.centers();
        const float* from = here.from()[row];
        if (from == nullptr) continue;
        float* into = (c < 0 ? memory.V + row * shape.stride() : memory.U + here.row_at()[c]) + d;
        if (carry && c >= 0 && c < 2 * shape.m && !here.again()[c])
            *(float4*)into = sum(four(into), four(memory.carried + c * shape.stride() + d));
        else
            copy_part(into, from + at + d, width - d, shape.aligned());
    }
}

// The bounds of the group's rows.
__device__ inline void load_bounds(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, const float* center_bound,
    const float* outside_bound) {
    for (int t = threadIdx.x; t < place.centers; t += blockDim.x)
        copy_one(memory.center_bounds + t, center_bound + here.center_ids()[t]);
    for (int c = threadIdx.x; c < shape.columns(); c += blockDim.x) {
        const int id = here.row_ids()[c];
        if (id < 0) memory.row_bounds[c] = 0.0f;
        else copy_one(memory.row_bounds + c, outside_bound + id);
    }
}

// The L2 cache fetches the rows of the next group while this one is worked on. It stays coherent with the atomics.
__device__ inline void prefetch_rows(const Members& next, const Shape& shape, int thread, int threads) {
    const int lines = (shape.part() + 31) / 32;
    for (int i = thread; i < (shape.centers() + shape.columns()) * lines; i += threads) {
        const float* from = next.from()[i / lines];
        if (from != nullptr && (CLUSTER == 1 || i % lines * 32 < shape.width(0))) prefetch(from + i % lines * 32);
    }
}
