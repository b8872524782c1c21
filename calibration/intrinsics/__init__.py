"""What a camera's lens does: fitted to views of a board, with the uncertainty of every number."""
