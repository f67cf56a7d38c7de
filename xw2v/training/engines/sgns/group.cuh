// A group: its shape, its place in the chunk, its words and its rows in shared memory.

// The columns of a group: column c < context_columns is token j0 - m + c (m + t is centre t itself), then come the
// noise words from there on. Columns that stand for nothing have id -1 and the slope 0.
struct Shape {
    int D, m, b, S;
    int ring;             // b + 2m rows of contexts; the token j of a segment has row j mod ring
    int centers;          // b rounded up to CENTER_TILE
    int context_columns;  // b + 2m rounded up to STEP_TILE
    int columns;          // with the noise words, rounded up likewise
    int stride;           // floats from one row in shared memory to the next
    int tile;             // columns of the tables held at a time: D, or less where D is too long
    bool whole;           // tile == D: rows of the overlap are kept from group to group
    bool aligned;         // rows of the tables begin at 16 bytes
    bool bounded;         // steps are shortened

    __device__ int by_center_stride() const { return columns + PAD; }
    __device__ int by_row_stride() const { return centers + PAD; }
    __device__ int member_size() const { return 4 * centers + 2 * columns + rounded_up(2 * m, 4); }
    __device__ int width(int at) const { return min(tile, D - at); }  // columns of the tile at `at`
};

__device__ inline Shape shape_of(int D, int m, int b, int S, int tile, bool bounded) {
    Shape shape;
    shape.D = D, shape.m = m, shape.b = b, shape.S = S, shape.tile = tile;
    shape.ring = b + 2 * m;
    shape.centers = rounded_up(b, CENTER_TILE);
    shape.context_columns = rounded_up(shape.ring, STEP_TILE);
    shape.columns = shape.context_columns + rounded_up(S, STEP_TILE);
    shape.stride = rounded_up(tile, WIDTH_TILE) + PAD;
    shape.whole = tile == D;
    shape.aligned = D % 4 == 0;
    shape.bounded = bounded;
    return shape;
}

// Where things lie in the shared memory of a block; `cuda.py` _shared_bytes counts them.
struct Memory {
    float* V;              // [centers][stride]
    float* U;              // [ring + S][stride]
    float* carried;        // [2m][stride] what was added to the rows that are kept; only if whole
    float* by_center;      // [centers][by_center_stride] slopes
    float* by_row;         // [columns][by_row_stride] the same
    float* center_bounds;  // [centers]
    float* row_bounds;     // [columns]
    int* members;          // two Members
};

__device__ inline Memory memory_of(float* begin, const Shape& shape) {
    Memory memory;
    memory.V = begin;
    memory.U = memory.V + shape.centers * shape.stride;
    memory.carried = memory.U + (shape.ring + shape.S) * shape.stride;
    memory.by_center = memory.carried + (shape.whole ? 2 * shape.m * shape.stride : 0);
    memory.by_row = memory.by_center + shape.centers * shape.by_center_stride();
    memory.center_bounds = memory.by_row + shape.columns * shape.by_row_stride();
    memory.row_bounds = memory.center_bounds + shape.centers;
    memory.members = (int*)(memory.row_bounds + shape.columns);
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

    __device__ int* center_ids() const { return base; }               // [centers]
    __device__ int* low() const { return base + centers; }            // [centers] first column in the window
    __device__ int* high() const { return base + 2 * centers; }       // [centers] last one
    __device__ float* weights() const { return (float*)(base + 3 * centers); }  // [centers] K n_t / S
    __device__ int* row_ids() const { return base + 4 * centers; }    // [columns]
    __device__ int* row_at() const { return row_ids() + columns; }    // [columns] where in the block's U, in floats
    // [2m] must the row that the group before left in this column be read anew
    __device__ int* again() const { return row_at() + columns; }
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

__device__ inline void fill_members(
    const Members& to, const Place& place, const Shape& shape, const int* kept_ids, const u32* kept_span,
    const int* noise_ids, int segment, int negative) {
    const i64 base = (i64)place.segment * segment;
    const int m = shape.m, j0 = place.first, n = place.centers;
    for (int t = threadIdx.x; t < shape.centers; t += blockDim.x) {
        const bool there = t < n;
        const u32 span = there ? kept_span[base + j0 + t] : 0;
        const int left = (int)(span & 0xFFFF), right = (int)(span >> 16);
        to.center_ids()[t] = there ? kept_ids[base + j0 + t] : -1;
        to.low()[t] = t + m - left;
        to.high()[t] = t + m + right;
        to.weights()[t] = (float)((double)((left + right) * (i64)negative) / shape.S);
    }
    for (int c = threadIdx.x; c < shape.columns; c += blockDim.x) {
        const int j = j0 - m + c, s = c - shape.context_columns;
        int id = -1, row = 0;
        if (s < 0) {
            if (j >= 0 && j < place.kept && c < n + 2 * m) {
                id = kept_ids[base + j];
                row = j % shape.ring;
            }
        } else if (s < shape.S) {
            id = noise_ids[(i64)place.group * shape.S + s];
            row = shape.ring + s;
        }
        to.row_ids()[c] = id;
        to.row_at()[c] = row * shape.stride;
    }
    for (int c = threadIdx.x; c < 2 * m; c += blockDim.x) to.again()[c] = 0;
}

// A row that a later group keeps misses what this group adds to the same word at another place: it is read anew.
__device__ inline void mark_repeats(const Members& here, const Members& next, const Shape& shape) {
    const int carried = 2 * shape.m;
    for (int i = threadIdx.x; i < carried * shape.columns; i += blockDim.x) {
        const int carry = i / shape.columns, c = i % shape.columns, own = shape.b + carry;
        if (c != own && here.row_ids()[c] == here.row_ids()[own]) next.again()[carry] = 1;
    }
}

// Columns [at, at + width) of all rows of the group, or of those that are not there yet.
__device__ inline void load_rows(
    const Members& here, const Place& place, const Shape& shape, const Memory& memory, int at,
    const float* center_vectors, const float* outside_vectors) {
    const int lane = threadIdx.x % LANES, warps = blockDim.x / LANES, width = shape.width(at);
    for (int i = threadIdx.x / LANES; i < place.centers + shape.columns; i += warps) {
        if (i < place.centers) {
            const float* from = center_vectors + (i64)here.center_ids()[i] * shape.D + at;
            copy_row(memory.V + i * shape.stride, from, width, shape.aligned, lane);
            continue;
        }
        const int c = i - place.centers;
        if (here.row_ids()[c] < 0) continue;
        float* into = memory.U + here.row_at()[c];
        if (shape.whole && place.follows && c < 2 * shape.m && !here.again()[c]) {
            const float* step = memory.carried + c * shape.stride;
            for (int d = lane; d < width; d += LANES) into[d] += step[d];
        } else {
            const float* from = outside_vectors + (i64)here.row_ids()[c] * shape.D + at;
            copy_row(into, from, width, shape.aligned, lane);
        }
    }
}

// The L2 cache fetches the rows of the next group while this one is worked on. It stays coherent with the atomics.
__device__ inline void prefetch_rows(
    const Members& next, const Shape& shape, const float* center_vectors, const float* outside_vectors) {
    const int lines = (shape.D + 31) / 32;
    for (int i = threadIdx.x; i < (shape.centers + shape.columns) * lines; i += blockDim.x) {
        const int row = i / lines, d = i % lines * 32;
        const bool center = row < shape.centers;
        const int id = center ? next.center_ids()[row] : next.row_ids()[row - shape.centers];
        if (id >= 0) prefetch((center ? center_vectors : outside_vectors) + (i64)id * shape.D + d);
    }
}
