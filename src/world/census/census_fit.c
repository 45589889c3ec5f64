/*
 * census_fit.c - iterative proportional fitting of the panel's weights to one record
 *
 * Kinds of households and bands of people are raked in turn: the weights of all choices with
 * people of a band are multiplied by (people wanted) / (people there are).  Where tables agree with
 * each other the weights converge to those nearest to the panel's (in relative entropy); where they
 * do not, households have the last word.
 */
#include "census_impl.h"

/* Rake households; the largest relative deviation before that. */
static double rake_kinds(const census_panel *p, int n_kind, const double households[],
                         const double prior[], double weight[])
{
  double worst = 0;

  for (int k = 0; k < n_kind; k++) {
    const double *from = weight;
    double sum = 0, factor;

    for (int32_t i = p->kind_first[k]; i < p->kind_first[k + 1]; i++) sum += weight[i];
    if (!(sum > 1e-12 * households[k])) { /* lost, as no age fitted: start again */
      from = prior;
      sum = 0;
      for (int32_t i = p->kind_first[k]; i < p->kind_first[k + 1]; i++) sum += prior[i];
    }
    factor = sum > 0 ? households[k] / sum : 0;
    for (int32_t i = p->kind_first[k]; i < p->kind_first[k + 1]; i++) weight[i] = from[i] * factor;
    worst = PetscMax(worst, PetscAbsReal(factor - 1) * (households[k] > 0));
  }
  return worst;
}

static double rake_bands(const census_panel *p, int n_band, const double people[], double weight[])
{
  const double most = 4, least = 1e-3;
  double worst = 0;

  for (int b = 0; b < n_band; b++) {
    double sum = 0, factor;

    for (int32_t e = p->band_first[b]; e < p->band_first[b + 1]; e++)
      sum += p->band_count[e] * weight[p->band_choice[e]];
    if (!(sum > 0)) continue;
    factor = PetscMin(PetscMax(people[b] / sum, least), most);
    if (people[b] > 0) worst = PetscMax(worst, PetscAbsReal(factor - 1));
    for (int32_t e = p->band_first[b]; e < p->band_first[b + 1]; e++)
      weight[p->band_choice[e]] *= factor;
  }
  return worst;
}

/* Rake households by size to shares of all of them; the last size stands for larger ones, too. */
static void rake_sizes(const census_panel *p, const census_steps *sizes, double weight[])
{
  double sum[CENSUS_MAX_BANDS] = {0}, all = 0, shares = 0;

  for (int32_t i = 0; i < p->n_choice; i++) {
    sum[PetscMin(p->type[p->choice_type[i]].n, sizes->n) - 1] += weight[i];
    all += weight[i];
  }
  for (int s = 0; s < sizes->n; s++) shares += sizes->value[s];
  for (int32_t i = 0; i < p->n_choice; i++) {
    const int s = PetscMin(p->type[p->choice_type[i]].n, sizes->n) - 1;

    if (sum[s] > 0) weight[i] *= all * sizes->value[s] / (shares * sum[s]);
  }
}

void census_fit(const census_panel *p, const census_wanted *wanted, const double prior[],
                int n_sweep, double weight[])
{
  const double enough = 2e-3;

  for (int32_t i = 0; i < p->n_choice; i++) weight[i] = prior[i];
  for (int sweep = 0; sweep < n_sweep; sweep++) {
    double worst;

    if (wanted->sizes) rake_sizes(p, wanted->sizes, weight);
    worst = rake_kinds(p, wanted->n_kind, wanted->households, prior, weight);
    worst = PetscMax(worst, rake_bands(p, wanted->n_band, wanted->people, weight));
    if (worst < enough) break;
  }
  (void)rake_kinds(p, wanted->n_kind, wanted->households, prior, weight);
}
