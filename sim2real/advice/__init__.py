"""`sim2real advise`: what to transfer, from where, and what to label next, each with the number behind it."""
