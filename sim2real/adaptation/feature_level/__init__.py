"""Methods that make features of simulated and real pictures alike while the task is learned."""
