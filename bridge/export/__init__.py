"""Ranges of topics as files, for the upload of what is too much for one call at a time."""
