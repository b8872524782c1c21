"""What is known about the real station: cameras, poses, rigs, records. No simulator, no network."""
