"""Scores of onset, voice and pitch plugins on recordings with known truth, beside the stored figures of others.

The definitions are those of mir_eval (C. Raffel et al., ISMIR 2014); each module says its own.
"""
