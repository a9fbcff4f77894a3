"""Landing: a minute's records from Kafka into objects, sealed by a manifest.

`land` is the way from top to bottom: boundaries, offset ranges, `write` (read, rows or dead letters, objects), `seal`.
`restore` brings back what a sealed minute has lost. What decides without asking anybody belongs in `core/landing`.
"""
