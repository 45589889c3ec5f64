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

void census_fit(const census_panel *p, int n_band, const double people[], int n_kind,
                const double households[], const double prior[], int n_sweep, double weight[])
{
  const double enough = 2e-3;

  for (int32_t i = 0; i < p->n_choice; i++) weight[i] = prior[i];
  for (int sweep = 0; sweep < n_sweep; sweep++) {
    const double worst_kind = rake_kinds(p, n_kind, households, prior, weight);
    const double worst_band = rake_bands(p, n_band, people, weight);

    if (worst_kind < enough && worst_band < enough) break;
  }
  (void)rake_kinds(p, n_kind, households, prior, weight);
}
