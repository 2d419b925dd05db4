// FADE_HD marks a function that CPU kernels and CUDA kernels share.
#pragma once

#ifdef __CUDACC__
#define FADE_HD __host__ __device__
#else
#define FADE_HD
#endif
