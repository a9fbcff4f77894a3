"""Pure rules and values: minutes, slices, keys, records, manifests. Imports nothing above it."""
