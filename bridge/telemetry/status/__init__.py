"""The status page: what happens now and in the last hour, what is stuck, whose fault it is, what to do."""
