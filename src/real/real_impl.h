/*
 * real_impl.h - what real.c and real_gamma.c share; private to src/real/
 */
#ifndef REAL_IMPL_H
#define REAL_IMPL_H

#include "gradus/real.h"

/* real_stirling - lgamma(x) - ((x - 1/2) log x - x + log sqrt(2 pi)) for x >= 8 */
double real_stirling(double x);

#endif
