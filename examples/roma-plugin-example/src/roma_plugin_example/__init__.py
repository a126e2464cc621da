"""A connector, a file format, a measure and a stage of ROMA, from outside of ROMA."""
