/*
 * plan.h - what a run costs on ranks that need not be here: balance, halo, memory, time
 *
 * Counts (agents, sites, messages, bytes) are those that so many ranks would have, exactly and the
 * same whoever asks (world_deal_count()).  Bytes follow from them by the rules that the world, the
 * model and the run state.  What a process takes before it reads anything, what reading takes, the
 * time of an agent's step and of a message are measured here, or given.  src/world/README.md, section
 * 7, has the equations and how well they hold.
 */
#ifndef PLAN_H
#define PLAN_H

#include "session.h"

/* Bytes of a rank. */
typedef struct plan_memory {
  int64_t base;    /* of a process that has read nothing */
  int64_t reading; /* while the world is read and built, beyond base */
  int64_t world, model, run;
  int64_t peak; /* base and the greater of reading and the sum of the last three */
} plan_memory;

/* plan_width - tangents that travel with the agents under the estimator in force.  Not collective. */
int plan_width(const session *s);

/* plan_runs - runs of the model that a replicate takes under that estimator, without pilots.  Not
 * collective. */
int64_t plan_runs(const session *s);

/* plan_memory_here - of this rank, after session_load().  Not collective. */
plan_memory plan_memory_here(const session *s);

/* What is measured here or given by -plan_*. */
typedef struct plan_measures {
  double ns;                 /* an agent's step on a rank of its own core */
  PetscInt n_step;           /* steps it was measured over; 0: given */
  double latency, bandwidth; /* seconds, bytes/second */
  double row;                /* seconds of a row that an exchange handles */
  bool is_measured;          /* both: latency and bandwidth */
  double reading_seconds;    /* of an agent of a rank's share */
} plan_measures;

/* plan_measure - run the model for a while, send messages to and fro
 *
 * Collective on s->comm; the same on every rank. */
PetscErrorCode plan_measure(session *s, plan_measures *m);

/* A run on n_rank ranks with one partitioner. */
typedef struct plan_row {
  PetscMPIInt n_rank;
  const char *partition;
  int64_t agents;                                   /* of the largest rank */
  double balance;                                   /* that over the mean */
  int64_t cut;                                      /* shared memberships between ranks */
  int64_t messages_max, messages, bytes_max, bytes; /* sent in a step: of one rank, of all */
  plan_memory memory;                               /* of the rank that needs most */
  double compute, exchange, seconds; /* of a step: slowest rank's parts, and in all */
  double efficiency;                 /* seconds of one rank over n_rank times seconds of these */
} plan_row;

/* plan_make - a row for each rank count and partitioner, in this order
 *
 * In      n_count, count  ranks
 *         scale           agents and venues are this many times those of the world here
 *         cores           that the ranks share; 0: one each
 * Out     n_row, row      the caller frees row
 *         is_same         is the ptscotch of this plan the one that a run would take?
 * Collective on s->comm; the same on every rank. */
PetscErrorCode plan_make(session *s, const plan_measures *m, int n_count, const PetscMPIInt count[],
                         double scale, int64_t cores, int *n_row, plan_row **row, bool *is_same);

#endif
