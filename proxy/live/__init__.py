"""The present: latency histograms, health, retry budget, sticky routes, experiments."""
