"""Nouns: the values that stages hand on."""
