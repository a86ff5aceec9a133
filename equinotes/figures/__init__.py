"""Tables in, Axes out: nothing here loads, computes or saves."""
