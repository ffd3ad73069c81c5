"""Small runs that decide a mixture: proposals, regressions, decisions with an error bar, and a test of known
truth."""
