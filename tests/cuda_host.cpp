// sgns.cu built for the host, and its kernels by name for ctypes.

#include "cuda_host.h"

#include "sgns.cu"

extern "C" int launch_kernel(
    const char* name, int grid, int threads, size_t shared_bytes, unsigned order, void** arguments) {
    const std::string_view wanted = name;
    if (shared_bytes > sizeof(shared_memory)) return 3;
    if (wanted == "keep_tokens") return launch(keep_tokens, grid, threads, shared_bytes, order, arguments);
    if (wanted == "count_groups") return launch(count_groups, grid, threads, shared_bytes, order, arguments);
    if (wanted == "draw_noise") return launch(draw_noise, grid, threads, shared_bytes, order, arguments);
    if (wanted == "train_groups") return launch(train_groups, grid, threads, shared_bytes, order, arguments);
    return 4;
}
