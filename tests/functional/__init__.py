"""Tests of the parts together: real sockets, files, processes."""
