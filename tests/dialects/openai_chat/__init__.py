"""Tests: dialects/openai_chat."""
