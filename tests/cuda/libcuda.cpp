// A libcuda without a GPU, for the real packages that load one: memory is the host's, streams do at once what they are
// given, and kernels run through on_cpu.h. Everything that is made is counted, and what is left can be asked for.
#include <stdlib.h>

#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "on_cpu.h"

#define EXPORT extern "C" __attribute__((visibility("default")))
#include <dlfcn.h>

typedef int Result;
typedef unsigned long long Pointer;
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500, LAUNCH_FAILED = 719 };
static const size_t TOTAL = 1ull << 30;
static const size_t MOST = 1ull << 29;

struct Stream { bool capturing; std::vector<std::function<void()>> noted; };
struct Graph { std::vector<std::function<void()>> work; };
struct Event { int recorded; };
struct Function { std::string name; };
struct Module { Function letterbox, mask_logits; };

static size_t used;
static long live;
static int retained;
static thread_local int depth;
static int context;  // only its address counts
static Result sticky;  // an error that everything gives from now on
static volatile bool hangs;
static Result waited() {
    while (hangs) usleep(1000);
    return SUCCESS;
}

static void give(Stream *stream, std::function<void()> work) {
    if (stream && stream->capturing) stream->noted.push_back(work);
    else work();
}
template <class T> static Result made(T **out, T *it) { *out = it; ++live; return SUCCESS; }
template <class T> static Result gone(T *it) {
    if (!it) return INVALID_HANDLE;
    delete it;
    --live;
    return SUCCESS;
}
#define NEEDS_CONTEXT if (!depth) return NO_CONTEXT; if (sticky) return sticky

EXPORT long fake_live() { return live; }
EXPORT long fake_retained() { return retained; }
EXPORT void fake_break(int code) { sticky = code; }
EXPORT void fake_hang(int on) { hangs = on; }

EXPORT Result cuInit(unsigned int) { return SUCCESS; }
EXPORT Result cuDriverGetVersion(int *version) { *version = 13000; return SUCCESS; }
EXPORT Result cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
EXPORT Result cuDeviceGet(int *device, int) { *device = 0; return SUCCESS; }
EXPORT Result cuDeviceGetName(char *name, int size, int) { strncpy(name, "Played GPU", size); return SUCCESS; }
EXPORT Result cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = TOTAL; return SUCCESS; }
EXPORT Result cuDeviceGetAttribute(int *value, int which, int) {
    *value = which == 75 ? 8 : which == 76 ? 7 : which == 18 ? 1 : 0;
    return SUCCESS;
}
EXPORT Result cuGetErrorName(int code, const char **name) {
    *name = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : code == LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" : code == NO_CONTEXT ? "CUDA_ERROR_INVALID_CONTEXT" : "CUDA_ERROR";
    return SUCCESS;
}
EXPORT Result cuGetErrorString(int code, const char **text) {
    *text = code == OUT_OF_MEMORY ? "out of memory" : code == LAUNCH_FAILED ? "unspecified launch failure" : code == NO_CONTEXT ? "invalid device context" : "unknown error";
    return SUCCESS;
}
EXPORT Result cuDevicePrimaryCtxRetain(void **out, int) { *out = &context; ++retained; return SUCCESS; }
EXPORT Result cuDevicePrimaryCtxRelease_v2(int) { --retained; return SUCCESS; }
EXPORT Result cuCtxPushCurrent_v2(void *) { ++depth; return SUCCESS; }
EXPORT Result cuCtxPopCurrent_v2(void **out) {
    if (!depth) return NO_CONTEXT;
    --depth;
    if (out) *out = &context;
    return SUCCESS;
}
EXPORT Result cuCtxGetDevice(int *device) { *device = 0; return SUCCESS; }

EXPORT Result cuMemGetInfo_v2(size_t *available, size_t *total) {
    NEEDS_CONTEXT;
    *available = TOTAL - used, *total = TOTAL;
    return SUCCESS;
}
static Result allocate(void **out, size_t size) {
    NEEDS_CONTEXT;
    if (!size) return INVALID_VALUE;
    if (size > MOST) return OUT_OF_MEMORY;
    size_t *block = (size_t *)malloc(size + 64);
    *block = size;
    memset(block + 8, 0xdb, size);
    *out = block + 8;
    used += size, ++live;
    return SUCCESS;
}
static Result release(void *memory) {
    NEEDS_CONTEXT;
    size_t *block = (size_t *)memory - 8;
    used -= *block, --live;
    free(block);
    return SUCCESS;
}
EXPORT Result cuMemAlloc_v2(Pointer *out, size_t size) { return allocate((void **)out, size); }
EXPORT Result cuMemFree_v2(Pointer memory) { return release((void *)memory); }
EXPORT Result cuMemHostAlloc(void **out, size_t size, unsigned int) { return allocate(out, size); }
EXPORT Result cuMemFreeHost(void *memory) { return release(memory); }
EXPORT Result cuMemHostGetDevicePointer_v2(Pointer *out, void *memory, unsigned int) {
    NEEDS_CONTEXT;
    *out = (Pointer)memory;
    return SUCCESS;
}
EXPORT Result cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t size, Stream *stream) {
    NEEDS_CONTEXT;
    give(stream, [=] { memcpy((void *)to, from, size); });
    return SUCCESS;
}
EXPORT Result cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t size, Stream *stream) {
    NEEDS_CONTEXT;
    give(stream, [=] { memcpy(to, (const void *)from, size); });
    return SUCCESS;
}

EXPORT Result cuStreamCreate(Stream **out, unsigned int) { NEEDS_CONTEXT; return made(out, new Stream{false, {}}); }
EXPORT Result cuStreamDestroy_v2(Stream *stream) { NEEDS_CONTEXT; return gone(stream); }
EXPORT Result cuStreamSynchronize(Stream *) { NEEDS_CONTEXT; return waited(); }
EXPORT Result cuStreamWaitEvent(Stream *, Event *, unsigned int) { NEEDS_CONTEXT; return SUCCESS; }
EXPORT Result cuLaunchHostFunc(Stream *stream, void (*work)(void *), void *data) {
    NEEDS_CONTEXT;
    give(stream, [=] { work(data); });
    return SUCCESS;
}
EXPORT Result cuEventCreate(Event **out, unsigned int) { NEEDS_CONTEXT; return made(out, new Event{0}); }
EXPORT Result cuEventDestroy_v2(Event *event) { NEEDS_CONTEXT; return gone(event); }
EXPORT Result cuEventRecord(Event *event, Stream *) { NEEDS_CONTEXT; ++event->recorded; return SUCCESS; }
EXPORT Result cuEventSynchronize(Event *event) { NEEDS_CONTEXT; return event->recorded ? waited() : INVALID_HANDLE; }
EXPORT Result cuEventElapsedTime(float *ms, Event *, Event *) { NEEDS_CONTEXT; *ms = 1.5f; return SUCCESS; }
EXPORT Result cuEventElapsedTime_v2(float *ms, Event *a, Event *b) { return cuEventElapsedTime(ms, a, b); }

EXPORT Result cuModuleLoadData(Module **out, const void *image) {
    NEEDS_CONTEXT;
    if (!strstr((const char *)image, ".entry letterbox")) return INVALID_VALUE;
    return made(out, new Module{{"letterbox"}, {"mask_logits"}});
}
EXPORT Result cuModuleLoadDataEx(Module **out, const void *image, unsigned int, int *, void **) {
    return cuModuleLoadData(out, image);
}
EXPORT Result cuModuleUnload(Module *module) { NEEDS_CONTEXT; return gone(module); }
EXPORT Result cuModuleGetFunction(Function **out, Module *module, const char *name) {
    NEEDS_CONTEXT;
    for (Function *each : {&module->letterbox, &module->mask_logits})
        if (each->name == name) { *out = each; return SUCCESS; }
    return NOT_FOUND;
}
EXPORT Result cuLaunchKernel(
    Function *function, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by,
    unsigned int bz, unsigned int, Stream *stream, void **parameters, void **extra) {
    NEEDS_CONTEXT;
    const void *given = nullptr;
    size_t size = function->name == "letterbox" ? sizeof(LetterboxJob) : sizeof(MaskJob);
    if (parameters) given = parameters[0];
    else  // CU_LAUNCH_PARAM_BUFFER_POINTER, _SIZE, _END
        for (; extra && *extra; extra += 2) {
            if (*extra == (void *)1) given = extra[1];
            if (*extra == (void *)2 && *(size_t *)extra[1] != size) return INVALID_VALUE;
        }
    if (!given) return INVALID_VALUE;
    std::string job((const char *)given, size), name = function->name;
    give(stream, [=] {
        unsigned int grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
        run_kernel(name.c_str(), job.data(), grid, block);
    });
    return SUCCESS;
}

EXPORT Result cuStreamBeginCapture_v2(Stream *stream, int) { NEEDS_CONTEXT; stream->capturing = true; return SUCCESS; }
EXPORT Result cuStreamEndCapture(Stream *stream, Graph **out) {
    NEEDS_CONTEXT;
    stream->capturing = false;
    Result result = made(out, new Graph{stream->noted});
    stream->noted.clear();
    return result;
}
EXPORT Result cuGraphInstantiateWithFlags(Graph **out, Graph *graph, unsigned long long) {
    NEEDS_CONTEXT;
    return made(out, new Graph(*graph));
}
EXPORT Result cuGraphDestroy(Graph *graph) { NEEDS_CONTEXT; return gone(graph); }
EXPORT Result cuGraphExecDestroy(Graph *graph) { NEEDS_CONTEXT; return gone(graph); }
EXPORT Result cuGraphLaunch(Graph *graph, Stream *stream) {
    NEEDS_CONTEXT;
    for (auto &work : graph->work) give(stream, work);
    return SUCCESS;
}

EXPORT Result cuFuncSetBlockShape(Function *, int, int, int) { NEEDS_CONTEXT; return SUCCESS; }

// What pycuda is linked against and the runtime never calls.
#define N(name) EXPORT Result name() { return 801; }
N(cuArray3DCreate_v2) N(cuArray3DGetDescriptor_v2) N(cuArrayCreate_v2) N(cuArrayDestroy) N(cuArrayGetDescriptor_v2)
N(cuCtxAttach) N(cuCtxCreate_v4) N(cuCtxDetach) N(cuCtxDisablePeerAccess) N(cuCtxEnablePeerAccess)
N(cuCtxGetApiVersion) N(cuCtxGetCacheConfig) N(cuCtxGetLimit) N(cuCtxGetSharedMemConfig) N(cuCtxSetCacheConfig)
N(cuCtxSetLimit) N(cuCtxSetSharedMemConfig) N(cuCtxSynchronize) N(cuDeviceCanAccessPeer) N(cuDeviceComputeCapability)
N(cuDeviceGetByPCIBusId) N(cuDeviceGetPCIBusId) N(cuEventQuery) N(cuFuncGetAttribute) N(cuFuncSetAttribute)
N(cuFuncSetCacheConfig) N(cuFuncSetSharedSize) N(cuIpcCloseMemHandle) N(cuIpcGetEventHandle) N(cuIpcGetMemHandle)
N(cuIpcOpenEventHandle) N(cuIpcOpenMemHandle_v2) N(cuLaunch) N(cuLaunchGrid) N(cuLaunchGridAsync) N(cuLinkAddData_v2)
N(cuLinkAddFile_v2) N(cuLinkComplete) N(cuLinkCreate_v2) N(cuLinkDestroy) N(cuMemAllocManaged) N(cuMemAllocPitch_v2)
N(cuMemGetAddressRange_v2) N(cuMemHostGetFlags) N(cuMemHostRegister_v2) N(cuMemHostUnregister) N(cuMemcpy2DAsync_v2)
N(cuMemcpy2DUnaligned_v2) N(cuMemcpy2D_v2) N(cuMemcpy3DAsync_v2) N(cuMemcpy3DPeer) N(cuMemcpy3DPeerAsync)
N(cuMemcpy3D_v2) N(cuMemcpyAtoA_v2) N(cuMemcpyAtoD_v2) N(cuMemcpyAtoH_v2) N(cuMemcpyDtoA_v2) N(cuMemcpyDtoDAsync_v2)
N(cuMemcpyDtoD_v2) N(cuMemcpyDtoH_v2) N(cuMemcpyHtoA_v2) N(cuMemcpyHtoD_v2) N(cuMemcpyPeer) N(cuMemcpyPeerAsync)
N(cuMemsetD16Async) N(cuMemsetD16_v2) N(cuMemsetD2D16Async) N(cuMemsetD2D16_v2) N(cuMemsetD2D32Async)
N(cuMemsetD2D32_v2) N(cuMemsetD2D8Async) N(cuMemsetD2D8_v2) N(cuMemsetD32Async) N(cuMemsetD32_v2) N(cuMemsetD8Async)
N(cuMemsetD8_v2) N(cuModuleGetGlobal_v2) N(cuModuleGetSurfRef) N(cuModuleGetTexRef) N(cuModuleLoad) N(cuParamSetSize)
N(cuParamSetTexRef) N(cuParamSetf) N(cuParamSeti) N(cuParamSetv) N(cuProfilerInitialize) N(cuProfilerStart)
N(cuProfilerStop) N(cuStreamAttachMemAsync) N(cuStreamQuery) N(cuSurfRefGetArray) N(cuSurfRefSetArray)
N(cuTexRefCreate) N(cuTexRefDestroy) N(cuTexRefGetAddressMode) N(cuTexRefGetAddress_v2) N(cuTexRefGetArray)
N(cuTexRefGetFilterMode) N(cuTexRefGetFlags) N(cuTexRefGetFormat) N(cuTexRefSetAddress2D_v3) N(cuTexRefSetAddressMode)
N(cuTexRefSetAddress_v2) N(cuTexRefSetArray) N(cuTexRefSetFilterMode) N(cuTexRefSetFlags) N(cuTexRefSetFormat)

// Newer names first, as the driver gives them.
EXPORT Result cuGetProcAddress_v2(const char *name, void **out, int, unsigned long long, int *status) {
    std::string text(name);
    if (text == "cuGraphInstantiate") text = "cuGraphInstantiateWithFlags";
    *out = dlsym(RTLD_DEFAULT, (text + "_v2").c_str());
    if (!*out) *out = dlsym(RTLD_DEFAULT, text.c_str());
    if (status) *status = *out ? 0 : 1;
    return *out ? SUCCESS : NOT_FOUND;
}
EXPORT Result cuGetProcAddress(const char *name, void **out, int version, unsigned long long flags) {
    return cuGetProcAddress_v2(name, out, version, flags, nullptr);
}
