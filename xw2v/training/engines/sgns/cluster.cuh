// The blocks of a cluster work on one group, each on its own columns of the tables. A score is the sum of theirs: they
// write into each other's shared memory, which compute capability 9.0 and up can. With CLUSTER=1 a block is alone.
//
// There are two places for what is sent, taken in turn: a block that writes the scores of a group has met the others
// at the barrier of the group before, so they have read what was sent of the one before that.

#if CLUSTER == 1
__device__ constexpr int cluster_rank() { return 0; }
__device__ inline void sync_cluster() {}
__device__ inline void put(float* own, int, float x) { *own = x; }
#elif !defined(HOST_BUILD)
__device__ inline int cluster_rank() { return blockIdx.x % CLUSTER; }

// Wait for all threads of the cluster, and see what they wrote.
__device__ inline void sync_cluster() {
    asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// Write where a block of the cluster has what this one has at `own`, in shared memory.
__device__ inline void put(float* own, int rank, float x) {
    float* there;
    asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(own), "r"(rank));
    *there = x;
}
#endif

// To all blocks of the cluster, this one among them, at the same place.
__device__ inline void send(float* to, float x) {
#pragma unroll
    for (int rank = 0; rank < CLUSTER; ++rank) put(to, rank, x);
}
