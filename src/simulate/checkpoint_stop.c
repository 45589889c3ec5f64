/*
 * checkpoint_stop.c - signals, the file `stop`, time: what this rank wants
 */
#include "checkpoint_impl.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { N_SIGNAL = 3 };

static const int signals[N_SIGNAL] = {SIGUSR1, SIGINT, SIGTERM};
static struct sigaction before[N_SIGNAL];
static volatile sig_atomic_t caught; /* checkpoint_wish */

/* The first asks to stop; a second one that ends a program ends it at once. */
static void note_signal(int number)
{
  const int wish = number == SIGUSR1  ? CHECKPOINT_SIGUSR1
                   : number == SIGINT ? CHECKPOINT_SIGINT
                                      : CHECKPOINT_SIGTERM;

  if (number != SIGUSR1 && caught >= CHECKPOINT_SIGINT) {
    signal(number, SIG_DFL);
    raise(number);
  }
  if (wish > caught) caught = wish;
}

void checkpoint_catch_signals(bool is_on)
{
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  caught = CHECKPOINT_GO_ON;
  for (int i = 0; i < N_SIGNAL; i++)
    sigaction(signals[i], is_on ? &action : &before[i], is_on ? &before[i] : NULL);
}

void checkpoint_look_for_stop(checkpoint *c, bool is_first)
{
  checkpoint_stop_file *s = &c->stop;
  struct stat status;
  const bool is_there = stat(s->path, &status) == 0;

  c->stop_looked = MPI_Wtime();
  if (!is_first) {
    const bool is_same = is_there && s->was_there && status.st_ino == s->inode &&
                         status.st_mtim.tv_sec == s->changed.tv_sec &&
                         status.st_mtim.tv_nsec == s->changed.tv_nsec;

    if (is_there && !is_same && caught < CHECKPOINT_FILE) caught = CHECKPOINT_FILE;
    return;
  }
  s->was_there = is_there;
  if (!is_there) return;
  s->inode = status.st_ino;
  s->changed = status.st_mtim;
}

/* The clock is rank 0's.  Until the time is up, there must be room for another step and the
 * checkpoint after it. */
static checkpoint_wish by_time(checkpoint *c, double now)
{
  const double write = 1.5 * c->write_seconds, reserve = c->step_seconds + write;
  const double left = c->walltime - (now - c->start);
  const bool is_due = (c->every_steps ? c->steps >= c->every_steps
                                      : now - c->written >= c->every) ||
                      (c->share > 0 && (now - c->written) * c->share >= c->write_seconds);

  /* the last one, too, if after this one there would be no room for another */
  if (left <= reserve || (is_due && left <= reserve + write)) return CHECKPOINT_WALLTIME;
  return is_due ? CHECKPOINT_DUE : CHECKPOINT_GO_ON;
}

checkpoint_wish checkpoint_wants(checkpoint *c, bool is_leader, bool is_step)
{
  const double now = MPI_Wtime();
  checkpoint_wish wish = CHECKPOINT_GO_ON;

  if (c->test_stop >= 0 && !c->test_stop--) wish = CHECKPOINT_TEST;
  if (c->polled > c->written && is_step)
    c->step_seconds = PetscMax(c->step_seconds, now - c->polled);
  c->polled = now;
  if (is_leader) {
    if (now - c->stop_looked > 1) checkpoint_look_for_stop(c, false);
    wish = PetscMax(wish, by_time(c, now));
  }
  return PetscMax(wish, (checkpoint_wish)caught);
}

void checkpoint_describe(checkpoint_wish wish, size_t size, char text[])
{
  static const char *const names[] = {"nothing",      "nothing", "a test", "the file stop",
                                      "max_walltime", "SIGUSR1", "SIGINT", "SIGTERM"};

  snprintf(text, size, "%s", names[wish]);
}

/* "D-HH:MM:SS" or "HH:MM:SS" in seconds, or -1 */
static double parse_clock(const char text[])
{
  int d = 0, h, m, s, used = 0;

  if (sscanf(text, "%9d-%2d:%2d:%2d%n", &d, &h, &m, &s, &used) != 4 || text[used]) {
    d = used = 0;
    if (sscanf(text, "%4d:%2d:%2d%n", &h, &m, &s, &used) != 3 || text[used]) return -1;
  }
  if (d < 0 || h < 0 || m < 0 || m > 59 || s < 0 || s > 59) return -1;
  return 86400.0 * d + 3600.0 * h + 60.0 * m + s;
}

bool checkpoint_parse_time(const char text[], double *seconds, int64_t *steps)
{
  static const struct {
    const char *unit;
    double seconds;
  } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
  char *end;
  double x;

  *seconds = INFINITY;
  if (steps) *steps = 0;
  if (strchr(text, ':')) return (*seconds = parse_clock(text)) > 0;
  x = strtod(text, &end);
  if (end == text || !(x > 0) || !isfinite(x)) return false;
  if (steps && (!strcmp(end, "steps") || !strcmp(end, "step"))) {
    *steps = (int64_t)x;
    return x == floor(x) && x < 1e15;
  }
  for (int i = 0; i < 4; i++)
    if (!strcmp(end, units[i].unit)) {
      *seconds = x * units[i].seconds;
      return true;
    }
  return false;
}
