"""Provider wire dialects, one module each, around one event vocabulary."""
