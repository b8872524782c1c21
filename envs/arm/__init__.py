"""Arms in PyBullet as Gymnasium environments."""
