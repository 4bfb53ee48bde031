"""Hedgerow: one OpenAI-style API in front of many model providers.

Nothing is imported here: loading the event loop alone takes 100 ms, and `hedgerow --help` must not.
"""

__version__ = "0.1.0"
