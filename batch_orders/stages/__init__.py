"""The flow, in order. Pure: values in, values out; no I/O, no clock, no randomness."""
