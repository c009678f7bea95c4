// The runtime's own kernels. `kernels.ptx` is made from this file by scripts/build_kernels.py; a test makes it again.
//
// Every kernel takes one structure by value; edge_us/cuda/kernels.py lays out the same. Nothing is included and nothing but
// the language is used, so that a C++ compiler takes the file too: tests/cuda runs it on the CPU against the reference.

typedef unsigned char u8;

// Numbers of `PictureFormat` in kernels.py.
enum { GREY = 0, BGR = 1, YUV420 = 2 };

struct LetterboxJob {
    const u8 *first;      // grey, interleaved BGR, or luma
    const u8 *u, *v;      // chroma of YUV420: planes, or neighbours in one plane
    void *out;            // (channels, out_height, out_width), 0..1
    int pitch;            // bytes from one row of `first` to the next
    int chroma_pitch, chroma_step;  // bytes to the next row and to the next sample
    int format;
    int x, y, width, height;        // the region, in px of the picture
    int chroma_x, chroma_y, chroma_width, chroma_height;  // samples that cover the region
    int inner_x, inner_y, inner_width, inner_height;      // where the region goes in `out`
    int out_width, out_height;
    int channels;
    int grey;             // every channel is grey, else RGB
    int half;             // 16-bit floats, else 32-bit
    float padding;        // grey value of the border
    float luma_gain, luma_zero;     // to full range
    float to_blue, green_u, green_v, to_red;  // chroma to colour, code values
};

struct MaskJob {
    const float *prototypes;    // (coefficients, height, width)
    const float *coefficients;  // (boxes, coefficients)
    const int *windows;         // (boxes, 5): x, y, width, height, and where its logits begin
    float *logits;
    int count, height, width;   // coefficients; size of a prototype
    int boxes;
};

// Binary16 bits of a float.
static __device__ __forceinline__ unsigned short half_bits(float value) {
#ifdef __CUDACC__
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
#else
    return host_half_bits(value);
#endif
}

// A whole level; halves go up, as in OpenCV's fixed-point arithmetic (chroma at twice its size is full of them).
static __device__ __forceinline__ float level(float value) {
    return fminf(fmaxf(floorf(value + 0.5f), 0.0f), 255.0f);
}

// Bilinear, pixel centres at .5, edges repeated, as OpenCV does: the lower neighbour and the share of the upper one.
static __device__ __forceinline__ float neighbour(float centre, int count, int *low, int *high) {
    float at = centre - 0.5f;
    float floor_at = floorf(at);
    int begin = (int)floor_at;
    *low = min(max(begin, 0), count - 1);
    *high = min(max(begin + 1, 0), count - 1);
    return at - floor_at;
}

static __device__ __forceinline__ float mix(float a, float b, float share) {
    return a + (b - a) * share;
}

static __device__ float chroma(const LetterboxJob &job, const u8 *plane, int x, int y) {
    // `x`, `y` in px of the picture; interpolated among the samples that cover the region, and rounded.
    int x0, x1, y0, y1;
    float across = neighbour((x - 2 * job.chroma_x + 0.5f) * 0.5f, job.chroma_width, &x0, &x1);
    float down = neighbour((y - 2 * job.chroma_y + 0.5f) * 0.5f, job.chroma_height, &y0, &y1);
    const u8 *upper = plane + (long long)(job.chroma_y + y0) * job.chroma_pitch;
    const u8 *lower = plane + (long long)(job.chroma_y + y1) * job.chroma_pitch;
    int left = (job.chroma_x + x0) * job.chroma_step, right = (job.chroma_x + x1) * job.chroma_step;
    return level(mix(mix(upper[left], upper[right], across), mix(lower[left], lower[right], across), down));
}

// Full-range grey (in all three), or red, green, blue, of one pixel of the picture; whole levels, as on the CPU.
static __device__ void pixel(const LetterboxJob &job, int x, int y, float rgb[3]) {
    const u8 *row = job.first + (long long)y * job.pitch;
    if (job.format == BGR) {
        float blue = row[3 * x], green = row[3 * x + 1], red = row[3 * x + 2];
        if (job.grey) {
            rgb[0] = rgb[1] = rgb[2] = level(0.114f * blue + 0.587f * green + 0.299f * red);
        } else {
            rgb[0] = red, rgb[1] = green, rgb[2] = blue;
        }
        return;
    }
    float luma = row[x];
    if (job.format == GREY) {
        rgb[0] = rgb[1] = rgb[2] = luma;
        return;
    }
    luma = (luma - job.luma_zero) * job.luma_gain;
    if (job.grey) {
        rgb[0] = rgb[1] = rgb[2] = level(luma);
        return;
    }
    float u = chroma(job, job.u, x, y) - 128.0f, v = chroma(job, job.v, x, y) - 128.0f;
    rgb[0] = level(luma + job.to_red * v);
    rgb[1] = level(luma + job.green_u * u + job.green_v * v);
    rgb[2] = level(luma + job.to_blue * u);
}

static __device__ __forceinline__ void store(const LetterboxJob &job, long long index, float value) {
    if (job.half) {
        ((unsigned short *)job.out)[index] = half_bits(value);
    } else {
        ((float *)job.out)[index] = value;
    }
}

// One thread a pixel of the network's input.
extern "C" __global__ void letterbox(const LetterboxJob job) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= job.out_width || y >= job.out_height) return;
    float rgb[3] = {job.padding, job.padding, job.padding};
    int column = x - job.inner_x, row = y - job.inner_y;
    if (column >= 0 && column < job.inner_width && row >= 0 && row < job.inner_height) {
        int x0, x1, y0, y1;
        float across = neighbour((column + 0.5f) * job.width / job.inner_width, job.width, &x0, &x1);
        float down = neighbour((row + 0.5f) * job.height / job.inner_height, job.height, &y0, &y1);
        float a[3], b[3], c[3], d[3];
        pixel(job, job.x + x0, job.y + y0, a);
        pixel(job, job.x + x1, job.y + y0, b);
        pixel(job, job.x + x0, job.y + y1, c);
        pixel(job, job.x + x1, job.y + y1, d);
        for (int channel = 0; channel < 3; ++channel) {
            float upper = mix(a[channel], b[channel], across), lower = mix(c[channel], d[channel], across);
            rgb[channel] = level(mix(upper, lower, down));
        }
    }
    long long plane = (long long)job.out_width * job.out_height, at = (long long)y * job.out_width + x;
    for (int channel = 0; channel < 3; ++channel) {
        if (channel < job.channels) store(job, channel * plane + at, rgb[channel] * (1.0f / 255.0f));
    }
}

// One thread a logit: the mask of box blockIdx.y at prototype resolution, inside its window only.
extern "C" __global__ void mask_logits(const MaskJob job) {
    int box = blockIdx.y;
    if (box >= job.boxes) return;
    const int *window = job.windows + 5 * box;
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= window[2] * window[3]) return;
    int x = window[0] + at % window[2], y = window[1] + at / window[2];
    const float *prototype = job.prototypes + (long long)y * job.width + x;
    const float *coefficient = job.coefficients + (long long)box * job.count;
    long long plane = (long long)job.height * job.width;
    float sum = 0.0f;
    for (int number = 0; number < job.count; ++number) {
        sum += coefficient[number] * prototype[number * plane];
    }
    job.logits[window[4] + at] = sum;
}
