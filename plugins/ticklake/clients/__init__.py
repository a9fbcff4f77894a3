"""Thin wrappers around services, a package each: the only code that imports their libraries. Rules belong in `core`."""
