"""Load tests: locust scenarios with users that read streams as they come, and what they may cost.

The package imports nothing of `proxy`: locust patches the standard library for gevent. What needs no locust
(`stamps`, `sse`, `answers`, `figures`, `thresholds`, `scenarios`) is imported by both Pythons.
"""
