"""fit.py - prints the polynomial coefficients used in real.h and real.c

Each function is interpolated at Chebyshev nodes in 60 digits (within a factor of about 2 of
the best polynomial), expanded in powers, and rounded to doubles.  The last column of
each heading is the largest relative error of the rounded polynomial, evaluated exactly, as a
multiple of 2^-53.  Needs mpmath; run only when a polynomial is to be changed.
"""
from mpmath import mp, mpf, chebyfit, exp, log, loggamma, psi, erf, erfc, sqrt, pi, atanh, findroot

mp.dps = 60


def erfcx_scaled(t):
    """(1 + 2x) exp(x^2) erfc(x) at x = 2 (1 + t) / (1 - t), whose limit at t = 1 is 2/sqrt(pi)"""
    if t > 1 - mpf(10) ** -7:
        return 2 / sqrt(pi)
    x = CENTRE * (1 + t) / (1 - t)
    if x < 50:
        return (1 + 2 * x) * exp(x * x) * erfc(x)
    term, total = mpf(1), mpf(1)  # asymptotic series
    for n in range(1, 40):
        term *= -(2 * n - 1) / (2 * x * x)
        total += term
    return (1 + 2 * x) / x / sqrt(pi) * total


CENTRE = mpf(2)
ROOT = findroot(lambda x: psi(0, x), mpf("1.4616"))


def exp_tail(r):
    return (exp(r) - 1 - r) / r**2 if abs(r) > mpf(10) ** -20 else mpf(1) / 2


def log_tail(z):
    s = sqrt(z)
    return (2 * atanh(s) / s - 2) / z if z > mpf(10) ** -20 else mpf(2) / 3


TABLES = [
    # name, function, interval, number of coefficients
    ("real_exp_poly: (exp(r) - 1 - r) / r^2", exp_tail, (-0.3468, 0.3468), 10),
    ("real_log_poly: (2 atanh(s) / s - 2) / s^2 in s^2", log_tail, (0, 0.0296), 7),
    ("lgamma_1_2: lgamma(1.5 + u) / ((0.5 + u) (u - 0.5))",
     lambda u: loggamma(mpf(3) / 2 + u) / ((u + 0.5) * (u - 0.5)), (-0.5, 0.5), 22),
    ("lgamma_2_3: lgamma(2.5 + u) / (u + 0.5)",
     lambda u: loggamma(mpf(5) / 2 + u) / (u + mpf(1) / 2), (-0.5, 0.5), 17),
    ("digamma_1_2: digamma(1.5 + u) / (1.5 + u - root)",
     lambda u: psi(0, mpf(3) / 2 + u) / (mpf(3) / 2 + u - ROOT), (-0.5, 0.5), 23),
    ("erf_poly: erf(x) / x - 1 in x^2",
     lambda z: erf(sqrt(z)) / sqrt(z) - 1 if z > mpf(10) ** -20 else 2 / sqrt(pi) - 1, (0, 1), 14),
    ("erfcx_poly: (1 + 2x) exp(x^2) erfc(x) in (x - 2) / (x + 2)", erfcx_scaled, (-0.62, 1), 25),
]

for name, function, (low, high), n in TABLES:
    low, high = mpf(low), mpf(high)
    safe = lambda x: function(x + mpf(10) ** -25)  # off removable singularities
    poly = [float(c) for c in chebyfit(safe, [low, high], n)]  # highest power first
    grid = [low + (high - low) * (i + mpf(1) / 3) / 400 for i in range(400)]
    error = max(abs(mp.polyval([mpf(c) for c in poly], x) / function(x) - 1) for x in grid)
    print(f"/* {name}  {float(error * 2**53):.3f} */")
    print(",\n".join(f"  {c.hex()}" for c in reversed(poly)))
hi = float(ROOT)
print("digamma root", hi.hex(), float(ROOT - mpf(hi)).hex())
ln2_hi = float(int(log(2) * 2**37)) / 2**37
print("ln2", ln2_hi.hex(), float(log(2) - mpf(ln2_hi)).hex())
