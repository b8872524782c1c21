"""`sim2real policy-gap`: policies in the source simulation and at pretend stations of the held-out simulation."""
