"""The verbs of one request's life; strangers to each other."""
