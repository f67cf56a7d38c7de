// A source built for the host, and its kernels by name for ctypes: sgns.cu, or kernels.cu where REAL is given.

#include "cuda_host.h"

#ifdef REAL
#include "kernels.cu"
#else
#include "sgns.cu"
#endif

extern "C" int launch_kernel(
    const char* name, int grid, int threads, size_t shared_bytes, unsigned order, void** arguments) {
    const std::string_view wanted = name;
    if (shared_bytes > SHARED_BYTES) return 3;
#ifdef REAL
    if (wanted == "take_rows") return launch(take_rows, grid, threads, shared_bytes, order, arguments);
    if (wanted == "claim_slots") return launch(claim_slots, grid, threads, shared_bytes, order, arguments);
    if (wanted == "sum_rows") return launch(sum_rows, grid, threads, shared_bytes, order, arguments);
    if (wanted == "sum_repeats") return launch(sum_repeats, grid, threads, shared_bytes, order, arguments);
    if (wanted == "add_shortened") return launch(add_shortened, grid, threads, shared_bytes, order, arguments);
    if (wanted == "score_slopes") return launch(score_slopes, grid, threads, shared_bytes, order, arguments);
    if (wanted == "odds_of_scores") return launch(odds_of_scores, grid, threads, shared_bytes, order, arguments);
#else
    if (wanted == "keep_tokens") return launch(keep_tokens, grid, threads, shared_bytes, order, arguments);
    if (wanted == "count_groups") return launch(count_groups, grid, threads, shared_bytes, order, arguments);
    if (wanted == "draw_noise") return launch(draw_noise, grid, threads, shared_bytes, order, arguments);
    if (wanted == "train_groups") return launch(train_groups, grid, threads, shared_bytes, order, arguments, CLUSTER);
#endif
    return 4;
}
