// Stands in for the CUDA names that sgns.cu and kernels.cu use, so that a C++ compiler builds it for the host.
//
// The threads of a block are fibers of one thread: each runs until it has to wait at a barrier or a shuffle, then
// the next one does. Their order is a parameter: where a barrier is missing, the order shows in the result. Shared
// memory begins as NaN, and a number behind its end shows whether more was written than was asked for. Blocks run
// one after the other, those of a cluster side by side: each begins when the one before it has to wait, and what it
// writes into another's shared memory arrives at once, or with a falling order when they meet.

#pragma once
#define HOST_BUILD
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#define __global__
#define __device__

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct Index {
    unsigned x;
};

inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
using std::max;
using std::min;

static Index threadIdx, blockIdx, blockDim, gridDim;
#ifndef CLUSTER
#define CLUSTER 1
#endif
constexpr size_t SHARED_BYTES = 256 << 10;
static float4 shared_of[CLUSTER][SHARED_BYTES / sizeof(float4)];
static unsigned together;  // blocks that run side by side
static bool late, nobody_there;
#define shared_memory (shared_of[blockIdx.x % CLUSTER])

// ---- fibers ---------------------------------------------------------------------------------------------------

enum State { asleep, ready, at_barrier, at_shuffle, at_cluster, done };

struct Fiber {
    ucontext_t context;  // where it begins; then jumps take over, which do without the system's help
    jmp_buf jump;
    bool begun;
    std::vector<char> stack;
    State state;
    int vote = 0;
    unsigned shuffles;
    float sent[2][6];
    struct Copy {
        float* into;
        const float* from;
        size_t bytes;
    };
    std::vector<Copy> copies;
    std::vector<std::pair<float*, float>> outgoing;  // into the memory of other blocks
};

static std::vector<Fiber> fibers;  // of all blocks that run side by side
static ucontext_t unused;
static jmp_buf scheduler;
static std::function<void()> body;

static Fiber& own_fiber() { return fibers[blockIdx.x % together * blockDim.x + threadIdx.x]; }

static void run_fiber() {
    body();
    own_fiber().state = done;
    _longjmp(scheduler, 1);
}

static void wait(State state) {
    Fiber& self = own_fiber();
    self.state = state;
    if (!_setjmp(self.jump)) _longjmp(scheduler, 1);
}

// Until it waits or is done.
static void __attribute__((noinline)) resume(Fiber& fiber) {
    if (_setjmp(scheduler)) return;
    if (fiber.begun) _longjmp(fiber.jump, 1);
    fiber.begun = true;
    swapcontext(&unused, &fiber.context);
}

inline void __syncthreads() {
    if (blockDim.x > 1) wait(at_barrier);
}

inline int __syncthreads_or(int one) {
    if (blockDim.x == 1) return one;
    own_fiber().vote = one;
    wait(at_barrier);
    const int any = std::any_of(fibers.begin(), fibers.end(), [](const Fiber& fiber) { return fiber.vote != 0; });
    wait(at_barrier);  // all have read before one votes again
    return any;
}

// Send numbers to the other lanes of the warp and wait for theirs: whose is told by the lane that is asked for.
template <size_t N>
static auto exchange(const float (&numbers)[N]) {
    Fiber& own = own_fiber();
    const size_t turn = own.shuffles++ % 2, warp = &own - fibers.data() - threadIdx.x % LANES;
    std::copy(numbers, numbers + N, own.sent[turn]);
    wait(at_shuffle);
    return [turn, warp](unsigned lane) -> const float* { return fibers[warp + lane].sent[turn]; };
}

template <class T>
inline T __shfl_xor_sync(unsigned, T value, int mask) {
    float parts[2] = {0, 0};
    static_assert(sizeof(T) <= sizeof(parts));
    std::memcpy(parts, &value, sizeof(T));
    std::memcpy(&value, exchange(parts)(threadIdx.x % LANES ^ (unsigned)mask), sizeof(T));
    return value;
}

inline float __shfl_sync(unsigned, float value, int from) { return exchange({value})((unsigned)from)[0]; }

// All of `first` .. `last` - 1 that are not done stand at `state`: let them go on.
static bool release(size_t first, size_t last, State state, bool all) {
    bool any = false;
    for (size_t i = first; i < last; ++i) {
        if (fibers[i].state == state) any = true;
        else if (fibers[i].state != done || all) return false;
    }
    if (any)
        for (size_t i = first; i < last; ++i)
            if (fibers[i].state == state) fibers[i].state = ready;
    return any;
}

// Of `together` blocks, from `first` on.
static bool run_blocks(unsigned first, unsigned order) {
    const size_t block = blockDim.x, threads = together * block;
    fibers.resize(threads);
    std::vector<size_t> turn(threads);
    for (size_t i = 0; i < threads; ++i) {
        Fiber& one = fibers[i];
        turn[i] = order == 1 ? threads - 1 - i : i;
        one.stack.resize(128 << 10);
        one.state = asleep;
        one.begun = false;
        one.shuffles = 0;
        getcontext(&one.context);
        one.context.uc_stack.ss_sp = one.stack.data();
        one.context.uc_stack.ss_size = one.stack.size();
        one.context.uc_link = nullptr;
        makecontext(&one.context, run_fiber, 0);
    }
    if (order > 1) std::shuffle(turn.begin(), turn.end(), std::mt19937(order));
    for (size_t begun = 0;;) {
        for (size_t i : turn)
            if (fibers[i].state == ready) {
                threadIdx.x = (unsigned)(i % block);
                blockIdx.x = (unsigned)(first + i / block);
                resume(fibers[i]);
            }
        bool moved = false;
        for (size_t i = 0; i < threads; i += block) moved |= release(i, i + block, at_barrier, false);
        for (size_t i = 0; i < threads; i += LANES) moved |= release(i, std::min(threads, i + LANES), at_shuffle, true);
        if (release(0, threads, at_cluster, true)) {
            moved = true;
            for (Fiber& one : fibers) {
                for (auto [to, x] : one.outgoing) *to = x;
                one.outgoing.clear();
            }
        }
        if (moved) continue;
        if (begun < together) {
            const size_t next = late ? together - 1 - begun : begun;
            for (size_t i = next * block; i < (next + 1) * block; ++i) fibers[i].state = ready;
            ++begun;
            continue;
        }
        return std::all_of(fibers.begin(), fibers.end(), [](const Fiber& one) { return one.state == done; });
    }
}

#if CLUSTER > 1
inline int cluster_rank() { return blockIdx.x % CLUSTER; }
inline void sync_cluster() { wait(at_cluster); }
inline void put(float* own, int rank, float x) {
    const auto their = fibers.begin() + rank * blockDim.x;
    const auto there = [](const Fiber& one) { return one.state != asleep && one.state != done; };
    if (std::none_of(their, their + blockDim.x, there)) nobody_there = true;
    float* to = (float*)shared_of[rank] + (own - (float*)shared_memory);
    if (late && rank != cluster_rank()) own_fiber().outgoing.push_back({to, x});
    else *to = x;
}
#endif

// ---- launching ------------------------------------------------------------------------------------------------

template <class... A, size_t... I>
static void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*(A*)arguments[I]...);
}

// 0, 1 where threads wait for each other for ever, 2 where shared memory was overrun, 5 where a cluster is not whole,
// 6 where a block wrote to one that had not begun or was done.
template <class... A>
static int launch(
    void (*kernel)(A...), int grid, int threads, size_t bytes, unsigned order, void** arguments, int cluster = 1) {
    if (grid % cluster) return 5;
    body = [&] { call(kernel, arguments, std::index_sequence_for<A...>()); };
    gridDim.x = grid;
    blockDim.x = threads;
    together = cluster;
    late = order == 1;
    nobody_there = false;
    const unsigned char mark = 0xA5;
    for (int block = 0; block < grid; block += cluster) {
        blockIdx.x = block;
        for (auto& memory : shared_of) {
            std::fill((float*)memory, (float*)memory + SHARED_BYTES / 4, std::numeric_limits<float>::quiet_NaN());
            std::memset((char*)memory + bytes, mark, SHARED_BYTES - bytes);
        }
        if (threads * cluster == 1) {
            fibers.resize(1);
            threadIdx.x = 0;
            body();
        } else if (!run_blocks(block, order)) {
            return 1;
        }
        if (nobody_there) return 6;
        for (auto& memory : shared_of)
            for (size_t i = bytes; i < SHARED_BYTES; ++i)
                if (((unsigned char*)memory)[i] != mark) return 2;
    }
    return 0;
}

// ---- what else the kernels call -------------------------------------------------------------------------------

template <class T>
inline void atomicAdd(T* to, T value) {
    *to += value;
}

using std::exp;
using std::fabs;
using std::fmax;
using std::log;
using std::log1p;
using std::sqrt;
inline float __expf(float x) { return std::exp(x); }
inline float __ldcg(const float* from) { return *from; }
inline float __fdividef(float x, float y) { return x / y; }
inline void prefetch(const void*) {}
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }

// Asynchronous copies arrive as late as they may.
inline void copy_four(float* into, const float* from) { own_fiber().copies.push_back({into, from, 16}); }
inline void copy_one(float* into, const float* from) { own_fiber().copies.push_back({into, from, 4}); }
inline void wait_for_copies() {
    auto& copies = own_fiber().copies;
    for (auto [into, from, bytes] : copies) std::memcpy(into, from, bytes);
    copies.clear();
}
inline void add_four(float* to, float4 step) {
    to[0] += step.x;
    to[1] += step.y;
    to[2] += step.z;
    to[3] += step.w;
}

// ---- tensor cores ---------------------------------------------------------------------------------------------

#if TF32
// Ten bits of fraction, ties away from zero.
inline uint32_t rounded(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return std::isfinite(x) ? (bits + 0x1000u) & 0xFFFFE000u : bits;
}

inline float as_float(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

struct Accumulator {
    float at[4];
};

// mma.m16n8k8: who holds which element is written down in the manual of PTX, and in tf32.cuh.
inline void multiply(
    Accumulator& sum, uint32_t a_r_p, uint32_t a_r8_p, uint32_t a_r_p4, uint32_t a_r8_p4, uint32_t b_p_r,
    uint32_t b_p4_r) {
    for (uint32_t bits : {a_r_p, a_r8_p, a_r_p4, a_r8_p4, b_p_r, b_p4_r})
        if ((bits & 0x1FFFu) && std::isfinite(as_float(bits))) std::abort();  // was not rounded
    const auto of = exchange(
        {as_float(a_r_p), as_float(a_r8_p), as_float(a_r_p4), as_float(a_r8_p4), as_float(b_p_r), as_float(b_p4_r)});
    const unsigned lane = threadIdx.x % LANES;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = lane / 4 + 8 * (i / 2), n = lane % 4 * 2 + i % 2;
        for (unsigned k = 0; k < 8; ++k) {
            const float a = of(row % 8 * 4 + k % 4)[row / 8 + 2 * (k / 4)], b = of(n * 4 + k % 4)[4 + k / 4];
            sum.at[i] += a * b;
        }
    }
}
#endif
