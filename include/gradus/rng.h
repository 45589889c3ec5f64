/*
 * rng.h - random numbers as a function of (seed, purpose, agent, step, replicate, draw)
 *
 * Random123's Philox4x32-10.  There is no state: the same arguments give the same number on
 * whatever rank asks, in whatever order.  Layout, stated here once:
 *
 *   key      {seed bits 0..31, seed bits 32..63}
 *   counter  {agent bits 0..31,
 *             agent bits 32..47 | purpose << 16,
 *             step,
 *             draw bits 0..7 | replicate << 8}
 *
 * 0 <= agent < 2^48, 0 <= purpose < 2^16, 0 <= step < 2^32, 0 <= replicate < 2^24, 0 <= draw < 256.
 * Bits beyond these ranges are dropped.  One block gives two uniforms, of words {0, 1} and of
 * words {2, 3}, low word first; the second is used only by rng_uniform_pair().  A uniform is
 * (n + 1/2) 2^-52, where n is the upper 52 of its 64 bits: exact, symmetric about 1/2, and in
 * [2^-53, 1 - 2^-53].  (With 53 bits the largest would round to 1.)
 */
#ifndef RNG_H
#define RNG_H

#include "gradus/base.h"

/* What a number is for.  Append only: an inserted line would change every result. */
typedef enum rng_purpose {
  RNG_THRESHOLD,    /* Exp(1) threshold of infection, one an agent and replicate */
  RNG_ONSET,        /* delay from infection to onset of symptoms */
  RNG_INITIAL_CASE, /* who is infected at the start */
  RNG_POSTERIOR,    /* samples written to posterior.h5 */
  RNG_QMC_SHIFT,    /* random shift of quasi-random base samples */
  RNG_SYNTHETIC,    /* attributes of a synthetic world */
  RNG_NOISE,        /* observation noise of a posterior predictive */
  RNG_TEST,         /* tests */
  RNG_GRAPH,        /* generated graphs */
  RNG_SEEDING,      /* who starts infected or alive, one an agent */
  RNG_INFECTION,    /* step clock: is an agent infected in a step, and when */
  RNG_RECOVERY,     /* does an infectious agent recover in a step */
  RNG_MOVE,         /* random walk: the step; game of life: the flip of a cell */
  RNG_ISOLATION,    /* delay from infection to isolation */
  RNG_NOISE_GUMBEL, /* Gumbel noise of categories that were not chosen */
  RNG_SPA_START,    /* where an area's running sum of opening rates starts */
  RNG_SPA_OPEN,     /* key of a perturbed world, and the time of its first event */
  RNG_SPA_ATTEMPT,  /* extra attempts of infection in a perturbed world */
  RNG_SPA_DELETE,   /* infections of the base run that a perturbed world lacks */
  RNG_SPA_HEALED,   /* later infections of agents that a perturbed world has healed */
  RNG_DESIGN,       /* points of a sweep: shifts, permutations, trajectories */
  RNG_BOOTSTRAP,    /* resamples of indices of a sweep */
  RNG_CENSUS,       /* world from census tables: about areas, zones, rows of tables */
  RNG_CENSUS_AGENT, /* the same, about agents */
  RNG_ATTENDANCE    /* which of its venues of a kind an agent attends in a step */
} rng_purpose;

/* Who draws: everything but the purpose's own index. */
typedef struct rng_key {
  uint64_t seed;
  uint32_t replicate;
} rng_key;

/* rng_block - Philox4x32-10 itself: 128 bits from a key and a counter.  Not collective.
 *
 * Source  Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (2011) */
void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/* rng_words - the words of n <= RNG_MANY blocks, many agents at a time: word[j][i] is word j of
 * agent[i]'s.  For whole numbers below m << 2^32: (uint64_t)word * m >> 32.  Not collective. */
enum { RNG_MANY = 256 };
void rng_words(rng_key key, rng_purpose purpose, int n, const int64_t agent[], uint32_t step,
               uint32_t draw, uint32_t word[4][RNG_MANY]);

/* rng_uniform - uniform in the open interval (0, 1).  Not collective. */
double rng_uniform(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step, uint32_t draw);

/* rng_uniform_pair - two independent uniforms from one block.  Not collective. */
void rng_uniform_pair(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step, uint32_t draw,
                      double u[2]);

/* rng_exponential - Exp(1), -log(1 - u).  Not collective. */
double rng_exponential(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step,
                       uint32_t draw);

/* rng_normal - standard normal, by the inverse distribution function.  Not collective. */
double rng_normal(rng_key key, rng_purpose purpose, int64_t agent, uint32_t step, uint32_t draw);

/* rng_sobol - coordinates in [0, 1) of points 0..n_point-1 of Sobol's sequence in n dimensions
 *
 * Direction numbers of Joe and Kuo (2008); multiples of 2^-32.
 * In      n  at most RNG_SOBOL_MAX
 * Out     x  [n_point][n]
 * Errors  PETSC_ERR_ARG_OUTOFRANGE
 * Not collective. */
enum { RNG_SOBOL_MAX = 128 };
PetscErrorCode rng_sobol(int64_t n_point, int n, double x[]);

#endif
