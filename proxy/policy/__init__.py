"""Decisions: functions of (state, facts, now)."""
