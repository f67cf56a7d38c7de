// What all kernels share: words for sizes, and the slope and the loss of a score.

typedef long long i64;

#ifndef LANES
#define LANES 32  // threads of a warp; the host build has 1 too
#endif
#ifndef HOST_BUILD
extern __shared__ float4 shared_memory[];
#endif

// The exponential and the quotient: as exact as the type is, or fast, off by some units of the last place of a float.
struct Exact {
    template <class T>
    __device__ static T exponential(T x) { return exp(x); }
    template <class T>
    __device__ static T over(T a, T b) { return a / b; }
};
struct Fast {
    __device__ static float exponential(float x) { return __expf(x); }
    __device__ static float over(float a, float b) { return __fdividef(a, b); }
};

// weight σ(-score): how far a score that should be large is pushed up. Where e^score overflows it is 0.
template <class Arithmetic, class T>
__device__ inline T push_of(T weight, T score) {
    return Arithmetic::over(weight, (T)1 + Arithmetic::exponential(score));
}

// log(1 + e^x), so -log σ(score) of x = -score; nothing overflows.
template <class Arithmetic, class T>
__device__ inline T softplus(T x) {
    return (x > 0 ? x : 0) + log1p(Arithmetic::exponential(-fabs(x)));
}
