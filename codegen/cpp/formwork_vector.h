// Vectors for code that Formwork has printed: fw::f32x16 is 16 floats, fw::u32x16 as many unsigned
// integers, fw::m16 the outcome of a comparison lane by lane.
//
// With g++ 12 or later and with clang they are the compiler's own vectors: a + b, a < b, a[i] work
// on them, in registers. With any other compiler, or with FORMWORK_SCALAR defined, they are
// structs whose operators are loops over the lanes. The numbers are the same either way, if floats
// are computed as written: build with -ffp-contract=off and without -ffast-math.
//
// Nothing here allocates, throws or needs the C++ library.
#ifndef FORMWORK_VECTOR_H
#define FORMWORK_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(FORMWORK_SCALAR) && !(defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12))
#define FORMWORK_SCALAR
#endif

#ifdef __SSE2__
#include <immintrin.h>
#endif
#if defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__GNUC__) && defined(__OPTIMIZE__)
#define FW_INLINE inline __attribute__((always_inline))
#else // debug builds compile five times as fast with calls
#define FW_INLINE inline
#endif
#if defined(__GNUC__)
#define FW_NOINLINE __attribute__((noinline))
#else
#define FW_NOINLINE
#endif

// FW_UNROLL(8): before a loop, of which 8 iterations are to be one.
#define FW_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define FW_UNROLL(count) FW_PRAGMA(clang loop unroll_count(count))
#elif defined(__GNUC__)
#define FW_UNROLL(count) FW_PRAGMA(GCC unroll count)
#else
#define FW_UNROLL(count)
#endif

#if defined(__GNUC__) && !defined(__clang__)
// Vectors wider than the machine's are passed to inlined functions only.
#pragma GCC diagnostic ignored "-Wpsabi"
// By its own choice of regions GCC spills what the innermost loop of a tile reads most.
#pragma GCC optimize("ira-region=all")
#endif

namespace fw {

// ---- types

// What a type of vectors consists of.
template <class V> struct traits;

// The integers that are as wide as a type of so many bytes.
template <size_t bytes> struct integers;
template <> struct integers<1> { using with_sign = int8_t; };
template <> struct integers<2> { using with_sign = int16_t; };
template <> struct integers<4> { using with_sign = int32_t; };
template <> struct integers<8> { using with_sign = int64_t; };

#ifndef FORMWORK_SCALAR

template <class T, int N> struct vector_of {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
  // In memory: where elements are, be they of this type or another.
  typedef T in_memory __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <class T, int N> using vector = typename vector_of<T, N>::type;

#else

template <class T, int N> struct vector {
  T lane[N];
  T &operator[](int i) { return lane[i]; }
  const T &operator[](int i) const { return lane[i]; }
};

#endif

#define FW_VECTOR(NAME, T, N)                                                                      \
  using NAME##x##N = vector<T, N>;                                                                 \
  template <> struct traits<NAME##x##N> {                                                          \
    using element = T;                                                                             \
    using mask = vector<int32_t, N>;                                                               \
  };
#define FW_VECTORS(N)                                                                              \
  FW_VECTOR(f32, float, N)                                                                         \
  FW_VECTOR(f64, double, N)                                                                        \
  FW_VECTOR(u8, uint8_t, N)                                                                        \
  FW_VECTOR(i8, int8_t, N)                                                                         \
  FW_VECTOR(u16, uint16_t, N)                                                                      \
  FW_VECTOR(i16, int16_t, N)                                                                       \
  FW_VECTOR(u32, uint32_t, N)                                                                      \
  FW_VECTOR(i32, int32_t, N)                                                                       \
  FW_VECTOR(u64, uint64_t, N)                                                                      \
  FW_VECTOR(i64, int64_t, N)                                                                       \
  using m##N = i32x##N; // all bits of a lane, or none
FW_VECTORS(1)
FW_VECTORS(2)
FW_VECTORS(4)
FW_VECTORS(8)
FW_VECTORS(16)
FW_VECTORS(32)
FW_VECTORS(64)
#undef FW_VECTORS
#undef FW_VECTOR

template <class V> using element_of = typename traits<V>::element;
template <class V> constexpr int count_of = int(sizeof(V) / sizeof(V{}[0]));
// What a comparison of such vectors gives: lanes of the same width.
template <class V>
using compared = vector<typename integers<sizeof(element_of<V>)>::with_sign, count_of<V>>;
template <class V> using mask_of = typename traits<V>::mask;

// ---- operators of the structs

#ifdef FORMWORK_SCALAR

template <class V> V splat(element_of<V> x);

#define FW_BINARY(OP)                                                                              \
  template <class T, int N>                                                                        \
  FW_INLINE vector<T, N> operator OP(const vector<T, N> &a, const vector<T, N> &b) {               \
    vector<T, N> result;                                                                           \
    for (int i = 0; i < N; ++i)                                                                    \
      result[i] = static_cast<T>(a[i] OP b[i]);                                                    \
    return result;                                                                                 \
  }
// With a scalar on one side, which stands for all lanes.
template <class T> struct same { using type = T; };
template <class T> using same_as = typename same<T>::type;
#define FW_MIXED(RESULT, OP)                                                                       \
  template <class T, int N> FW_INLINE RESULT operator OP(const vector<T, N> &a, same_as<T> b) {    \
    return a OP splat<vector<T, N>>(b);                                                            \
  }                                                                                                \
  template <class T, int N> FW_INLINE RESULT operator OP(same_as<T> a, const vector<T, N> &b) {    \
    return splat<vector<T, N>>(a) OP b;                                                            \
  }
#define FW_VECTOR_RESULT vector<T, N>
#define FW_COMPARED_RESULT compared<vector<T, N>>
FW_BINARY(+)
FW_BINARY(-)
FW_BINARY(*)
FW_BINARY(/)
FW_BINARY(%)
FW_BINARY(&)
FW_BINARY(|)
FW_BINARY(^)
FW_BINARY(<<)
FW_BINARY(>>)
#undef FW_BINARY

#define FW_COMPARE(OP)                                                                             \
  template <class T, int N>                                                                        \
  FW_INLINE compared<vector<T, N>> operator OP(const vector<T, N> &a, const vector<T, N> &b) {     \
    compared<vector<T, N>> result;                                                                 \
    for (int i = 0; i < N; ++i)                                                                    \
      result[i] = a[i] OP b[i] ? -1 : 0;                                                           \
    return result;                                                                                 \
  }
FW_COMPARE(==)
FW_COMPARE(!=)
FW_COMPARE(<)
FW_COMPARE(<=)
FW_COMPARE(>)
FW_COMPARE(>=)
#undef FW_COMPARE

FW_MIXED(FW_VECTOR_RESULT, +)
FW_MIXED(FW_VECTOR_RESULT, -)
FW_MIXED(FW_VECTOR_RESULT, *)
FW_MIXED(FW_VECTOR_RESULT, /)
FW_MIXED(FW_VECTOR_RESULT, %)
FW_MIXED(FW_VECTOR_RESULT, &)
FW_MIXED(FW_VECTOR_RESULT, |)
FW_MIXED(FW_VECTOR_RESULT, ^)
FW_MIXED(FW_VECTOR_RESULT, <<)
FW_MIXED(FW_VECTOR_RESULT, >>)
FW_MIXED(FW_COMPARED_RESULT, ==)
FW_MIXED(FW_COMPARED_RESULT, !=)
FW_MIXED(FW_COMPARED_RESULT, <)
FW_MIXED(FW_COMPARED_RESULT, <=)
FW_MIXED(FW_COMPARED_RESULT, >)
FW_MIXED(FW_COMPARED_RESULT, >=)
#undef FW_MIXED
#undef FW_VECTOR_RESULT
#undef FW_COMPARED_RESULT

template <class T, int N> FW_INLINE vector<T, N> operator-(const vector<T, N> &a) {
  vector<T, N> result;
  for (int i = 0; i < N; ++i)
    result[i] = -a[i];
  return result;
}
template <class T, int N> FW_INLINE vector<T, N> operator~(const vector<T, N> &a) {
  vector<T, N> result;
  for (int i = 0; i < N; ++i)
    result[i] = static_cast<T>(~a[i]);
  return result;
}

#endif

// ---- making and taking apart

// All lanes the same.
template <class V> FW_INLINE V splat(element_of<V> x) {
#ifndef FORMWORK_SCALAR
  return x - V{}; // Not + : that would make 0 of -0.
#else
  V v;
  for (int i = 0; i < count_of<V>; ++i)
    v[i] = x;
  return v;
#endif
}

// 0, 1, 2, ...
template <class V> FW_INLINE V step() {
  V v = {};
  for (int i = 0; i < count_of<V>; ++i)
    v[i] = static_cast<element_of<V>>(i);
  return v;
}

// The same bytes as another type.
template <class To, class From> FW_INLINE To bit_cast(const From &from) {
  static_assert(sizeof(To) == sizeof(From), "as large as each other");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

// Each lane as another type of number.
template <class To, class From> FW_INLINE To convert(const From &from) {
#ifndef FORMWORK_SCALAR
  return __builtin_convertvector(from, To);
#else
  To to;
  for (int i = 0; i < count_of<To>; ++i)
    to[i] = static_cast<element_of<To>>(from[i]);
  return to;
#endif
}

// The outcome of a comparison of lanes of any width.
template <class V> FW_INLINE auto mask(const V &compared) {
  return convert<vector<int32_t, count_of<V>>>(compared);
}

// Lanes of a and then of b, by number.
template <int... lanes, class V>
FW_INLINE vector<element_of<V>, sizeof...(lanes)> shuffle(const V &a, const V &b) {
#ifndef FORMWORK_SCALAR
  return __builtin_shufflevector(a, b, lanes...);
#else
  constexpr int from[] = {lanes...};
  vector<element_of<V>, sizeof...(lanes)> result;
  for (int i = 0; i < int(sizeof...(lanes)); ++i)
    result[i] = from[i] < count_of<V> ? a[from[i]] : b[from[i] - count_of<V>];
  return result;
#endif
}

// Halves of a vector.
template <class V> using half = vector<element_of<V>, count_of<V> / 2>;
template <class V> struct halves { half<V> lower, upper; };
template <class V> FW_INLINE half<V> low(const V &v) {
  if constexpr (count_of<V> == 4) // of 8 bytes, which GCC would take from memory otherwise
    return shuffle<0, 1>(v, v);
  else
    return bit_cast<halves<V>>(v).lower;
}
template <class V> FW_INLINE half<V> high(const V &v) {
  if constexpr (count_of<V> == 4)
    return shuffle<2, 3>(v, v);
  else
    return bit_cast<halves<V>>(v).upper;
}

// ---- memory

// Asks for what is read soon.
FW_INLINE void prefetch(const void *place) {
#if defined(__GNUC__)
  __builtin_prefetch(place);
#else
  (void)place;
#endif
}

template <class V, class T> FW_INLINE V load(const T *from) {
  static_assert(sizeof(T) == sizeof(element_of<V>), "lanes are elements");
#ifndef FORMWORK_SCALAR
  return *reinterpret_cast<const typename vector_of<element_of<V>, count_of<V>>::in_memory *>(from);
#else
  V v;
  memcpy(&v, from, sizeof v);
  return v;
#endif
}

template <class V, class T> FW_INLINE void store(T *to, const V &v) {
  static_assert(sizeof(T) == sizeof(element_of<V>), "lanes are elements");
#ifndef FORMWORK_SCALAR
  *reinterpret_cast<typename vector_of<element_of<V>, count_of<V>>::in_memory *>(to) = v;
#else
  memcpy(to, &v, sizeof v);
#endif
}

// The first `count` lanes alone: what lies behind them in memory is not touched. Loading gives the
// other lanes those of `other`.
template <class V, class T> FW_INLINE V load_first(const T *from, int64_t count, const V &other) {
#if defined(__AVX512F__) && defined(__AVX512BW__) && !defined(FORMWORK_SCALAR)
  if constexpr (sizeof(V) == 64 && sizeof(T) == 4) {
    const auto bits = static_cast<__mmask16>(count < 16 ? (1u << count) - 1 : 0xffff);
    return bit_cast<V>(_mm512_mask_loadu_epi32(bit_cast<__m512i>(other), bits, from));
  } else if constexpr (sizeof(V) == 64 && sizeof(T) == 8) {
    const auto bits = static_cast<__mmask8>(count < 8 ? (1u << count) - 1 : 0xff);
    return bit_cast<V>(_mm512_mask_loadu_epi64(bit_cast<__m512i>(other), bits, from));
  }
#endif
  V v = other;
  for (int i = 0; i < count_of<V>; ++i)
    if (i < count)
      v[i] = static_cast<element_of<V>>(from[i]);
  return v;
}

template <class V, class T> FW_INLINE void store_first(T *to, int64_t count, const V &v) {
#if defined(__AVX512F__) && defined(__AVX512BW__) && !defined(FORMWORK_SCALAR)
  if constexpr (sizeof(V) == 64 && sizeof(T) == 4) {
    const auto bits = static_cast<__mmask16>(count < 16 ? (1u << count) - 1 : 0xffff);
    return _mm512_mask_storeu_epi32(to, bits, bit_cast<__m512i>(v));
  } else if constexpr (sizeof(V) == 64 && sizeof(T) == 8) {
    const auto bits = static_cast<__mmask8>(count < 8 ? (1u << count) - 1 : 0xff);
    return _mm512_mask_storeu_epi64(to, bits, bit_cast<__m512i>(v));
  }
#endif
  for (int i = 0; i < count_of<V>; ++i)
    if (i < count)
      to[i] = static_cast<T>(v[i]);
}

// The lanes that the mask has alone.
template <class V, class T>
FW_INLINE V load_masked(const T *from, const mask_of<V> &lanes, const V &other) {
  V v = other;
  for (int i = 0; i < count_of<V>; ++i)
    if (lanes[i])
      v[i] = static_cast<element_of<V>>(from[i]);
  return v;
}

template <class V, class T>
FW_INLINE void store_masked(T *to, const mask_of<V> &lanes, const V &v) {
  for (int i = 0; i < count_of<V>; ++i)
    if (lanes[i])
      to[i] = static_cast<T>(v[i]);
}

// from[offsets[i]] for the lanes that the mask has.
template <class V, class T, class I>
FW_INLINE V gather(const T *from, const I &offsets, const mask_of<V> &lanes, const V &other) {
  V v = other;
  for (int i = 0; i < count_of<V>; ++i)
    if (lanes[i])
      v[i] = static_cast<element_of<V>>(from[static_cast<int64_t>(offsets[i])]);
  return v;
}

// The mask that has the first `count` lanes.
template <class M> FW_INLINE M first(int64_t count) {
  M lanes = {};
  for (int i = 0; i < count_of<M>; ++i)
    lanes[i] = i < count ? -1 : 0;
  return lanes;
}

// ---- choosing

// a where the mask holds, else b.
template <class V> FW_INLINE V select(const mask_of<V> &m, const V &a, const V &b) {
#ifndef FORMWORK_SCALAR
  if constexpr (sizeof(element_of<V>) == sizeof(int32_t))
    return m ? a : b;
  else
    return __builtin_convertvector(m, compared<V>) ? a : b;
#else
  V result;
  for (int i = 0; i < count_of<V>; ++i)
    result[i] = m[i] ? a[i] : b[i];
  return result;
#endif
}

template <class V> FW_INLINE V select(const mask_of<V> &m, element_of<V> a, const V &b) {
  return select(m, splat<V>(a), b);
}
template <class V> FW_INLINE V select(const mask_of<V> &m, const V &a, element_of<V> b) {
  return select(m, a, splat<V>(b));
}

// Of numbers of chunks and sizes.
FW_INLINE int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
FW_INLINE int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

// Of integers, and of their lanes.
template <class T> FW_INLINE T min(const T &a, const T &b) {
  if constexpr (sizeof(traits<T>) != 0)
    return select(mask(a < b), a, b);
}
template <class T> FW_INLINE T max(const T &a, const T &b) {
  if constexpr (sizeof(traits<T>) != 0)
    return select(mask(a > b), a, b);
}
#define FW_INTEGER(T)                                                                              \
  template <> FW_INLINE T min<T>(const T &a, const T &b) { return a < b ? a : b; }                 \
  template <> FW_INLINE T max<T>(const T &a, const T &b) { return a > b ? a : b; }
FW_INTEGER(int8_t)
FW_INTEGER(uint8_t)
FW_INTEGER(int16_t)
FW_INTEGER(uint16_t)
FW_INTEGER(int32_t)
FW_INTEGER(uint32_t)
FW_INTEGER(int64_t)
FW_INTEGER(uint64_t)
#undef FW_INTEGER

// larger_of is a > b ? a : b, smaller_of is a < b ? a : b. x86 has instructions that mean this to
// the letter; GCC has to be told, clang sees it.
#if defined(__SSE2__) && defined(__GNUC__) && !defined(__clang__) && !defined(FORMWORK_SCALAR)
#define FW_SSE(...) __VA_ARGS__
#else
#define FW_SSE(...)
#endif
#if defined(__AVX__)
#define FW_AVX(...) FW_SSE(__VA_ARGS__)
#else
#define FW_AVX(...)
#endif
#if defined(__AVX512F__)
#define FW_AVX512(...) FW_SSE(__VA_ARGS__)
#else
#define FW_AVX512(...)
#endif
#define FW_CASE(TYPE, CALL)                                                                        \
  if constexpr (sizeof(V) == sizeof(TYPE) && sizeof(element_of<V>) == sizeof(TYPE{}[0])) {         \
    const TYPE x = bit_cast<TYPE>(a), y = bit_cast<TYPE>(b);                                       \
    return bit_cast<V>(CALL);                                                                      \
  }
#define FW_EXTREME(NAME, OP, X86)                                                                  \
  FW_INLINE float NAME(float a, float b) {                                                         \
    FW_SSE(return _mm_cvtss_f32(_mm_##X86##_ss(_mm_set_ss(a), _mm_set_ss(b))));                    \
    return a OP b ? a : b;                                                                         \
  }                                                                                                \
  FW_INLINE double NAME(double a, double b) {                                                      \
    FW_SSE(return _mm_cvtsd_f64(_mm_##X86##_sd(_mm_set_sd(a), _mm_set_sd(b))));                    \
    return a OP b ? a : b;                                                                         \
  }                                                                                                \
  template <class V> FW_INLINE V NAME(const V &a, const V &b) {                                    \
    FW_AVX512(FW_CASE(__m512, _mm512_maskz_##X86##_ps(0xffff, x, y)))                              \
    FW_AVX512(FW_CASE(__m512d, _mm512_maskz_##X86##_pd(0xff, x, y)))                               \
    FW_AVX(FW_CASE(__m256, _mm256_##X86##_ps(x, y)))                                               \
    FW_AVX(FW_CASE(__m256d, _mm256_##X86##_pd(x, y)))                                              \
    FW_SSE(FW_CASE(__m128, _mm_##X86##_ps(x, y)))                                                  \
    FW_SSE(FW_CASE(__m128d, _mm_##X86##_pd(x, y)))                                                 \
    return select(mask(a OP b), a, b);                                                             \
  }
FW_EXTREME(larger_of, >, max)
FW_EXTREME(smaller_of, <, min)
#undef FW_EXTREME
#undef FW_CASE
#undef FW_AVX512
#undef FW_AVX
#undef FW_SSE

// The larger and the smaller one; NaN if either is.
FW_INLINE float maximum(float a, float b) { return a != a ? a : larger_of(a, b); }
FW_INLINE float minimum(float a, float b) { return a != a ? a : smaller_of(a, b); }
FW_INLINE double maximum(double a, double b) { return a != a ? a : larger_of(a, b); }
FW_INLINE double minimum(double a, double b) { return a != a ? a : smaller_of(a, b); }
template <class V> FW_INLINE V maximum(const V &a, const V &b) {
  return select(mask(a != a), a, larger_of(a, b));
}
template <class V> FW_INLINE V minimum(const V &a, const V &b) {
  return select(mask(a != a), a, smaller_of(a, b));
}

template <class V> FW_INLINE V maximum(const V &a, element_of<V> b) {
  return maximum(a, splat<V>(b));
}
template <class V> FW_INLINE V maximum(element_of<V> a, const V &b) {
  return maximum(splat<V>(a), b);
}
template <class V> FW_INLINE V minimum(const V &a, element_of<V> b) {
  return minimum(a, splat<V>(b));
}
template <class V> FW_INLINE V minimum(element_of<V> a, const V &b) {
  return minimum(splat<V>(a), b);
}

// The same, but NaN only if both are.
FW_INLINE float maximum_number(float a, float b) { return a != a ? b : larger_of(b, a); }
FW_INLINE float minimum_number(float a, float b) { return a != a ? b : smaller_of(b, a); }
FW_INLINE double maximum_number(double a, double b) { return a != a ? b : larger_of(b, a); }
FW_INLINE double minimum_number(double a, double b) { return a != a ? b : smaller_of(b, a); }
template <class V> FW_INLINE V maximum_number(const V &a, const V &b) {
  return select(mask(a != a), b, larger_of(b, a));
}
template <class V> FW_INLINE V minimum_number(const V &a, const V &b) {
  return select(mask(a != a), b, smaller_of(b, a));
}

// ---- arithmetic

// The upper half of a product.
FW_INLINE uint32_t multiply_high(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((static_cast<uint64_t>(a) * b) >> 32);
}
FW_INLINE uint64_t multiply_high(uint64_t a, uint64_t b) {
  const uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
  const uint64_t middle = a1 * b0 + ((a0 * b0) >> 32), other = a0 * b1 + (middle & 0xffffffffu);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}
template <class V> FW_INLINE V multiply_high(const V &a, const V &b) {
  if constexpr (sizeof(element_of<V>) == 4) {
    using wide = vector<uint64_t, count_of<V>>;
    return convert<V>((convert<wide>(a) * convert<wide>(b)) >> splat<wide>(32));
  } else {
    V result;
    for (int i = 0; i < count_of<V>; ++i)
      result[i] = multiply_high(a[i], b[i]);
    return result;
  }
}

// a * b + c with a single rounding.
FW_INLINE float fma(float a, float b, float c) {
#if defined(__GNUC__)
  return __builtin_fmaf(a, b, c);
#else
  return ::fmaf(a, b, c);
#endif
}
FW_INLINE double fma(double a, double b, double c) {
#if defined(__GNUC__)
  return __builtin_fma(a, b, c);
#else
  return ::fma(a, b, c);
#endif
}
FW_INLINE float sqrt(float x) {
#if defined(__SSE2__)
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
#elif defined(__GNUC__)
  return __builtin_sqrtf(x);
#else
  return ::sqrtf(x);
#endif
}
FW_INLINE double sqrt(double x) {
#if defined(__SSE2__)
  return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_set_sd(x), _mm_set_sd(x)));
#elif defined(__GNUC__)
  return __builtin_sqrt(x);
#else
  return ::sqrt(x);
#endif
}

#define FW_LANES(result, value)                                                                    \
  for (int i = 0; i < count_of<decltype(result)>; ++i)                                             \
    result[i] = value;

template <class V> FW_INLINE V fma(const V &a, const V &b, const V &c) {
#if defined(FORMWORK_SCALAR)
  V sum;
  FW_LANES(sum, fma(a[i], b[i], c[i]))
  return sum;
#elif defined(__clang__)
  return __builtin_elementwise_fma(a, b, c);
#else
  [[maybe_unused]] constexpr bool single = sizeof(element_of<V>) == 4;
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64 && single)
    return bit_cast<V>(
        _mm512_fmadd_ps(bit_cast<__m512>(a), bit_cast<__m512>(b), bit_cast<__m512>(c)));
  else if constexpr (sizeof(V) == 64)
    return bit_cast<V>(
        _mm512_fmadd_pd(bit_cast<__m512d>(a), bit_cast<__m512d>(b), bit_cast<__m512d>(c)));
  else
#endif
#if defined(__FMA__)
      if constexpr (sizeof(V) == 32 && single)
    return bit_cast<V>(
        _mm256_fmadd_ps(bit_cast<__m256>(a), bit_cast<__m256>(b), bit_cast<__m256>(c)));
  else if constexpr (sizeof(V) == 32)
    return bit_cast<V>(
        _mm256_fmadd_pd(bit_cast<__m256d>(a), bit_cast<__m256d>(b), bit_cast<__m256d>(c)));
  else if constexpr (sizeof(V) == 16 && single)
    return bit_cast<V>(_mm_fmadd_ps(bit_cast<__m128>(a), bit_cast<__m128>(b), bit_cast<__m128>(c)));
  else if constexpr (sizeof(V) == 16)
    return bit_cast<V>(
        _mm_fmadd_pd(bit_cast<__m128d>(a), bit_cast<__m128d>(b), bit_cast<__m128d>(c)));
  else
#elif defined(__ARM_NEON) && defined(__aarch64__)
  if constexpr (sizeof(V) == 16 && single)
    return bit_cast<V>(
        vfmaq_f32(bit_cast<float32x4_t>(c), bit_cast<float32x4_t>(a), bit_cast<float32x4_t>(b)));
  else if constexpr (sizeof(V) == 16)
    return bit_cast<V>(
        vfmaq_f64(bit_cast<float64x2_t>(c), bit_cast<float64x2_t>(a), bit_cast<float64x2_t>(b)));
  else
#endif
      if constexpr (sizeof(V) > 16) {
    const auto x = bit_cast<halves<V>>(a), y = bit_cast<halves<V>>(b), z = bit_cast<halves<V>>(c);
    return bit_cast<V>(halves<V>{fma(x.lower, y.lower, z.lower), fma(x.upper, y.upper, z.upper)});
  } else {
    V sum;
    FW_LANES(sum, fma(a[i], b[i], c[i]))
    return sum;
  }
#endif
}

// The same where some are scalars.
template <class V> FW_INLINE V fma(element_of<V> a, const V &b, const V &c) {
  return fma(splat<V>(a), b, c);
}
template <class V> FW_INLINE V fma(const V &a, element_of<V> b, const V &c) {
  return fma(a, splat<V>(b), c);
}
template <class V> FW_INLINE V fma(const V &a, const V &b, element_of<V> c) {
  return fma(a, b, splat<V>(c));
}
template <class V> FW_INLINE V fma(const V &a, element_of<V> b, element_of<V> c) {
  return fma(a, splat<V>(b), splat<V>(c));
}
template <class V> FW_INLINE V fma(element_of<V> a, const V &b, element_of<V> c) {
  return fma(splat<V>(a), b, splat<V>(c));
}
template <class V> FW_INLINE V fma(element_of<V> a, element_of<V> b, const V &c) {
  return fma(splat<V>(a), splat<V>(b), c);
}

template <class V> FW_INLINE V sqrt(const V &x) {
#if defined(__clang__) && !defined(FORMWORK_SCALAR)
  return __builtin_elementwise_sqrt(x);
#else
#if !defined(FORMWORK_SCALAR)
  [[maybe_unused]] constexpr bool single = sizeof(element_of<V>) == 4;
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64 && single)
    return bit_cast<V>(_mm512_maskz_sqrt_ps(0xffff, bit_cast<__m512>(x)));
  else if constexpr (sizeof(V) == 64)
    return bit_cast<V>(_mm512_maskz_sqrt_pd(0xff, bit_cast<__m512d>(x)));
  else
#endif
#if defined(__AVX__)
      if constexpr (sizeof(V) == 32 && single)
    return bit_cast<V>(_mm256_sqrt_ps(bit_cast<__m256>(x)));
  else if constexpr (sizeof(V) == 32)
    return bit_cast<V>(_mm256_sqrt_pd(bit_cast<__m256d>(x)));
  else
#endif
      if constexpr (sizeof(V) > 16) {
    const auto parts = bit_cast<halves<V>>(x);
    return bit_cast<V>(halves<V>{sqrt(parts.lower), sqrt(parts.upper)});
  } else
#endif
  {
    V result;
    FW_LANES(result, sqrt(x[i]))
    return result;
  }
#endif
}

FW_INLINE float fabs(float x) { return bit_cast<float>(bit_cast<uint32_t>(x) & 0x7fffffffu); }
FW_INLINE double fabs(double x) {
  return bit_cast<double>(bit_cast<uint64_t>(x) & 0x7fffffffffffffffull);
}
template <class V> FW_INLINE V fabs(const V &x) {
  using bits = vector<typename integers<sizeof(element_of<V>)>::with_sign, count_of<V>>;
  constexpr auto most = static_cast<element_of<bits>>(~0ull >> (65 - 8 * sizeof(element_of<V>)));
  return bit_cast<V>(bit_cast<bits>(x) & splat<bits>(most));
}

// Whole numbers.
#define FW_ROUNDING(NAME)                                                                          \
  FW_INLINE float NAME(float x) { return ::NAME##f(x); }                                           \
  FW_INLINE double NAME(double x) { return ::NAME(x); }                                            \
  template <class V> FW_INLINE V NAME(const V &x) {                                                \
    V result;                                                                                      \
    FW_LANES(result, NAME(x[i]))                                                                   \
    return result;                                                                                 \
  }
FW_ROUNDING(ceil)
FW_ROUNDING(trunc)
FW_ROUNDING(round)
FW_ROUNDING(rint)
#undef FW_ROUNDING

FW_INLINE float floor(float x) {
#if defined(__SSE4_1__)
  return _mm_cvtss_f32(_mm_floor_ss(_mm_set_ss(x), _mm_set_ss(x)));
#else
  return ::floorf(x);
#endif
}
FW_INLINE double floor(double x) {
#if defined(__SSE4_1__)
  return _mm_cvtsd_f64(_mm_floor_sd(_mm_set_sd(x), _mm_set_sd(x)));
#else
  return ::floor(x);
#endif
}
template <class V> FW_INLINE V floor(const V &x) {
#if defined(__clang__) && !defined(FORMWORK_SCALAR)
  return __builtin_elementwise_floor(x);
#else
  V result;
  FW_LANES(result, floor(x[i]))
  return result;
#endif
}

FW_INLINE float fmod(float a, float b) { return ::fmodf(a, b); }
FW_INLINE double fmod(double a, double b) { return ::fmod(a, b); }
template <class V> FW_INLINE V fmod(const V &a, const V &b) {
  V result;
  FW_LANES(result, fmod(a[i], b[i]))
  return result;
}

FW_INLINE float copysign(float x, float sign) {
  return bit_cast<float>((bit_cast<uint32_t>(x) & 0x7fffffffu) |
                         (bit_cast<uint32_t>(sign) & 0x80000000u));
}
FW_INLINE double copysign(double x, double sign) {
  return bit_cast<double>((bit_cast<uint64_t>(x) & 0x7fffffffffffffffull) |
                          (bit_cast<uint64_t>(sign) & 0x8000000000000000ull));
}
template <class V> FW_INLINE V copysign(const V &x, const V &sign) {
  V result;
  FW_LANES(result, copysign(x[i], sign[i]))
  return result;
}

// ---- the machine

// While this lives, denormal numbers count as zero, as TensorFlow and JAX have it. On a machine
// without such a mode nothing changes.
class flush_denormals {
public:
#if defined(__SSE2__)
  flush_denormals() : saved(_mm_getcsr()) { _mm_setcsr(saved | 0x8040u); }
  ~flush_denormals() { _mm_setcsr(saved); }

private:
  unsigned saved;
#elif defined(__aarch64__) && defined(__GNUC__)
  flush_denormals() {
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved) : : "memory");
    __asm__ __volatile__("msr fpcr, %0" : : "r"(saved | (UINT64_C(1) << 24)) : "memory");
  }
  ~flush_denormals() { __asm__ __volatile__("msr fpcr, %0" : : "r"(saved) : "memory"); }

private:
  uint64_t saved;
#else
  flush_denormals() {}
  ~flush_denormals() {}
#endif
};

// The part of [0, count) that a number of chunks is in, counted from `first`.
FW_INLINE int64_t within(int64_t chunk, int64_t first, int64_t count) {
  return min(max(chunk - first, 0), count);
}

} // namespace fw

#endif
