"""Sockets, TLS, clocks and credentials."""
