"""Rules of landing: offsets of a minute, keys, manifests, packed objects. Nobody is asked; values come in and go out."""
