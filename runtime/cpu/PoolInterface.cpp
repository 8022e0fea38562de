// The thread pool for C programs; see formwork_runtime.h.
#include "runtime/cpu/ThreadPool.h"
#include "runtime/formwork_runtime.h"

using formwork::runtime::ThreadPool;

static ThreadPool *unwrap(formwork_pool *pool) { return reinterpret_cast<ThreadPool *>(pool); }

formwork_pool *formwork_pool_create(int threads) {
  try {
    return reinterpret_cast<formwork_pool *>(new ThreadPool(threads));
  } catch (...) {
    return nullptr;
  }
}

void formwork_pool_destroy(formwork_pool *pool) { delete unwrap(pool); }

formwork_context formwork_pool_context(formwork_pool *pool) {
  return pool ? unwrap(pool)->context() : formwork_context{};
}
