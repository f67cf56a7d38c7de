// How the work on a group is shared out to warps, by the products: float32.cuh or tf32.cuh. `cuda.py` Tiles has the
// same numbers.

#if TF32
#define CENTER_TILE 16  // centres by SCORE_TILE columns are the scores that a warp takes at a time
#define SCORE_TILE 8
#define STEP_TILE 16    // rows whose steps a warp takes at a time,
#define SLICE (CLUSTER > 1 ? 32 : 64)  // so many columns of the tables of each
#define COLUMN_TILE 16  // contexts, and noise words, are filled up to a multiple of this
#define WIDTH_TILE 32   // rows in shared memory are filled up with zeros to a multiple of this,
#define PAD 4           // and begin so many floats further: else lanes would meet in the same banks
#else
#define CENTER_TILE 8
#define SCORE_TILE 8
#define STEP_TILE 4
#define ROW_LANES (LANES < 4 ? LANES : CLUSTER > 2 ? LANES / 4 : LANES / CLUSTER)  // lanes side by side in a slice
#define SLICE (4 * ROW_LANES)
#define COLUMN_TILE 8
#define WIDTH_TILE 8
#define PAD 4
#endif

__device__ constexpr int rounded_up(int n, int to) { return (n + to - 1) / to * to; }
