"""Stand-ins for the world outside the gateway: a replay upstream and what it serves."""
