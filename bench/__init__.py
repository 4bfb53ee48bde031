"""Side-by-side measurements: one mock upstream, driven directly, through nginx and Hedgerow."""
