"""Where the gateway's CPU time goes, request by request: `python -m bench.profile`."""
