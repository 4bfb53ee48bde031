"""JSON routes of the management API."""
