"""When things happen: periods, jitter and losses of a stream, and delays between two streams."""
