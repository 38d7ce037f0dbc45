"""Genre by an ensemble: a classifier, rules on features, and what instruments hint at."""
