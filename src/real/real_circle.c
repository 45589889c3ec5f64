/*
 * real_circle.c - sine and cosine
 *
 * x = n pi/2 + r with pi/2 in three parts, of which n times the first two is exact; then Taylor's
 * series, whose first term left out is under 1e-19 for |r| <= pi/4.
 */
#include "gradus/real.h"

#define HALF_PI_1 0x1.921fb54400000p+0  /* 33 bits */
#define HALF_PI_2 0x1.0b4611a600000p-34 /* the next 33 */
#define HALF_PI_3 0x1.3198a2e037073p-69

enum { N_TERM = 9, MOST = 100000 };

/* The series in r^2 from the term 1/(first)! on, highest term first. */
static double series(double r2, int first)
{
  double sum = 1;

  for (int k = N_TERM - 1; k >= 0; k--)
    sum = 1 - r2 / ((first + 2 * k + 1) * (first + 2 * k + 2)) * sum;
  return sum;
}

/* sin(x + quarter pi/2) */
static double sine(double x, int quarter)
{
  const double y = fabs(x) <= MOST ? x : 0;
  const double n = (y * 0x1.45f306dc9c883p-1 + REAL_ROUND) - REAL_ROUND;
  const double r = ((y - n * HALF_PI_1) - n * HALF_PI_2) - n * HALF_PI_3;
  const int q = ((int)n + quarter) & 3;
  const double value = q & 1 ? series(r * r, 0) : r * series(r * r, 1);

  if (!(fabs(x) <= MOST)) return NAN;
  return q & 2 ? -value : value;
}

double real_sin(double x)
{
  return sine(x, 0);
}

double real_cos(double x)
{
  return sine(x, 1);
}
