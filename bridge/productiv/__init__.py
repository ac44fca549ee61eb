"""The client of the Productiv API: the only place that knows its paths, envelopes, fields and statuses."""
