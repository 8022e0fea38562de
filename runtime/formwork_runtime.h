/* What the runtime offers to C programs: threads for produced code, and a whole command line.
 */
#ifndef FORMWORK_RUNTIME_H
#define FORMWORK_RUNTIME_H

#include "runtime/formwork.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A program around one model: train, evaluate, predict, bench, summary. Returns the exit status: 0,
 * 1 for a mistake in what the user gave (told on stderr), 2 for misuse of the command line. */
int formwork_main(int argc, char **argv, const formwork_model *model);

/* Threads that run a model's parallel loops; `threads` includes the calling one, 0 means as many as
 * FORMWORK_THREADS says, or one per CPU. NULL if they cannot be started. One pool serves any number
 * of models and threads; destroy it when none of them is in a call. */
typedef struct formwork_pool formwork_pool;
formwork_pool *formwork_pool_create(int threads);
void formwork_pool_destroy(formwork_pool *pool);
/* What to pass to the model's functions. */
formwork_context formwork_pool_context(formwork_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
