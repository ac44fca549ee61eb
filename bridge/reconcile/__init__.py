"""Makes the API hold what a compacted topic says, beside the sink that carries the changes."""
