"""A stand-in provider that answers deterministically and says that it is one."""
