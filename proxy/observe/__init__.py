"""What operators see: counters and histograms."""
