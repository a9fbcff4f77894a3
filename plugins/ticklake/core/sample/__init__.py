"""The sample's CSV, or any other: how it is written, what its columns hold, its rows as JSON."""
