"""The page over a study of several models: verdicts, front and ranking over all, pairs, published figures."""
