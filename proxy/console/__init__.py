"""Management API and pages: one Starlette app."""
