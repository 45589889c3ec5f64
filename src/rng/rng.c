/*
 * rng.c - random numbers from Random123's Philox4x32-10
 */
#include "gradus/rng.h"
#include "gradus/dual.h"
#include <Random123/philox.h>

void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
  const philox4x32_ctr_t c = {{counter[0], counter[1], counter[2], counter[3]}};
  const philox4x32_key_t k = {{key[0], key[1]}};
  const philox4x32_ctr_t r = philox4x32_R(10, c, k);

  for (int i = 0; i < 4; i++) out[i] = r.v[i];
}

/* open_unit - (n + 1/2) 2^-52 from the upper 52 bits of two words.  Of 53 bits the largest
 * would round to 1. */
static double open_unit(uint32_t low, uint32_t high)
{
  const uint64_t n = ((uint64_t)high << 32 | low) >> 12;

  return ((double)n + 0.5) * 0x1p-52;
}

void rng_uniform_pair(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step, uint32_t draw,
                      double u[2])
{
  const uint64_t id = (uint64_t)agent;
  const uint32_t words[2] = {(uint32_t)key.seed, (uint32_t)(key.seed >> 32)};
  const uint32_t counter[4] = {(uint32_t)id,
                               (uint32_t)(id >> 32 & 0xffff) | (uint32_t)purpose << 16, step,
                               (draw & 0xff) | key.replicate << 8};
  uint32_t out[4];

  rng_block(words, counter, out);
  u[0] = open_unit(out[0], out[1]);
  u[1] = open_unit(out[2], out[3]);
}

/* Philox4x32-10 again, a block in each lane: that of Random123 does not vectorise. */
DUAL_CLONES void rng_words(rng_key key, rng_purpose purpose, int n, const int64_t agent[],
                           uint32_t step, uint32_t draw, uint32_t word[4][RNG_MANY])
{
  const uint64_t multiplier[2] = {0xd2511f53, 0xcd9e8d57};

  for (int i = 0; i < n; i++) {
    uint32_t a = (uint32_t)agent[i];
    uint32_t b = (uint32_t)(agent[i] >> 32 & 0xffff) | (uint32_t)purpose << 16;
    uint32_t c = step, d = (draw & 0xff) | key.replicate << 8;
    uint32_t k[2] = {(uint32_t)key.seed, (uint32_t)(key.seed >> 32)};

    for (int round = 0; round < 10; round++) {
      const uint64_t ma = multiplier[0] * a, mc = multiplier[1] * c;

      a = (uint32_t)(mc >> 32) ^ b ^ k[0];
      b = (uint32_t)mc;
      c = (uint32_t)(ma >> 32) ^ d ^ k[1];
      d = (uint32_t)ma;
      k[0] += 0x9e3779b9;
      k[1] += 0xbb67ae85;
    }
    word[0][i] = a;
    word[1][i] = b;
    word[2][i] = c;
    word[3][i] = d;
  }
}

double rng_uniform(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step, uint32_t draw)
{
  double u[2];

  rng_uniform_pair(key, purpose, agent, step, draw, u);
  return u[0];
}

double rng_exponential(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step,
                       uint32_t draw)
{
  return -real_log(1.0 - rng_uniform(key, purpose, agent, step, draw)); /* 1 - u is exact */
}

double rng_normal(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step, uint32_t draw)
{
  return real_normal_quantile(rng_uniform(key, purpose, agent, step, draw));
}
