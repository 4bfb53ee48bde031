"""Tests: dialects."""
