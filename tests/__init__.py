"""Tests: a mirror of `proxy`, and beside it golden cases, scenarios, fakes and official SDKs."""
