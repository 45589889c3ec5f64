/* test_rng.c - random numbers as a function of their indices                         ranks: 1
 *
 * Statistical limits let a true generator pass but for the probability ERROR in each assertion
 * (normal approximation); seeds are fixed, so a test that passes once always passes.
 */
#include "gradus/rng.h"
#include "mpi_check.h"
#include <math.h>
#include <stdlib.h>

/* ERROR = 1e-6: two-sided normal quantile; Kolmogorov's sqrt(log(2 / ERROR) / 2) */
#define NORMAL_LIMIT 4.892
#define KOLMOGOROV_LIMIT 2.694

enum { N = 100000, N_CELL = 16 };

static const rng_key key = {.seed = 0x853c49e6748fea9b, .replicate = 3};

static double uniform(uint64_t seed, uint32_t replicate, rng_purpose purpose, int64_t agent,
                      uint32_t step, uint32_t draw)
{
  return rng_uniform((rng_key){.seed = seed, .replicate = replicate}, purpose, agent, step, draw);
}

static int by_size(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* ---- known answers ------------------------------------------------------------------- */

/* kat_vectors of Random123, philox4x32 with 10 rounds: counter, key, answer */
START_TEST(block_gives_the_known_answers_of_random123)
{
  static const uint32_t known[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e,
     0xa20bc7c6, 0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
     0x5001e420, 0x24126ea1},
  };

  for (int i = 0; i < 3; i++) {
    uint32_t out[4];

    rng_block(known[i] + 4, known[i], out);
    ck_assert_mem_eq(out, known[i] + 6, sizeof out);
  }
}
END_TEST

/* The layout in the words of rng.h, with every field full of different digits */
START_TEST(pair_lays_out_the_counter_as_stated)
{
  const rng_key k = {.seed = 0x0123456789abcdef, .replicate = 0xabcdef};
  const uint32_t words[2] = {0x89abcdef, 0x01234567};
  const uint32_t counter[4] = {0xba987654, 0x0007fedc, 0x13572468, 0xabcdef5a};
  const rng_purpose purpose = (rng_purpose)7;
  uint32_t out[4];
  double u[2];

  rng_block(words, counter, out);
  rng_uniform_pair(k, purpose, 0xfedcba987654, 0x13572468, 0x5a, u);
  for (int i = 0; i < 2; i++) {
    const uint64_t n = ((uint64_t)out[2 * i + 1] << 32 | out[2 * i]) >> 12;

    ck_assert_double_eq(u[i], ((double)n + 0.5) * 0x1p-52);
  }
}
END_TEST

START_TEST(words_are_those_of_blocks)
{
  const rng_key k = {.seed = 0x0123456789abcdef, .replicate = 0xabcdef};
  uint32_t word[4][RNG_MANY];
  int64_t agent[RNG_MANY];

  for (int i = 0; i < RNG_MANY; i++) agent[i] = 0xfedcba987654 - INT64_C(0x123456789) * i;
  rng_words(k, RNG_ATTENDANCE, RNG_MANY, agent, 0x13572468, 0x5a, word);
  for (int i = 0; i < RNG_MANY; i++) {
    const uint32_t words[2] = {0x89abcdef, 0x01234567};
    const uint32_t counter[4] = {(uint32_t)agent[i],
                                 (uint32_t)(agent[i] >> 32) | (uint32_t)RNG_ATTENDANCE << 16,
                                 0x13572468, 0xabcdef5a};
    uint32_t out[4];

    rng_block(words, counter, out);
    for (int j = 0; j < 4; j++) ck_assert_uint_eq(word[j][i], out[j]);
  }
}
END_TEST

/* Computed once by another program (Philox written out in Python): must never change */
START_TEST(numbers_are_those_of_the_first_version)
{
  const rng_key k = {.seed = 0x0123456789abcdef, .replicate = 0xabcdef};
  double u[2];

  rng_uniform_pair(k, (rng_purpose)7, 0xfedcba987654, 0x13572468, 0x5a, u);
  ck_assert_double_eq(u[0], 0x1.7edc232041878p-4);
  ck_assert_double_eq(u[1], 0x1.70d0d74bce4c2p-2);
  rng_uniform_pair((rng_key){.seed = 1}, (rng_purpose)0, 0, 0, 0, u);
  ck_assert_double_eq(u[0], 0x1.ca141d79c7d01p-1);
  ck_assert_double_eq(u[1], 0x1.6c2b544f2be45p-1);
  ck_assert_double_eq(uniform(1, 2, (rng_purpose)1, 3, 4, 5), 0x1.a73ce0fabf8a3p-1);
}
END_TEST

START_TEST(purposes_keep_their_numbers)
{
  ck_assert_int_eq(RNG_THRESHOLD, 0);
  ck_assert_int_eq(RNG_ONSET, 1);
  ck_assert_int_eq(RNG_INITIAL_CASE, 2);
  ck_assert_int_eq(RNG_POSTERIOR, 3);
  ck_assert_int_eq(RNG_QMC_SHIFT, 4);
  ck_assert_int_eq(RNG_SYNTHETIC, 5);
  ck_assert_int_eq(RNG_NOISE, 6);
  ck_assert_int_eq(RNG_TEST, 7);
}
END_TEST

/* ---- what a number depends on -------------------------------------------------------- */

/* Equal doubles among 2^15 independent ones: probability 2^30 / 2 / 2^52 = 1e-7 */
START_TEST(different_indices_give_different_numbers)
{
  static double u[1 << 15];
  int n = 0;

  for (uint64_t seed = 0; seed < 8; seed++) {
    for (uint32_t replicate = 0; replicate < 4; replicate++) {
      for (int purpose = 0; purpose < 4; purpose++) {
        for (int64_t agent = 0; agent < 8; agent++) {
          for (uint32_t step = 0; step < 8; step++) {
            for (uint32_t draw = 0; draw < 4; draw++) {
              u[n++] = uniform(seed, replicate, (rng_purpose)purpose, agent, step, draw);
            }
          }
        }
      }
    }
  }
  ck_assert_int_eq(n, 1 << 15);
  qsort(u, (size_t)n, sizeof u[0], by_size);
  for (int i = 1; i < n; i++) ck_assert_double_gt(u[i], u[i - 1]);
}
END_TEST

/* One bit of one index at a time: 48 of the agent, 64 of the seed, and so on */
START_TEST(every_bit_of_every_index_counts)
{
  double u[1 + 48 + 64 + 24 + 16 + 32 + 8];
  int n = 0;

  u[n++] = uniform(0, 0, (rng_purpose)0, 0, 0, 0);
  for (int b = 0; b < 48; b++) u[n++] = uniform(0, 0, (rng_purpose)0, INT64_C(1) << b, 0, 0);
  for (int b = 0; b < 64; b++) u[n++] = uniform(UINT64_C(1) << b, 0, (rng_purpose)0, 0, 0, 0);
  for (int b = 0; b < 24; b++) u[n++] = uniform(0, 1u << b, (rng_purpose)0, 0, 0, 0);
  for (int b = 0; b < 32; b++) u[n++] = uniform(0, 0, (rng_purpose)0, 0, 1u << b, 0);
  for (int b = 0; b < 8; b++) u[n++] = uniform(0, 0, (rng_purpose)0, 0, 0, 1u << b);
  for (int b = 0; b < 3; b++) u[n++] = uniform(0, 0, (rng_purpose)(1 << b), 0, 0, 0);
  qsort(u, (size_t)n, sizeof u[0], by_size);
  for (int i = 1; i < n; i++) ck_assert_double_gt(u[i], u[i - 1]);
}
END_TEST

START_TEST(bits_beyond_an_index_are_dropped)
{
  const double u = uniform(5, 6, RNG_TEST, 7, 8, 9);

  ck_assert_double_eq(uniform(5, 6, RNG_TEST, 7 + (INT64_C(1) << 48), 8, 9), u);
  ck_assert_double_eq(uniform(5, 6 + (1u << 24), RNG_TEST, 7, 8, 9), u);
  ck_assert_double_eq(uniform(5, 6, RNG_TEST, 7, 8, 9 + 256), u);
}
END_TEST

START_TEST(the_same_indices_give_the_same_number_in_any_order)
{
  static double u[1000];

  for (int i = 0; i < 1000; i++) u[i] = rng_uniform(key, RNG_TEST, i, 1, 2);
  for (int i = 999; i >= 0; i--) ck_assert_double_eq(rng_uniform(key, RNG_TEST, i, 1, 2), u[i]);
}
END_TEST

/* ---- distributions ------------------------------------------------------------------- */

static double cdf_uniform(double x)
{
  return x;
}

static double cdf_exponential(double x)
{
  return -expm1(-x);
}

static double cdf_normal(double x)
{
  return 0.5 * erfc(-x / sqrt(2));
}

/* Kolmogorov and Smirnov: sqrt(n) times the largest distance to the distribution function */
static double kolmogorov(double x[], double (*cdf)(double))
{
  double distance = 0;

  qsort(x, N, sizeof x[0], by_size);
  for (int i = 0; i < N; i++) {
    const double p = cdf(x[i]);

    distance = fmax(distance, fmax((i + 1.0) / N - p, p - (double)i / N));
  }
  return sqrt(N) * distance;
}

/* mean of x in its standard errors, given the mean and variance it should have */
static double z_of_mean(const double x[], double mean, double variance)
{
  double sum = 0;

  for (int i = 0; i < N; i++) sum += x[i] - mean;
  return fabs(sum) / sqrt(N * variance);
}

START_TEST(uniforms_are_uniform_along_every_index)
{
  static double u[5][N], square[N];

  for (int i = 0; i < N; i++) {
    const uint32_t n = (uint32_t)i;

    u[0][i] = uniform(1, 0, RNG_TEST, i, 0, 0);
    u[1][i] = uniform(1, 0, RNG_TEST, 0, n, 0);
    u[2][i] = uniform(1, n, RNG_TEST, 1, 0, 0);
    u[3][i] = uniform(n, 0, RNG_TEST, 2, 0, 0);
    u[4][i] = uniform(2, n / 256, RNG_TEST, 3, 0, n % 256);
  }
  for (int k = 0; k < 5; k++) {
    for (int i = 0; i < N; i++) square[i] = (u[k][i] - 0.5) * (u[k][i] - 0.5);
    ck_assert_double_le(z_of_mean(u[k], 0.5, 1.0 / 12), NORMAL_LIMIT);
    ck_assert_double_le(z_of_mean(square, 1.0 / 12, 1.0 / 180), NORMAL_LIMIT);
    for (int i = 0; i < N; i++) ck_assert(u[k][i] > 0 && u[k][i] < 1);
    ck_assert_double_le(kolmogorov(u[k], cdf_uniform), KOLMOGOROV_LIMIT);
  }
}
END_TEST

/* chi-square of N pairs over N_CELL x N_CELL cells, as a normal deviate */
static double z_of_pairs(double u[][2])
{
  static int count[N_CELL][N_CELL];
  const double expected = (double)N / (N_CELL * N_CELL), freedom = N_CELL * N_CELL - 1;
  double chi2 = 0;

  memset(count, 0, sizeof count);
  for (int i = 0; i < N; i++) count[(int)(u[i][0] * N_CELL)][(int)(u[i][1] * N_CELL)]++;
  for (int i = 0; i < N_CELL * N_CELL; i++) {
    const double excess = count[i / N_CELL][i % N_CELL] - expected;

    chi2 += excess * excess / expected;
  }
  return (chi2 - freedom) / sqrt(2 * freedom);
}

/* The chi-square of 255 degrees has a heavier upper tail than a normal: 1e-6 is at 5.41. */
START_TEST(neighbours_are_independent)
{
  static double agents[N][2], steps[N][2], draws[N][2], purposes[N][2], pairs[N][2];

  for (int i = 0; i < N; i++) {
    for (uint32_t j = 0; j < 2; j++) {
      agents[i][j] = rng_uniform(key, RNG_TEST, 2 * (int64_t)i + j, 0, 0);
      steps[i][j] = rng_uniform(key, RNG_TEST, i, 7 + j, 0);
      draws[i][j] = rng_uniform(key, RNG_TEST, i, 1, j);
      purposes[i][j] = rng_uniform(key, j ? RNG_TEST : RNG_ONSET, i, 2, 0);
    }
    rng_uniform_pair(key, RNG_TEST, i, 3, 0, pairs[i]);
  }
  ck_assert_double_le(z_of_pairs(agents), 5.41);
  ck_assert_double_le(z_of_pairs(steps), 5.41);
  ck_assert_double_le(z_of_pairs(draws), 5.41);
  ck_assert_double_le(z_of_pairs(purposes), 5.41);
  ck_assert_double_le(z_of_pairs(pairs), 5.41);
}
END_TEST

START_TEST(uniform_is_the_first_of_the_pair)
{
  double u[2];

  rng_uniform_pair(key, RNG_TEST, 1, 2, 3, u);
  ck_assert_double_eq(rng_uniform(key, RNG_TEST, 1, 2, 3), u[0]);
  ck_assert_double_ne(u[0], u[1]);
}
END_TEST

START_TEST(exponentials_are_exponential)
{
  static double x[N];

  for (int i = 0; i < N; i++) {
    x[i] = rng_exponential(key, RNG_TEST, i, 4, 0);
    ck_assert_double_eq_tol(x[i], -log1p(-rng_uniform(key, RNG_TEST, i, 4, 0)), 4e-16 * (1 + x[i]));
  }
  ck_assert_double_le(z_of_mean(x, 1, 1), NORMAL_LIMIT);
  ck_assert_double_le(kolmogorov(x, cdf_exponential), KOLMOGOROV_LIMIT);
  ck_assert_double_gt(x[0], 0);
}
END_TEST

START_TEST(normals_are_normal)
{
  static double x[N], square[N];

  for (int i = 0; i < N; i++) {
    x[i] = rng_normal(key, RNG_TEST, i, 5, 0);
    square[i] = x[i] * x[i];
  }
  ck_assert_double_le(z_of_mean(x, 0, 1), NORMAL_LIMIT);
  ck_assert_double_le(z_of_mean(square, 1, 2), NORMAL_LIMIT);
  ck_assert_double_le(kolmogorov(x, cdf_normal), KOLMOGOROV_LIMIT);
}
END_TEST

/* scipy 1.10, stats.qmc.Sobol(128, scramble=False): the same direction numbers and order. */
START_TEST(sobol_equals_the_published_sequence)
{
  static const int dimension[] = {0, 1, 5, 20, 40, 63, 100, 127};
  static const double p77[] = {0.8359375, 0.8359375, 0.5078125, 0.1484375,
                               0.8203125, 0.8828125, 0.8984375, 0.4140625};
  static const double p100[] = {0.4140625, 0.2578125, 0.7421875, 0.7578125,
                                0.7109375, 0.6484375, 0.0390625, 0.4609375};
  static double x[128 * 128];

  ck_petsc(rng_sobol(128, 128, x));
  for (int k = 0; k < 8; k++) {
    ck_assert_double_eq(x[77 * 128 + dimension[k]], p77[k]);
    ck_assert_double_eq(x[100 * 128 + dimension[k]], p100[k]);
  }
  ck_petsc_fails(PETSC_ERR_ARG_OUTOFRANGE, rng_sobol(1, RNG_SOBOL_MAX + 1, x));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("rng");
  TCase *answers = tcase_create("known answers"), *indices = tcase_create("indices");
  TCase *distributions = tcase_create("distributions");

  tcase_add_test(answers, block_gives_the_known_answers_of_random123);
  tcase_add_test(answers, pair_lays_out_the_counter_as_stated);
  tcase_add_test(answers, words_are_those_of_blocks);
  tcase_add_test(answers, numbers_are_those_of_the_first_version);
  tcase_add_test(answers, purposes_keep_their_numbers);
  tcase_add_test(answers, sobol_equals_the_published_sequence);
  tcase_add_test(indices, different_indices_give_different_numbers);
  tcase_add_test(indices, every_bit_of_every_index_counts);
  tcase_add_test(indices, bits_beyond_an_index_are_dropped);
  tcase_add_test(indices, the_same_indices_give_the_same_number_in_any_order);
  tcase_add_test(distributions, uniforms_are_uniform_along_every_index);
  tcase_add_test(distributions, neighbours_are_independent);
  tcase_add_test(distributions, uniform_is_the_first_of_the_pair);
  tcase_add_test(distributions, exponentials_are_exponential);
  tcase_add_test(distributions, normals_are_normal);
  suite_add_tcase(s, answers);
  suite_add_tcase(s, indices);
  suite_add_tcase(s, distributions);
  return s;
}
