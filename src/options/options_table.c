/*
 * options_table.c - every option of ours, once
 *
 * Checks, -help, -print_defaults and /provenance are made from this table.  Sorted by topic; the
 * order is that of -help.
 */
#include "options_impl.h"

#include <math.h>
#include <string.h>

enum {
  RUN = COMMAND_SIMULATE | COMMAND_SENSITIVITY | COMMAND_COMPARE | COMMAND_CALIBRATE |
        COMMAND_PREDICT | COMMAND_SWEEP | COMMAND_CHECK | COMMAND_PLAN,
  RESULTS = COMMAND_SIMULATE | COMMAND_SENSITIVITY | COMMAND_CHECK | COMMAND_PLAN,
  COMPARE = COMMAND_COMPARE | COMMAND_CHECK,
  JACOBIAN = COMMAND_SENSITIVITY | COMMAND_COMPARE | COMMAND_CALIBRATE | COMMAND_SWEEP |
             COMMAND_CHECK,
  GIVEN = RESULTS | COMMAND_COMPARE | COMMAND_SWEEP |
          COMMAND_CALIBRATE, /* at given parameters, not at those of a posterior */
  BY = RESULTS | COMMAND_PREDICT,
  FIT = COMMAND_CALIBRATE | COMMAND_CHECK,
  DATA = FIT | COMMAND_PREDICT,
  SWEEP = COMMAND_SWEEP | COMMAND_CHECK,
  BUILD = COMMAND_WORLD | COMMAND_CHECK,
  PLAN = COMMAND_PLAN | COMMAND_CHECK,
  WORLD = RUN | COMMAND_WORLD,
  ALL = WORLD | COMMAND_INFO
};

#define ANY .low = 0, .high = 0
#define AT_LEAST(x) .low = (x), .high = INFINITY
#define BETWEEN(a, b) .low = (a), .high = (b)

/* clang-format off */
const option options_table[] = {
  /* what is run */
  {.name = "model", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "epidemic|sir_graph|sir_ode|random_walk|game_of_life|test_function", .initial = "epidemic",
   .help = "the model"},
  {.name = "world", .type = OPTIONS_PATH, .commands = WORLD,
   .flags = OPTIONS_SYNTHETIC | OPTIONS_ANSWER,
   .help = "world file (.h5), table of persons (.csv), or a word synthetic:..."},
  {.name = "seed", .type = OPTIONS_INT, .commands = WORLD, .flags = OPTIONS_ANSWER, AT_LEAST(0),
   .initial = "1", .help = "key of all random numbers"},
  {.name = "days", .type = OPTIONS_REAL, .commands = RUN,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, .unit = "day", AT_LEAST(0), .initial = "60",
   .help = "length of the run"},
  {.name = "dt", .type = OPTIONS_REAL, .commands = RUN, .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW,
   .unit = "day", AT_LEAST(0), .initial = "1", .help = "length of a step"},
  {.name = "steps", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_ANSWER,
   BETWEEN(1, 1000000), .initial = "100", .help = "length of the run of a model without a calendar"},
  {.name = "replicates", .type = OPTIONS_INT, .commands = GIVEN, .flags = OPTIONS_ANSWER,
   BETWEEN(1, 16777215), .initial = "1", .help = "runs, each with its own random numbers"},
  {.name = "keep", .type = OPTIONS_WORD, .commands = RESULTS, .flags = OPTIONS_ANSWER,
   .words = "replicates|mean", .initial = "replicates",
   .help = "write every replicate, or their mean and its standard error"},
  {.name = "parameters", .type = OPTIONS_REAL, .commands = GIVEN,
   .flags = OPTIONS_FAMILY | OPTIONS_ANSWER, .help = "value of a parameter of the model"},
  {.name = "by", .type = OPTIONS_LIST, .commands = BY, .flags = OPTIONS_ANSWER,
   .help = "observables also by group: area or an attribute of agents"},

  /* the model epidemic */
  {.name = "contact", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "frequency|density", .initial = "frequency",
   .help = "pressure in a venue: per member, or of all members together"},
  {.name = "profile", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "gamma|erlang", .initial = "gamma", .help = "infectiousness by age of infection"},
  {.name = "initial_cases", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_ANSWER,
   AT_LEAST(0), .initial = "0", .unit = "people", .help = "people infected at the start"},
  {.name = "known_until", .type = OPTIONS_REAL, .commands = RUN, .flags = OPTIONS_ANSWER, ANY,
   .unit = "day", .help = "people whose onset is known up to this day are initial cases"},
  {.name = "onset_attribute", .type = OPTIONS_TEXT, .commands = RUN, .flags = OPTIONS_ANSWER,
   .initial = "onset", .help = "attribute of agents: day of onset"},
  {.name = "initial_attribute", .type = OPTIONS_TEXT, .commands = RUN, .flags = OPTIONS_ANSWER,
   .initial = "infected_at", .help = "attribute of agents: day of infection"},
  {.name = "infectious_attribute", .type = OPTIONS_TEXT, .commands = RUN, .flags = OPTIONS_ANSWER,
   .initial = "infectious_at", .help = "attribute of agents: day they become infectious"},
  {.name = "removed_attribute", .type = OPTIONS_TEXT, .commands = RUN, .flags = OPTIONS_ANSWER,
   .initial = "removed_at", .help = "attribute of agents: day they stop being infectious"},

  {.name = "closed_kinds", .type = OPTIONS_LIST, .commands = RUN, .flags = OPTIONS_ANSWER,
   .help = "kinds of venues that are closed on closed_days"},
  {.name = "closed_days", .type = OPTIONS_LIST, .commands = RUN, .flags = OPTIONS_ANSWER,
   .initial = "5,6", .help = "days of each week, 0 to 6, day 0 of the run being 0"},
  {.name = "isolation_kinds", .type = OPTIONS_LIST, .commands = RUN, .flags = OPTIONS_ANSWER,
   .help = "kinds that an infected agent leaves isolation_delay after infection"},
  {.name = "isolation_spread", .type = OPTIONS_REAL, .commands = RUN,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_HIGH, BETWEEN(0, 1), .unit = "relative",
   .initial = "0.5", .help = "delays are uniform within this part of isolation_delay around it"},
  {.name = "policy_kinds", .type = OPTIONS_LIST, .commands = RUN, .flags = OPTIONS_ANSWER,
   .help = "kinds whose beta is multiplied by policy_factor while the policy is in force"},
  {.name = "policy_from", .type = OPTIONS_REAL, .commands = RUN, .flags = OPTIONS_ANSWER,
   AT_LEAST(0), .unit = "day", .help = "first day of the policy"},
  {.name = "policy_until", .type = OPTIONS_REAL, .commands = RUN, .flags = OPTIONS_ANSWER,
   AT_LEAST(0), .unit = "day", .help = "end of the policy; unset: it stays"},
  {.name = "importation_until", .type = OPTIONS_REAL, .commands = RUN, .flags = OPTIONS_ANSWER,
   AT_LEAST(0), .unit = "day", .help = "end of the hazard from outside; unset: it stays"},
  {.name = "sampled_kinds", .type = OPTIONS_LIST, .commands = RUN, .flags = OPTIONS_ANSWER,
   .help = "kinds of which an agent attends one of its venues, drawn anew in each step"},
  {.name = "susceptibility_by", .type = OPTIONS_TEXT, .commands = RUN, .flags = OPTIONS_ANSWER,
   .help = "hazards are multiplied by susceptibility_<group>: groups by area or an attribute"},
  {.name = "susceptibility_groups", .type = OPTIONS_LIST, .commands = RUN, .flags = OPTIONS_ANSWER,
   .help = "groups that have that parameter; in others it is 1"},

  /* models on graphs and boards */
  {.name = "graph", .type = OPTIONS_PATH, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "watts_strogatz|ring|erdos_renyi|complete", .initial = "watts_strogatz",
   .help = "table of edges (.csv, columns a,b of 0-based nodes) or a generator"},
  {.name = "graph_nodes", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_ANSWER,
   BETWEEN(1, 1000000000), .initial = "1000", .help = "nodes of a generated graph"},
  {.name = "graph_degree", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_ANSWER,
   BETWEEN(0, 1000), .initial = "10", .help = "mean degree; even for watts_strogatz and ring"},
  {.name = "graph_rewire", .type = OPTIONS_REAL, .commands = RUN, .flags = OPTIONS_ANSWER,
   BETWEEN(0, 1), .initial = "0.1", .help = "probability that watts_strogatz moves an edge"},
  {.name = "graph_seed", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_ANSWER,
   AT_LEAST(0), .initial = "1", .help = "key of the generated graph"},
  {.name = "rule", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "contact|hazard", .initial = "contact",
   .help = "infection by n infectious neighbours: 1-(1-beta)^n or 1-exp(-beta n)"},
  {.name = "form", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "product|s_inside", .initial = "product",
   .help = "new infections: S times a choice, or the literature's choice of min(S n, 5)"},
  {.name = "graph_cap", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_ANSWER,
   BETWEEN(0, 1000), .initial = "0",
   .help = "infectious neighbours that count, at most; 0: all, or 5 with S inside"},
  {.name = "ode", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "continuous|stepwise", .initial = "continuous",
   .help = "sir_ode: the textbook's equations, or sir_graph's synchronous steps"},
  {.name = "walk", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "bernoulli|returning", .initial = "bernoulli",
   .help = "random walk: up with probability p, or exp(-x/p)"},
  {.name = "board", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_ANSWER,
   BETWEEN(0, 10000), .initial = "3", .help = "game of life on (2 board + 1)^2 cells"},
  {.name = "function", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "ishigami|g", .initial = "ishigami",
   .help = "test_function: of Ishigami, three inputs, or Sobol's g, eight"},

  /* derivatives */
  {.name = "free", .type = OPTIONS_LIST, .commands = GIVEN, .flags = OPTIONS_ANSWER,
   .help = "free parameters; empty: all of the model"},
  {.name = "estimator", .type = OPTIONS_WORD, .commands = RESULTS | COMMAND_CALIBRATE | COMMAND_SWEEP, .flags = OPTIONS_ANSWER,
   .words = "none|auto|pathwise|st|gumbel|score|spa|fd", .initial = "auto",
   .help = "how a derivative passes through a random choice"},
  {.name = "pathwise_accept_bias", .type = OPTIONS_BOOL, .commands = GIVEN, .flags = OPTIONS_ANSWER,
   .initial = "false", .help = "allow pathwise where hazards stop abruptly"},
  {.name = "clock", .type = OPTIONS_WORD, .commands = RUN, .flags = OPTIONS_ANSWER,
   .words = "threshold|step",
   .help = "thresholds drawn once, or fresh draws each step; unset: what the estimator needs"},
  {.name = "gumbel_temperature", .type = OPTIONS_REAL, .commands = JACOBIAN,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, AT_LEAST(0), .initial = "0.1",
   .help = "temperature of gumbel"},
  {.name = "gumbel_soft", .type = OPTIONS_BOOL, .commands = JACOBIAN, .flags = OPTIONS_ANSWER,
   .initial = "false", .help = "gumbel gives soft choices, not hard ones with soft tangents"},
  {.name = "spa_worlds", .type = OPTIONS_REAL, .commands = JACOBIAN,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, AT_LEAST(0), .unit = "worlds",
   .help = "perturbed worlds a run, on average; unset: from the pilot"},
  {.name = "spa_importance", .type = OPTIONS_WORD, .commands = JACOBIAN, .flags = OPTIONS_ANSWER,
   .words = "lambda|day|cost", .initial = "cost",
   .help = "worlds opened by hazard alone, also by day, also by cost"},
  {.name = "spa_form", .type = OPTIONS_WORD, .commands = JACOBIAN, .flags = OPTIONS_ANSWER,
   .words = "auto|sparse|replay", .initial = "auto",
   .help = "perturbed worlds as lists of what differs, or whole runs again"},
  {.name = "spa_pilots", .type = OPTIONS_INT, .commands = JACOBIAN, .flags = OPTIONS_ANSWER,
   BETWEEN(1, 1000), .initial = "10", .help = "runs before, that set the rates of spa"},
  {.name = "gradient_horizon", .type = OPTIONS_INT, .commands = JACOBIAN, .flags = OPTIONS_ANSWER,
   BETWEEN(1, 1000000), .unit = "steps",
   .help = "pathwise, st, gumbel: derivatives through this many last steps only"},
  {.name = "tangent_limit", .type = OPTIONS_REAL, .commands = JACOBIAN,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, AT_LEAST(0),
   .help = "pathwise, st, gumbel: agents' tangents beyond are cut to this"},
  {.name = "fd_step", .type = OPTIONS_REAL, .commands = RESULTS | COMPARE | COMMAND_SWEEP,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW | OPTIONS_OPEN_HIGH, BETWEEN(0, 1),
   .unit = "relative", .initial = "0.05",
   .help = "step of central differences, in the user's units"},

  /* comparing estimators */
  {.name = "estimators", .type = OPTIONS_LIST, .commands = COMPARE, .flags = OPTIONS_ANSWER,
   .help = "estimators to compare; empty: all that the model serves"},
  {.name = "observables", .type = OPTIONS_LIST, .commands = COMPARE | COMMAND_SWEEP, .flags = OPTIONS_ANSWER,
   .help = "observables to compare or sweep; empty: all of the model"},
  {.name = "times", .type = OPTIONS_LIST, .commands = COMPARE | COMMAND_SWEEP, .flags = OPTIONS_ANSWER,
   .help = "times to compare or sweep; empty: quarters of the run, for sweep its end"},
  {.name = "windows", .type = OPTIONS_REAL, .commands = COMPARE,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, AT_LEAST(0), .unit = "day",
   .help = "compare running totals also by what they gained in this time"},
  {.name = "runs", .type = OPTIONS_LIST, .commands = COMPARE, .flags = OPTIONS_ANSWER,
   .help = "replicates of single estimators, as score:10000,spa:500"},
  {.name = "reference", .type = OPTIONS_WORD, .commands = COMPARE, .flags = OPTIONS_ANSWER,
   .words = "auto|fd|exact", .initial = "auto",
   .help = "truth to compare with: exact where the model offers it, or central differences"},
  {.name = "reference_replicates", .type = OPTIONS_INT, .commands = COMPARE,
   .flags = OPTIONS_ANSWER, BETWEEN(2, 16777215), .initial = "200",
   .help = "runs of the reference"},
  {.name = "reference_step", .type = OPTIONS_REAL, .commands = COMPARE,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW | OPTIONS_OPEN_HIGH, BETWEEN(0, 1),
   .unit = "relative", .initial = "0.05", .help = "smaller step of the reference; the larger is twice it"},

  /* data and loss */
  {.name = "data", .type = OPTIONS_PATH, .commands = DATA, .help = "table of observations (.csv)"},
  {.name = "data_observable", .type = OPTIONS_TEXT, .commands = DATA, .flags = OPTIONS_ANSWER,
   .initial = "onsets", .help = "observable that the data are compared with"},
  {.name = "data_by", .type = OPTIONS_TEXT, .commands = DATA, .flags = OPTIONS_ANSWER,
   .help = "column of the data that names the group: area or an attribute of agents"},
  {.name = "data_from", .type = OPTIONS_REAL, .commands = DATA, .flags = OPTIONS_ANSWER, ANY,
   .unit = "day", .help = "leave out data before this day"},
  {.name = "data_until", .type = OPTIONS_REAL, .commands = DATA, .flags = OPTIONS_ANSWER, ANY,
   .unit = "day", .help = "leave out data after this day"},
  {.name = "loss", .type = OPTIONS_WORD, .commands = DATA, .flags = OPTIONS_ANSWER,
   .words = "squared|gaussian|poisson|negative_binomial|event_history", .initial = "poisson",
   .help = "distance of a run to the data"},
  {.name = "loss_of", .type = OPTIONS_WORD, .commands = FIT, .flags = OPTIONS_ANSWER,
   .words = "mean|replicate", .initial = "mean",
   .help = "loss of the mean of the replicates, or mean of their losses"},
  {.name = "loss_scale", .type = OPTIONS_REAL, .commands = DATA,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, AT_LEAST(0), .unit = "as the data", .initial = "1",
   .help = "standard deviation of the gaussian loss"},
  {.name = "dispersion", .type = OPTIONS_REAL, .commands = DATA,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, AT_LEAST(0),
   .help = "fixed size of the negative binomial; unset: it is a free parameter"},

  /* inference */
  {.name = "prior", .type = OPTIONS_TEXT, .commands = FIT | COMMAND_SWEEP,
   .flags = OPTIONS_FAMILY | OPTIONS_ANSWER,
   .help = "normal(m,s), lognormal(m,s), uniform(a,b), beta(a,b) or gamma(k,rate)"},
  {.name = "family", .type = OPTIONS_WORD, .commands = FIT, .flags = OPTIONS_ANSWER,
   .words = "normal|mvn", .initial = "mvn", .help = "variational family: mean field, full rank"},
  {.name = "divergence", .type = OPTIONS_WORD, .commands = FIT, .flags = OPTIONS_ANSWER,
   .words = "kl", .initial = "kl", .help = "divergence from the prior"},
  {.name = "divergence_weight", .type = OPTIONS_REAL, .commands = FIT, .flags = OPTIONS_ANSWER,
   AT_LEAST(0), .initial = "1", .help = "weight of the divergence"},
  {.name = "draws", .type = OPTIONS_INT, .commands = FIT, .flags = OPTIONS_ANSWER,
   BETWEEN(1, 16777215), .initial = "16", .help = "base samples of the objective"},
  {.name = "gradient", .type = OPTIONS_WORD, .commands = FIT, .flags = OPTIONS_ANSWER,
   .words = "pathwise", .initial = "pathwise", .help = "gradient in the family's parameters"},
  {.name = "start", .type = OPTIONS_WORD, .commands = FIT, .flags = OPTIONS_ANSWER,
   .words = "prior|laplace", .initial = "laplace", .help = "where the family starts"},
  {.name = "samples", .type = OPTIONS_INT, .commands = DATA,
   .flags = OPTIONS_ANSWER, BETWEEN(1, 16777215), .initial = "1000",
   .help = "samples of the posterior"},
  {.name = "posterior", .type = OPTIONS_PATH, .commands = COMMAND_PREDICT | COMMAND_CHECK,
   .help = "posterior file to predict from"},

  /* sweeps */
  {.name = "design", .type = OPTIONS_WORD, .commands = SWEEP, .flags = OPTIONS_ANSWER,
   .words = "sobol|morris|lhs|grid|csv", .initial = "sobol",
   .help = "Saltelli's scheme, Morris' trajectories, Latin hypercube, grid, or points of a table"},
  {.name = "design_file", .type = OPTIONS_PATH, .commands = SWEEP,
   .help = "table of points (.csv): a column for each free parameter"},
  {.name = "points", .type = OPTIONS_INT, .commands = SWEEP, .flags = OPTIONS_ANSWER,
   BETWEEN(2, 8388608), .initial = "256",
   .help = "base points of sobol (of P + 2 runs), trajectories of morris (P + 1), points of lhs"},
  {.name = "range", .type = OPTIONS_LIST, .commands = SWEEP,
   .flags = OPTIONS_FAMILY | OPTIONS_ANSWER,
   .help = "a,b: the parameter is uniform between; unset: its prior"},
  {.name = "second_order", .type = OPTIONS_BOOL, .commands = SWEEP, .flags = OPTIONS_ANSWER,
   .initial = "false", .help = "sobol: also the shares of pairs, in 2P + 2 runs a base point"},
  {.name = "levels", .type = OPTIONS_INT, .commands = SWEEP, .flags = OPTIONS_ANSWER,
   BETWEEN(2, 10000), .initial = "4", .help = "levels of morris (even) and grid"},
  {.name = "candidates", .type = OPTIONS_INT, .commands = SWEEP, .flags = OPTIONS_ANSWER,
   BETWEEN(0, 1000), .initial = "0",
   .help = "morris: take the trajectories farthest apart of so many; 0: random ones"},
  {.name = "random_numbers", .type = OPTIONS_WORD, .commands = SWEEP, .flags = OPTIONS_ANSWER,
   .words = "common|independent", .initial = "common",
   .help = "replicate k has the same random numbers at every point, or each point its own"},
  {.name = "resamples", .type = OPTIONS_INT, .commands = SWEEP, .flags = OPTIONS_ANSWER,
   BETWEEN(0, 100000), .initial = "1000", .help = "of the bootstrap of indices; 0: no intervals"},
  {.name = "confidence", .type = OPTIONS_REAL, .commands = SWEEP,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW | OPTIONS_OPEN_HIGH, BETWEEN(0, 1),
   .initial = "0.95", .help = "of the intervals of indices"},
  {.name = "sweep_part", .type = OPTIONS_TEXT, .commands = COMMAND_SWEEP,
   .help = "k/n: only every n-th point from the k-th on, into a part file"},
  {.name = "merge", .type = OPTIONS_LIST, .commands = COMMAND_SWEEP, .flags = OPTIONS_ARGUMENT,
   .help = "all n part files: makes of them the file of the whole sweep"},

  /* building a world */
  {.name = "import", .type = OPTIONS_WORD, .commands = BUILD, .flags = OPTIONS_ANSWER,
   .words = "persons", .help = "kind of world to import"},
  {.name = "persons", .type = OPTIONS_PATH, .commands = BUILD, .help = "table of persons (.csv)"},
  {.name = "census", .type = OPTIONS_PATH, .commands = COMMAND_WORLD,
   .help = "folder of census tables to make a population from"},
  {.name = "census_mapping", .type = OPTIONS_PATH, .commands = COMMAND_WORLD,
   .help = "which column of which table is what (.yaml); unset: census.yaml in that folder"},
  {.name = "scale", .type = OPTIONS_REAL, .commands = COMMAND_WORLD,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, BETWEEN(0, 1), .initial = "1",
   .help = "part of the census population that is made"},
  {.name = "report", .type = OPTIONS_PATH, .commands = COMMAND_WORLD,
   .help = "file for all marginals of that population beside their tables (.csv)"},
  {.name = "area_size", .type = OPTIONS_REAL, .commands = WORLD,
   .flags = OPTIONS_ANSWER | OPTIONS_OPEN_LOW, AT_LEAST(0), .unit = "m", .initial = "1000",
   .help = "side of the squares that x,y are gathered into"},

  /* planning */
  {.name = "plan_ranks", .type = OPTIONS_LIST, .commands = PLAN, .initial = "1,2,4,8,16,32,64",
   .help = "numbers of ranks to plan for"},
  {.name = "plan_cores", .type = OPTIONS_INT, .commands = PLAN, BETWEEN(0, 16777215),
   .initial = "0", .help = "cores that the ranks share; 0: one for each rank"},
  {.name = "plan_latency", .type = OPTIONS_REAL, .commands = PLAN, AT_LEAST(0), .unit = "us",
   .help = "time of an empty message; unset: measured here, or 2 on one rank"},
  {.name = "plan_bandwidth", .type = OPTIONS_REAL, .commands = PLAN,
   .flags = OPTIONS_OPEN_LOW, AT_LEAST(0), .unit = "GB/s",
   .help = "of one rank's messages; unset: measured here, or 5 on one rank"},
  {.name = "plan_ns", .type = OPTIONS_REAL, .commands = PLAN, .flags = OPTIONS_OPEN_LOW,
   AT_LEAST(0), .unit = "ns", .help = "time of an agent's step; unset: measured here by a short run"},
  {.name = "plan_seconds", .type = OPTIONS_REAL, .commands = PLAN, .flags = OPTIONS_OPEN_LOW,
   AT_LEAST(0), .unit = "s", .initial = "20", .help = "time that the short run may take"},
  {.name = "plan_scale", .type = OPTIONS_REAL, .commands = PLAN, .flags = OPTIONS_OPEN_LOW,
   AT_LEAST(0), .initial = "1",
   .help = "plan for a world with this many times the agents and venues in the same areas"},
  {.name = "plan_slurm", .type = OPTIONS_INT, .commands = PLAN, BETWEEN(1, 16777215),
   .unit = "ranks", .help = "number of ranks of the lines for Slurm; unset: the most with an efficiency of 50 %"},
  {.name = "plan_runs", .type = OPTIONS_INT, .commands = PLAN, AT_LEAST(1), .unit = "runs",
   .help = "runs of the model that the job makes; unset: the replicates' with their derivatives"},

  /* how it is run */
  {.name = "ranks_per_world", .type = OPTIONS_INT, .commands = RUN, BETWEEN(0, 16777215),
   .initial = "0", .unit = "ranks", .help = "ranks that hold one world together; 0: all"},
  {.name = "partition", .type = OPTIONS_WORD, .commands = WORLD, .words = "blocks|hilbert|ptscotch",
   .initial = "hilbert", .help = "how areas are dealt to ranks"},
  {.name = "output", .type = OPTIONS_PATH, .commands = WORLD, .help = "file to write"},
  {.name = "overwrite", .type = OPTIONS_BOOL, .commands = WORLD, .initial = "false",
   .help = "replace an existing output"},
  {.name = "checkpoint", .type = OPTIONS_PATH, .commands = RUN, .words = "none|auto",
   .help = "file to go on from if the run is cut short; auto or unset: <output>.checkpoint.  If given, a "
           "result that stands already ends a run as done"},
  {.name = "checkpoint_every", .type = OPTIONS_TEXT, .commands = RUN, .initial = "10min",
   .help = "how often it is written, in time or steps: 10min, 90s, 2h, 50steps"},
  {.name = "checkpoint_keep", .type = OPTIONS_BOOL, .commands = RUN, .initial = "false",
   .help = "do not remove it when the run has ended"},
  {.name = "max_walltime", .type = OPTIONS_TEXT, .commands = RUN,
   .help = "write a checkpoint and stop (exit 85) before this time is over: 90s, 24h, 1-12:00:00"},
  {.name = "test_stop", .type = OPTIONS_INT, .commands = RUN, .flags = OPTIONS_HIDDEN, AT_LEAST(0),
   .help = "stop when it has been asked this often whether to: before each step, after each task"},
  {.name = "quiet", .type = OPTIONS_BOOL, .commands = WORLD, .initial = "false",
   .help = "print nothing but errors"},
  {.name = "progress", .type = OPTIONS_WORD, .commands = WORLD, .words = "none|line|log",
   .help = "how far the run is; unset: line on a terminal, else log"},
  {.name = "test_rank_order_sums", .type = OPTIONS_BOOL, .commands = WORLD,
   .flags = OPTIONS_HIDDEN | OPTIONS_ANSWER, .initial = "false",
   .help = "do not round what is added: sums then know the ranks, for tests of the tests"},

  /* questions */
  {.name = "file", .type = OPTIONS_PATH, .commands = COMMAND_INFO, .flags = OPTIONS_ARGUMENT,
   .help = "Gradus file to describe; `gradus info FILE` means the same"},
  {.name = "help", .type = OPTIONS_BOOL, .commands = ALL, .flags = OPTIONS_ARGUMENT,
   .initial = "false", .help = "print this and stop"},
  {.name = "print_defaults", .type = OPTIONS_BOOL, .commands = ALL, .flags = OPTIONS_ARGUMENT,
   .initial = "false", .help = "print a run file with all defaults and stop"},
  {.name = "version", .type = OPTIONS_BOOL, .commands = ALL, .flags = OPTIONS_ARGUMENT,
   .initial = "false", .help = "print the version and stop"},
};
/* clang-format on */

const int options_table_size = sizeof options_table / sizeof options_table[0];

static const struct {
  const char *name;
  unsigned bit;
} command_bits[] = {{"world", COMMAND_WORLD},
                    {"simulate", COMMAND_SIMULATE},
                    {"sensitivity", COMMAND_SENSITIVITY},
                    {"compare", COMMAND_COMPARE},
                    {"calibrate", COMMAND_CALIBRATE},
                    {"predict", COMMAND_PREDICT},
                    {"sweep", COMMAND_SWEEP},
                    {"check", COMMAND_CHECK},
                    {"plan", COMMAND_PLAN},
                    {"info", COMMAND_INFO}};

/* Prefixes of PETSc's options that pass, and the commands whose solvers may use them. */
static const struct {
  const char *prefix;
  unsigned commands;
  bool is_early; /* read by PetscInitialize: on the command line only */
} solvers[] = {{"tao_", FIT, false},   {"ksp_", FIT, false}, {"pc_", FIT, false},
               {"mat_", WORLD, false}, {"log_", ALL, true},  {"malloc_", ALL, true}};

/* Numbers of TAO: PETSc would end in an error of its own, or ignore what is out of range. */
static const option solver_numbers[] = {
  {.name = "tao_max_it", .type = OPTIONS_INT, AT_LEAST(0)},
  {.name = "tao_max_funcs", .type = OPTIONS_INT, AT_LEAST(-1)}, /* -1: no limit */
  {.name = "tao_gatol", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_grtol", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_gttol", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_steptol", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_fmin", .type = OPTIONS_REAL, ANY},
  {.name = "tao_ls_max_funcs", .type = OPTIONS_INT, AT_LEAST(0)},
  {.name = "tao_ls_ftol", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_ls_gtol", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_ls_rtol", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_ls_stepmin", .type = OPTIONS_REAL, AT_LEAST(0)},
  {.name = "tao_ls_stepmax", .type = OPTIONS_REAL, AT_LEAST(0)},
};

const option *options_entry(const char name[])
{
  for (int i = 0; i < options_table_size; i++)
    if (!strcmp(name, options_table[i].name)) return &options_table[i];
  return NULL;
}

const option *options_family(const char name[])
{
  for (int i = 0; i < options_table_size; i++) {
    const option *e = &options_table[i];
    size_t n = strlen(e->name);

    if ((e->flags & OPTIONS_FAMILY) && !strncmp(name, e->name, n) && name[n] == '_' && name[n + 1])
      return e;
  }
  return NULL;
}

unsigned options_command_bit(const char command[])
{
  for (size_t i = 0; i < sizeof command_bits / sizeof command_bits[0]; i++)
    if (!strcmp(command, command_bits[i].name)) return command_bits[i].bit;
  return 0;
}

unsigned options_solver_commands(const char name[])
{
  for (size_t i = 0; i < sizeof solvers / sizeof solvers[0]; i++) {
    size_t n = strlen(solvers[i].prefix);

    if (!strncmp(name, solvers[i].prefix, n) && name[n]) return solvers[i].commands;
  }
  return 0;
}

bool options_solver_is_early(const char name[])
{
  for (size_t i = 0; i < sizeof solvers / sizeof solvers[0]; i++)
    if (!strncmp(name, solvers[i].prefix, strlen(solvers[i].prefix))) return solvers[i].is_early;
  return false;
}

const option *options_solver_entry(const char name[])
{
  for (size_t i = 0; i < sizeof solver_numbers / sizeof solver_numbers[0]; i++)
    if (!strcmp(name, solver_numbers[i].name)) return &solver_numbers[i];
  return NULL;
}

void options_range_text(const option *e, size_t size, char text[])
{
  char low[32], high[32];

  text[0] = '\0';
  if (e->type == OPTIONS_WORD) snprintf(text, size, "%s", e->words);
  if ((e->type != OPTIONS_INT && e->type != OPTIONS_REAL) || (e->low == 0 && e->high == 0)) return;
  options_show_real(e->low, low);
  options_show_real(e->high, high);
  snprintf(text, size, "%c%s, %s%c", e->flags & OPTIONS_OPEN_LOW ? '(' : '[', low,
           isinf(e->high) ? "inf" : high,
           isinf(e->high) || (e->flags & OPTIONS_OPEN_HIGH) ? ')' : ']');
}
