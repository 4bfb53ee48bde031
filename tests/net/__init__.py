"""Tests of proxy.net."""
