/*
 * h5_pair.c - SHA-256 of two messages side by side
 *
 * A round waits for the one before it, so the processor's SHA instructions are idle half of the time;
 * the rounds of a second message fill the gaps.  x86-64 alone; libcrypto does the rest.
 */
#include "h5_impl.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1")))

static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t constant[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* State and the latest 16 words of the schedule of one message, as the instructions want them. */
typedef struct lane {
  __m128i abef, cdgh, word[4];
} lane;

bool h5_pair_begin(h5_pair *p)
{
  unsigned a, b, c, d;
  const unsigned ssse3 = 1u << 9, sse41 = 1u << 19, sha = 1u << 29;

  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & ssse3) || !(c & sse41)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & sha)) return false;
  memcpy(p->state[0], start, sizeof start);
  memcpy(p->state[1], start, sizeof start);
  return true;
}

WITH_SHA static inline lane load_lane(const uint32_t state[8])
{
  const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);

  return (lane){.abef = _mm_alignr_epi8(badc, hgfe, 8), .cdgh = _mm_blend_epi16(hgfe, badc, 0xf0)};
}

WITH_SHA static inline void store_lane(const lane *l, uint32_t state[8])
{
  const __m128i feba = _mm_shuffle_epi32(l->abef, 0x1b), dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);

  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Rounds 4 r to 4 r + 3 of a block of 64 bytes. */
WITH_SHA static inline __attribute__((always_inline)) void do_rounds(lane *l, int r,
                                                                     const unsigned char block[])
{
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i *const word = &l->word[r & 3], before = l->word[(r + 3) & 3], sum;

  if (r < 4)
    *word = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * r)), big_endian);
  else
    *word = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*word, l->word[(r + 1) & 3]),
                                               _mm_alignr_epi8(before, l->word[(r + 2) & 3], 4)),
                                 before);
  sum = _mm_add_epi32(*word, _mm_loadu_si128((const __m128i *)(constant + 4 * r)));
  l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, sum);
  l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

WITH_SHA void h5_pair_add(h5_pair *p, size_t n, const unsigned char a[], const unsigned char b[])
{
  lane x = load_lane(p->state[0]), y = load_lane(p->state[1]);

  for (size_t at = 0; at < n; at += 64) {
    const lane x_before = x, y_before = y;

#pragma GCC unroll 16
    for (int r = 0; r < 16; r++) {
      do_rounds(&x, r, a + at);
      do_rounds(&y, r, b + at);
    }
    x.abef = _mm_add_epi32(x.abef, x_before.abef), x.cdgh = _mm_add_epi32(x.cdgh, x_before.cdgh);
    y.abef = _mm_add_epi32(y.abef, y_before.abef), y.cdgh = _mm_add_epi32(y.cdgh, y_before.cdgh);
  }
  store_lane(&x, p->state[0]);
  store_lane(&y, p->state[1]);
}

void h5_pair_end(h5_pair *p, int64_t n, unsigned char digest[2 * H5_DIGEST_SIZE])
{
  unsigned char last[64] = {0x80};

  for (int i = 0; i < 8; i++) last[56 + i] = (unsigned char)((uint64_t)n * 8 >> (56 - 8 * i));
  h5_pair_add(p, sizeof last, last, last);
  for (int i = 0; i < 2 * H5_DIGEST_SIZE; i++)
    digest[i] = (unsigned char)(p->state[i / 32][i % 32 / 4] >> (24 - i % 4 * 8));
}

#else

bool h5_pair_begin(h5_pair *p)
{
  (void)p;
  return false;
}

void h5_pair_add(h5_pair *p, size_t n, const unsigned char a[], const unsigned char b[])
{
  (void)p, (void)n, (void)a, (void)b;
}

void h5_pair_end(h5_pair *p, int64_t n, unsigned char digest[2 * H5_DIGEST_SIZE])
{
  (void)p, (void)n, (void)digest;
}

#endif
