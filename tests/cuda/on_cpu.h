// What kernels.cu uses of CUDA, for a C++ compiler: the kernels then run on the CPU, one thread after the other.
#include <math.h>
#include <string.h>

#define __device__
#define __global__
#define __forceinline__ inline

struct Index { unsigned int x, y, z; };
static Index blockIdx, blockDim, threadIdx;

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }

// Binary16 by hand, rounded to even: not every compiler has the type.
static unsigned short host_half_bits(float value) {
    unsigned int bits;
    memcpy(&bits, &value, 4);
    unsigned short sign = (bits >> 16) & 0x8000;
    int exponent = (int)((bits >> 23) & 0xff) - 112;
    unsigned int mantissa = (bits & 0x7fffff) | 0x800000;
    if (exponent >= 31) return sign | 0x7c00;
    int shift = exponent > 0 ? 13 : 14 - exponent;
    if (shift > 24) return sign;
    unsigned int kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), half = 1u << (shift - 1);
    if (rest > half || (rest == half && (kept & 1))) ++kept;
    return sign | (exponent > 0 ? kept + ((unsigned int)(exponent - 1) << 10) : kept);
}

#include "kernels.cu"

template <class Job> static void run(void (*kernel)(const Job), const Job &job, const unsigned int grid[3], const unsigned int block[3]) {
    blockDim = {block[0], block[1], block[2]};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
    for (threadIdx.z = 0; threadIdx.z < block[2]; ++threadIdx.z)
    for (threadIdx.y = 0; threadIdx.y < block[1]; ++threadIdx.y)
    for (threadIdx.x = 0; threadIdx.x < block[0]; ++threadIdx.x)
        kernel(job);
}

// 0 where there is a kernel of that name.
static int run_kernel(const char *name, const void *job, const unsigned int grid[3], const unsigned int block[3]) {
    if (!strcmp(name, "letterbox")) run(letterbox, *(const LetterboxJob *)job, grid, block);
    else if (!strcmp(name, "mask_logits")) run(mask_logits, *(const MaskJob *)job, grid, block);
    else return 1;
    return 0;
}
