"""Everything that is measured: one file per gateway or proxy, and the mock itself."""
