/* What code that was compiled to be profiled calls around each launch of kernels, on the thread
 * that called the function. The program has one profile; it is for one thread at a time. */
#ifndef FORMWORK_PROFILE_H
#define FORMWORK_PROFILE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nanoseconds on a clock that only goes forward. */
int64_t formwork_profile_start(void);
/* Books the time since `start` on the kernel, which the address of its name tells from others. Both
 * texts live as long as the program; FLOPs and bytes are those of this launch, 0 if unknown. */
void formwork_profile_stop(int64_t start, const char *kernel, const char *layers, int64_t flops,
                           int64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
