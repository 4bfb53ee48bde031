"""Formats of the wire: HTTP/1.1, server-sent events, spliced frames. Bytes in, values out."""
