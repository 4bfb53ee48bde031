"""Models, providers, endpoints and prices: data in TOML, a loader, and the lookup by name."""
