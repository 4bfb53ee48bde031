"""Tests: policy."""
