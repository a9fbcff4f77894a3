"""Pure rules and values, in rooms: landing, formats, proof, settings, sample. Imports nothing above it, asks nobody."""
