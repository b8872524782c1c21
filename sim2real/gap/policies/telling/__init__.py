"""What people read: the verdict, hidden values in words, plots, the page."""
