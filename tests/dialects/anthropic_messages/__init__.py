"""Tests: dialects/anthropic_messages."""
